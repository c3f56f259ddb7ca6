"""How is each command typed? One example of every command, shown at the end of its `--help`; a test reads them all."""

from __future__ import annotations

from collections.abc import Mapping

import rich_click as click

_TWO = '--proposer "A. Registrar" --approver "B. Approver"'
EXAMPLES: Mapping[str, str] = {
    "init": 'init /etc/nik-gateway --issuer https://nik.example.go.id --registrar "A. Registrar" --approver "B. Approver"',
    "demo": "demo var/demo --residents 20000",
    "serve": "serve --config /etc/nik-gateway/gateway.toml",
    "keys new": "keys new --keys /etc/nik-gateway/keys",
    "keys list": "keys list --keys /etc/nik-gateway/keys --config /etc/nik-gateway/gateway.toml",
    "keys rotate": "keys rotate --keys /etc/nik-gateway/keys --job token --staged",
    "keys activate": "keys activate --keys /etc/nik-gateway/keys --job token",
    "keys retire": "keys retire --keys /etc/nik-gateway/keys --job token --version 1",
    "keys provision": "keys provision --config /etc/nik-gateway/gateway.toml",
    "register import": 'register import residents.ndjson.gz --by "C. Operator"',
    "register rekey": 'register rekey --by "C. Operator"',
    "register status": "register status",
    "partners list": "partners list",
    "partners suspend-client": 'partners suspend-client bank-core --reason key_compromised --by "A. Registrar"',
    "partners resume-client": f"partners resume-client bank-core {_TWO}",
    "partners remove-key": 'partners remove-key bank-core 2026-01 --by "A. Registrar"',
    "agreements import": f"agreements import agreements.toml {_TWO}",
    "agreements list": "agreements list",
    "agreements suspend": 'agreements suspend pks-bank --reason semester_report_overdue --by "A. Registrar"',
    "agreements resume": f"agreements resume pks-bank {_TWO}",
    "payments credit": f'payments credit pks-bank --amount 5000000 --reference "TRF/2026/118" {_TWO}',
    "payments list": "payments list --partner bank",
    "staff list": "staff list",
    "staff add": f'staff add auditor-2 --person "D. Auditor" --scope audit.read --key auditor-2.jwk {_TWO}',
    "staff dismiss": 'staff dismiss auditor-2 --by "A. Registrar"',
    "staff enrol": f'staff enrol --person "D. Auditor" --role auditor {_TWO}',
    "staff members": "staff members",
    "staff invite": 'staff invite 7f3c --by "A. Registrar"',
    "staff recover": f"staff recover 7f3c {_TWO}",
    "staff recertify": 'staff recertify 7f3c --by "B. Approver"',
    "staff suspend": 'staff suspend 7f3c --reason device_lost --by "A. Registrar"',
    "policy check": "policy check /etc/nik-gateway/policies",
    "policy explain": "policy explain --client bank-core --purpose account_opening --claim name --claim birth_date",
    "ledger check": "ledger check --since checkpoint-of-last-month",
    "ledger prove": "ledger prove 01931f6c-2b7a-7c3e-9d51-6a2f0c1b7e44 --output receipt.txt",
    "ledger export": "ledger export entries.ndjson --since 2026-01-01 --until 2026-02-01",
    "ledger prune": f"ledger prune --kind answer --before 2021-01-01 {_TWO}",
    "ledger declare-new-log": f'ledger declare-new-log {_TWO} --reason "restored after a fire"',
    "ledger witness": 'ledger witness --listen 127.0.0.1:8090 --key witness.key --log "$VKEY" --state witness.state',
    "ledger witness-key": "ledger witness-key witness.example.org/w1 witness.key",
    "audit check": "audit check",
    "audit reindex": "audit reindex",
    "receipt get": "receipt get 01931f6c-2b7a-7c3e-9d51-6a2f0c1b7e44 --profile profile.toml --output receipt.txt",
    "receipt check": "receipt check receipt.txt --evidence evidence.json --key vkeys.txt",
    "db upgrade": "db upgrade",
    "db version": "db version --json",
    "feed send": "feed send changes --profile profile.toml --watch",
    "feed status": "feed status --profile profile.toml",
    "feed make": "feed make yesterday.csv today.csv changes/2026-11-24.ndjson --regency 3202",
    "verify": "verify --profile profile.toml --purpose account_opening --claim name=… --claim birth_date=1990-05-05",
    "doctor": "doctor --profile profile.toml",
    "openapi": "openapi openapi.json",
}
"""What is typed behind `nik-gateway`, by command."""


def show_in_help(group: click.Group) -> None:
    """End the help of every command with its example."""
    for words, example in EXAMPLES.items():
        command: click.Command | None = group
        for word in words.split():
            command = command.commands.get(word) if isinstance(command, click.Group) else None
        if command is not None:
            before = f"{command.epilog} " if command.epilog else ""
            command.epilog = f"{before}Example: nik-gateway {example}"
