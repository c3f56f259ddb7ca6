"""How do agreements come in, and how are they suspended? `nik-gateway agreements …`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import rich_click as click

from gateway.app import Deployment, open_to_append
from gateway.cli.output import COULD_NOT_RUN, FOUND_FAULT, config_option, json_option, say, settings_of, stop, table
from gateway.clock import SystemClock, SystemEntropy, rfc3339_seconds
from gateway.errors import Refused
from gateway.partners.agreement import Agreement, AgreementState
from gateway.partners.in_force import governing, state_at
from gateway.partners.present import Reach
from gateway.partners.suspension import AGREEMENT
from gateway.partners.terms import parse_file
from gateway.policy.policies import load
from gateway.store.partners.standings import Imported, PartnersOf, UnfitRowsError

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
    settings = deployment.settings
    reach = Reach(settings.agreements_widest_ipv4, settings.agreements_widest_ipv6)
    return deployment, PartnersOf(deployment.database, deployment.entropy, reach)


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
    if not dry_run and (not proposer or not approver):
        stop(COULD_NOT_RUN, "nik-gateway: an agreement widens access: name two persons with --proposer and --approver")
    deployment, partners = _open(config)
    try:
        done = (
            partners.plan(rows, deployment.clock.now())
            if dry_run
            else partners.take(rows, proposer=proposer, approver=approver)
        )
    except UnfitRowsError as unfit:
        told = [*unfit.faults, f"{len(unfit.faults)} faults; nothing was imported."]
        say(as_json, {"imported": [], "rows": found, "faults": list(unfit.faults)}, lambda: "\n".join(told))
        raise SystemExit(FOUND_FAULT) from None
    except Refused:
        stop(FOUND_FAULT, "nik-gateway: same-person: proposer and approver must be two persons")
    except ValueError as fault:
        stop(FOUND_FAULT, f"nik-gateway: {fault}; nothing was imported")
    finally:
        deployment.database.close()
    told_rows = [asdict(one) for one in done]
    merged = [{**row, **told} for row, told in zip(found, told_rows, strict=True)]
    document = {"imported": [], "rows": merged} if dry_run else {"imported": told_rows}
    last = ["Nothing was imported (--dry-run)."] if dry_run else []
    say(as_json, document, lambda: "\n".join([*map(_became, done), *last]))


def _became(one: Imported) -> str:
    after = "" if one.governs == one.version else f"; version {one.governs} governs until its term begins"
    return f"{one.agreement} version {one.version}: {one.outcome}{after}"


@agreements.command("list")
@config_option
@json_option
def list_agreements(config: Path, as_json: bool) -> None:  # noqa: FBT001
    """Every version of every agreement, with its state now."""
    deployment, partners = _open(config)
    now = deployment.clock.now()
    every = partners.agreements()
    governs = {(one.id, one.version) for one in governing(tuple(every), now)}
    rows = [_row(one, now, governs=(one.id, one.version) in governs) for one in every]
    deployment.database.close()
    say(
        as_json,
        {"agreements": rows},
        lambda: table(
            ("agreement", "version", "partner", "state", "ends"),
            [[row[name] for name in ("agreement", "version", "partner", "state", "ends")] for row in rows],
            empty="No agreements. Bring some in with: nik-gateway agreements import FILE",
        ),
    )


def _row(one: Agreement, now: int, *, governs: bool) -> dict[str, Any]:
    state = state_at(one, now)
    return {
        "agreement": one.id,
        "version": one.version,
        "partner": one.partner,
        # Of each agreement one version answers; one that began before it does not any more.
        "state": "superseded" if state is AgreementState.IN_FORCE and not governs else str(state),
        "governs": governs,
        "suspended_purposes": sorted(one.suspended),
        "ends": rfc3339_seconds(one.ends),
        "digest": one.digest,
    }


@agreements.command()
@config_option
@click.argument("agreement")
@click.option("--reason", required=True, type=click.Choice(AGREEMENT), help="Why; partners are told what lifts it.")
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
    what = f"purpose {purpose}" if purpose else "the agreement"
    say(as_json, {"agreement": one.id, "state": str(one.state)}, lambda: f"{one.id}: {what} is suspended ({reason})")


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
