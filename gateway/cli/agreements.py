"""How do agreements come in, and how are they suspended? `nik-gateway agreements …`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from gateway.app import Deployment, open_to_append
from gateway.cli.output import COULD_NOT_RUN, FOUND_FAULT, config_option, json_option, say, settings_of, stop
from gateway.clock import SystemClock, SystemEntropy, rfc3339_seconds
from gateway.errors import Refused
from gateway.partners.agreement import Agreement
from gateway.partners.in_force import state_at
from gateway.partners.terms import parse_file
from gateway.policy.policies import load
from gateway.store.partners.standings import PartnersOf

_two = [
    click.option("--proposer", required=True, help="Who proposes this: one person."),
    click.option("--approver", required=True, help="Who approves it: another person."),
]


def _two_persons(command: Any) -> Any:  # noqa: ANN401  click's decorators
    for option in reversed(_two):
        command = option(command)
    return command


@click.group()
def agreements() -> None:
    """Data-use agreements (PKS): import, list, suspend, resume."""


def _open(config: Path) -> tuple[Deployment, PartnersOf]:
    deployment = open_to_append(settings_of(config), SystemClock(), SystemEntropy())
    return deployment, PartnersOf(deployment.database, deployment.entropy)


@agreements.command("import")
@config_option
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Read and check only; nothing is changed.")
@click.option("--proposer", default="", help="Who proposes this: one person.")
@click.option("--approver", default="", help="Who approves it: another person.")
@json_option
def import_agreements(config: Path, file: Path, dry_run: bool, proposer: str, approver: str, as_json: bool) -> None:  # noqa: FBT001, PLR0913
    """Import agreements from a TOML file (docs/agreements.md): all of them, or none when a row has a fault."""
    settings = settings_of(config)
    rows = parse_file(file.read_text("utf-8"), file.name, load(settings.policies).purposes)
    faults = [fault for row in rows for fault in row.faults]
    found = [
        {"row": row.index, "agreement": row.agreement.id if row.agreement else None, "faults": list(row.faults)}
        for row in rows
    ]
    if faults:
        say(
            as_json,
            {"imported": [], "rows": found},
            lambda: "\n".join([*faults, f"{len(faults)} faults; nothing was imported."]),
        )
        raise SystemExit(FOUND_FAULT)
    if dry_run:
        say(
            as_json,
            {"imported": [], "rows": found},
            lambda: f"{len(rows)} agreements without fault; nothing was imported (--dry-run).",
        )
        return
    if not proposer or not approver:
        stop(COULD_NOT_RUN, "nik-gateway: an agreement widens access: name two persons with --proposer and --approver")
    deployment, partners = _open(config)
    try:
        done = partners.take(rows, proposer=proposer, approver=approver)
    except Refused:
        stop(FOUND_FAULT, "nik-gateway: same-person: proposer and approver must be two persons")
    except ValueError as fault:
        stop(FOUND_FAULT, f"nik-gateway: {fault}; nothing was imported")
    finally:
        deployment.database.close()
    document = {
        "imported": [
            {
                "agreement": one.agreement,
                "partner": one.partner,
                "version": one.version,
                "digest": one.digest,
                "outcome": one.outcome,
            }
            for one in done
        ]
    }
    say(as_json, document, lambda: "\n".join(f"{one.agreement} version {one.version}: {one.outcome}" for one in done))


@agreements.command("list")
@config_option
@json_option
def list_agreements(config: Path, as_json: bool) -> None:  # noqa: FBT001
    """Every version of every agreement, with its state now."""
    deployment, partners = _open(config)
    now = deployment.clock.now()
    rows = [_row(one, now) for one in partners.agreements()]
    deployment.database.close()
    say(
        as_json,
        {"agreements": rows},
        lambda: (
            "\n".join(
                f"{row['agreement']:24} v{row['version']:<3} {row['partner']:20} {row['state']:11} until {row['ends']}"
                for row in rows
            )
            or "No agreements. Bring some in with: nik-gateway agreements import FILE"
        ),
    )


def _row(one: Agreement, now: int) -> dict[str, Any]:
    return {
        "agreement": one.id,
        "version": one.version,
        "partner": one.partner,
        "state": str(state_at(one, now)),
        "suspended_purposes": sorted(one.suspended),
        "ends": rfc3339_seconds(one.ends),
        "digest": one.digest,
    }


@agreements.command()
@config_option
@click.argument("agreement")
@click.option("--reason", required=True, help="Why, as a slug (e.g. semester_report_overdue).")
@click.option("--purpose", default="", help="Only this purpose.")
@click.option("--by", "actor", required=True, help="Who does it; narrowing takes one person.")
@json_option
def suspend(config: Path, agreement: str, reason: str, purpose: str, actor: str, as_json: bool) -> None:  # noqa: FBT001, PLR0913
    """Suspend an agreement, or one purpose of it; holds from the next answer on, in every process."""
    deployment, partners = _open(config)
    try:
        one = partners.suspend(agreement, actor=actor, reason=reason, purpose=purpose)
    except LookupError as fault:
        stop(FOUND_FAULT, f"nik-gateway: there is no {fault.args[0]!r}. See: nik-gateway agreements list")
    finally:
        deployment.database.close()
    say(as_json, {"agreement": one.id, "state": str(one.state)}, lambda: f"{one.id}: {purpose or one.state} suspended")


@agreements.command()
@config_option
@click.argument("agreement")
@_two_persons
@json_option
def resume(config: Path, agreement: str, proposer: str, approver: str, as_json: bool) -> None:  # noqa: FBT001
    """Lift every suspension of an agreement; takes two persons."""
    deployment, partners = _open(config)
    try:
        one = partners.resume(agreement, proposer=proposer, approver=approver)
    except LookupError as fault:
        stop(FOUND_FAULT, f"nik-gateway: there is no {fault.args[0]!r}. See: nik-gateway agreements list")
    except Refused:
        stop(FOUND_FAULT, "nik-gateway: same-person: proposer and approver must be two persons")
    finally:
        deployment.database.close()
    say(as_json, {"agreement": one.id, "state": str(one.state)}, lambda: f"{one.id}: {one.state}")
