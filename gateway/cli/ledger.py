"""Does the log still fit together, and what does it prove? `nik-gateway ledger …`, for operators and auditors."""

from __future__ import annotations

import gc
import os
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import rich_click as click

from gateway.app import Deployment, configure_logging, guard, keeper_of, load_keys, open_deployment
from gateway.cli.ledger_witness import witness, witness_key
from gateway.cli.output import (
    COULD_NOT_RUN,
    FOUND_FAULT,
    config_option,
    give,
    json_option,
    progress,
    say,
    settings_of,
    stop,
)
from gateway.clock import SystemClock, SystemEntropy, jakarta_midnight, rfc3339
from gateway.config import Settings
from gateway.errors import LedgerFault, LedgerForked
from gateway.keyring.keys import b64u
from gateway.ledger.check.check import Report
from gateway.ledger.log.destruction import KEPT
from gateway.ledger.log.entry import KINDS
from gateway.ledger.log.note import Note, NoteFault, VerifierKey
from gateway.ledger.publication.checkpoint import Checkpoint, successor, verify, vkeys_of
from gateway.ledger.publication.export import entry_lines, first_since, head_line, stretch
from gateway.ledger.publication.keeper import Keeper
from gateway.ledger.publication.rhythm import NotYet, Publication
from gateway.store.base.engine import Database
from gateway.store.ledger.entries import LedgerOf
from gateway.store.ledger.parts import check_in_parts
from gateway.store.migrations import schema
from gateway.store.sealing.declaration import declare_new_log
from gateway.store.sealing.retention import prune as prune_entries

_new_file = click.Path(path_type=Path, dir_okay=False)
_file = click.Path(path_type=Path, exists=True, dir_okay=False)
LONG = 1_000_000  # entries from which on dividing a check is worth starting processes for
_PRUNABLE = sorted(str(kind) for kind in set(KINDS) - KEPT)
_proposer = click.option("--proposer", required=True, help="Person who proposes it.")
_approver = click.option("--approver", required=True, help="Another person, who approves it.")


@click.group()
def ledger() -> None:
    """The audit trail: check, prove, export, prune, witness."""


ledger.add_command(witness)
ledger.add_command(witness_key)


@ledger.command()
@config_option
@click.option("--since", type=_file, help="A checkpoint that somebody kept: the log must have only grown since.")
@click.option("--key", "keys", multiple=True, help="Verifier key of the log, instead of the key directory's.")
@click.option(
    "--processes", type=click.IntRange(1, 256), help="How many check; one a core on a long log when not given."
)
@json_option
def check(config: Path, since: Path | None, keys: tuple[str, ...], processes: int | None, as_json: bool) -> None:  # noqa: FBT001
    """Re-verify the whole log from its bytes; names the first entry that does not fit (exit 1)."""
    settings = settings_of(config)
    database = Database(settings.database_url, SystemClock())
    schema.require_newest(database)
    kept = settings.ledger_checkpoint_file
    try:
        marks: dict[int, bytes] = {}
        for path in [since] if since else []:
            marks |= _mark(_verified(path.read_text("utf-8"), path, _vkeys(settings, path, keys)))
        if kept.exists():
            marks |= _mark(_verified(kept.read_text("utf-8"), kept, _vkeys(settings, kept, keys)), marks)
        gc.disable()  # a sweep makes millions of small things and not one cycle: a fifth of its time
        size = LedgerOf(database).head().size
        count = processes or (os.cpu_count() or 1 if size >= LONG else 1)
        with progress("entries", size, quiet=as_json) as tell:
            report = check_in_parts(database, SystemClock(), count, tell, marks)
    except LedgerFault as fault:
        index, what, words = fault.index, fault.what, str(fault)
        say(as_json, {"sound": False, "entry": index, "fault": what}, lambda: f"NOT SOUND: {words}")
        raise SystemExit(FOUND_FAULT) from None
    finally:
        database.close()
    _say_report(report, since, as_json=as_json, compared=kept if kept.exists() else None)


