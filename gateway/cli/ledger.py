"""Does the ledger still fit together? `nik-gateway ledger …`."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from gateway.cli.output import FOUND_FAULT, config_option, json_option, progress, say, settings_of
from gateway.clock import SystemClock
from gateway.errors import LedgerFault
from gateway.keyring.keys import b64u
from gateway.ledger.check import check as check_ledger
from gateway.store import schema
from gateway.store.engine import Database
from gateway.store.ledger import LedgerOf


@click.group()
def ledger() -> None:
    """The audit trail: check."""


@ledger.command()
@config_option
@json_option
def check(config: Path, as_json: bool) -> None:  # noqa: FBT001
    """Re-verify the whole log from its bytes; names the first entry that does not fit (exit 1)."""
    database = Database(settings_of(config).database_url, SystemClock())
    schema.require_newest(database)
    try:
        with LedgerOf(database).snapshot() as (head, entries), progress("entries", head.size, quiet=as_json) as tell:
            report = check_ledger(head, entries, tell)
    except LedgerFault as fault:
        told = f"NOT SOUND: {fault}"
        say(as_json, {"sound": False, "entry": fault.index, "fault": fault.what}, lambda: told)
        raise SystemExit(FOUND_FAULT) from None
    finally:
        database.close()
    say(
        as_json,
        {"sound": True, "entries": report.size, "root": b64u(report.root), "destroyed": report.destroyed},
        lambda: (
            f"sound: {report.size:,} entries, root {b64u(report.root)}"
            + (f", private parts of {report.destroyed:,} destroyed by retention" if report.destroyed else "")
        ),
    )