def _say_report(report: Report, since: Path | None, *, as_json: bool, compared: Path | None) -> None:
    document: dict[str, Any] = {
        "sound": True,
        "entries": report.size,
        "root": b64u(report.root),
        "tiles": report.tiles,
        "bytes": report.bytes,
        "destroyed": report.destroyed,
        "destroyed_under": {str(record): count for record, count in report.under.items()},
        "checkpoint": str(compared) if compared else None,
        "since": str(since) if since else None,
    }

    def words() -> str:
        lines = [f"sound: {report.size:,} entries, {report.tiles:,} tiles, root {b64u(report.root)}"]
        lines += [f"{count:,} private parts: destroyed under record {record}" for record, count in report.under.items()]
        lines += [f"extends the checkpoint kept in {compared}"] if compared else []
        lines += [f"only appended to since {since}"] if since else []
        return "\n".join(lines)

    say(as_json, document, words)


def _verified(note: str, path: Path, keys: list[VerifierKey]) -> Checkpoint:
    try:
        return verify(note, keys).checkpoint
    except NoteFault as fault:
        raise LedgerFault(-1, f"{path}: {fault}") from fault


def _vkeys(settings: Settings, path: Path, keys: tuple[str, ...]) -> list[VerifierKey]:
    """The keys that may have signed the checkpoint in a file."""
    try:
        if keys:
            return [VerifierKey.parse(key) for key in keys]
        origin = Checkpoint.parse(Note.parse(path.read_text("utf-8")).text).origin
    except NoteFault as fault:
        raise LedgerFault(-1, f"{path}: {fault}") from fault
    return vkeys_of(load_keys(settings), origin)


def _mark(checkpoint: Checkpoint, others: dict[int, bytes] | None = None) -> dict[int, bytes]:
    known = (others or {}).get(checkpoint.size)
    if known is not None and known != checkpoint.root:
        raise LedgerFault(-1, f"two checkpoints of {checkpoint.size} entries have different roots: the log was forked")
    return {checkpoint.size: checkpoint.root}


def _open(config: Path) -> tuple[Deployment, Keeper]:
    settings = settings_of(config)
    configure_logging(settings.log_level)  # on standard error, beside what is printed
    deployment = open_deployment(settings, SystemClock(), SystemEntropy())
    return deployment, keeper_of(deployment)


@ledger.command()
@config_option
@click.argument("id")
@click.option("--output", type=_new_file, help="File instead of standard output.")
@json_option
def prove(config: Path, id: str, output: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """Print the receipt (C2SP tlog-proof) of the entry ID under the newest checkpoint."""
    deployment, keeper = _open(config)
    with closing(deployment.database):
        publication = Publication(keeper, LedgerOf(deployment.database))
        found = publication.receipt(id)
        if isinstance(found, NotYet):
            keeper.publish()
            found = publication.receipt(id)
    if found is None or isinstance(found, NotYet):
        stop(FOUND_FAULT, f"there is no entry {id}")
        return
    give(as_json, "receipt", found.text, output)


@ledger.command()
@config_option
@click.argument("file", type=_new_file)
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="First day (in Jakarta).")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Day before which it ends.")
@click.option("--private", is_flag=True, help="With the private parts, for an auditor who may see them.")
@json_option
def export(  # noqa: PLR0913  one argument for each option
    config: Path,
    file: Path,
    since: datetime | None,
    until: datetime | None,
    private: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Write entries with their proof to FILE as NDJSON; checker/check_ledger.py verifies it with nothing else."""
    deployment, keeper = _open(config)
    with closing(deployment.database):
        keeper.publish()
        note = keeper.public()
        assert note is not None  # noqa: S101  for the type checker: it was just published
        size = Checkpoint.parse(Note.parse(note).text).size
        with LedgerOf(deployment.database).stretch() as (moment, pages):
            first = first_since(size, moment.leaf, _midnight(since)) if since else 0
            end = max(first, first_since(size, moment.leaf, _midnight(until)) if until else size)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as out, progress("entries", end - first, quiet=as_json) as tell:
                out.write(head_line(note, keeper.vkeys(), moment.tree(size), first, end))
                for rows in stretch(pages(first), first, end) if end > first else ():
                    out.write(entry_lines(rows, private=private))
                    tell(rows[-1][0] + 1 - first)
    say(
        as_json,
        {"file": str(file), "first": first, "count": end - first, "size": size},
        lambda: f"{end - first:,} entries from {first} on, of the {size:,} of the checkpoint, are in {file}",
    )


def _midnight(day: datetime) -> str:
    return rfc3339(jakarta_midnight(day.date()))


@ledger.command()
@config_option
@click.option("--kind", "kinds", multiple=True, required=True, type=click.Choice(_PRUNABLE), help="Kind of entries.")
@click.option(
    "--before", required=True, type=click.DateTime(["%Y-%m-%d"]), help="Day (in Jakarta) before which they were sealed."
)
@_proposer
@_approver
@json_option
def prune(  # noqa: PLR0913  one argument for each option
    config: Path,
    kinds: tuple[str, ...],
    before: datetime,
    proposer: str,
    approver: str,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Destroy the private parts of old entries, under a record of it; leaves and proofs stay."""
    persons = _two(proposer, approver)
    deployment, _ = _open(config)
    with closing(deployment.database):
        guard(deployment)
        if jakarta_midnight(before.date()) > deployment.clock.now():
            raise click.BadParameter("lies in the future", param_hint="--before")
        done = prune_entries(deployment.database, kinds, _midnight(before), persons, deployment.entropy)
    say(
        as_json,
        {"record": done.record if done else None, "destroyed": done.count if done else 0},
        lambda: (
            f"{done.count:,} private parts destroyed under record {done.record}"
            if done
            else "there was nothing to destroy"
        ),
    )


@ledger.command("declare-new-log")
@config_option
@_proposer
@_approver
@click.option("--reason", required=True, help="Why the old log cannot be continued; goes into the ledger.")
@json_option
def declare(config: Path, proposer: str, approver: str, reason: str, as_json: bool) -> None:  # noqa: FBT001
    """Begin a new log where the database does not extend the kept checkpoint; its origin names the old head."""
    persons = _two(proposer, approver)
    deployment, keeper = _open(config)
    with closing(deployment.database):
        try:
            keeper.examine()
        except LedgerForked as fork:
            click.echo(f"refused so far: {fork}", err=True)
        else:
            stop(COULD_NOT_RUN, "the database extends the kept checkpoint: there is no need for a new log")
        deployment.database.guard(lambda _: None)  # two persons answer for what the keeper refuses
        old = keeper.last()
        if old is None:
            stop(COULD_NOT_RUN, f"{keeper.path} holds no checkpoint")
            return
        with LedgerOf(deployment.database).moment() as moment:
            declared = moment.origin
        origin = successor(keeper.base, old)
        if declared and declared not in {old.origin, origin}:
            origin = declared  # another node has declared it already
        else:
            declare_new_log(deployment.database, old, origin, persons, reason, deployment.entropy)
        new = keeper.begin_anew(origin).checkpoint
    say(
        as_json,
        {"origin": new.origin, "size": new.size, "old": {"origin": old.origin, "size": old.size}},
        lambda: (
            f"the log is now {new.origin}, of {new.size:,} entries; its verifier keys are new as well: tell who keeps them"
        ),
    )


def _two(proposer: str, approver: str) -> tuple[str, str]:
    one, other = (" ".join(name.split()) for name in (proposer, approver))
    if not one or not other or one.casefold() == other.casefold():
        raise click.UsageError("--proposer and --approver must be two persons")
    return one, other
