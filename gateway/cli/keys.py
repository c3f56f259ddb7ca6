"""How are keys made, listed, changed and put aside? `nik-gateway keys …`; private parts are never shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import rich_click as click

from gateway.app import slot_of
from gateway.cli.output import COULD_NOT_RUN, FOUND_FAULT, config_option, json_option, say, settings_of, stop, table
from gateway.clock import DAY, HOUR, SECOND, SystemClock, SystemEntropy, parse_rfc3339, rfc3339_seconds
from gateway.keyring import Job
from gateway.keyring import file as key_files
from gateway.keyring.example import THUMBPRINTS
from gateway.keyring.provisioning import activate as hsm_activate
from gateway.keyring.provisioning import missing
from gateway.keyring.provisioning import provision as hsm_provision
from gateway.keyring.session import JOBS, Slot, TokenSession
from gateway.store.administration.key_use import count_uses
from gateway.store.base.engine import Database

LASTING = {
    Job.SUBJECT: "partners would lose the pseudonyms that they know residents by",
    Job.LEDGER_TAG: "auditors find a resident's entries by it",
}
"""Keys that are not changed on schedule, and what would be lost."""

_KEPT = frozenset({Job.INDEX, Job.CLAIMS, Job.IDEMPOTENCY})
"""Jobs whose keys the database needs for as long as rows were made with them."""

LIVES = {Job.TOKEN: 300 * SECOND, Job.NONCE: 300 * SECOND, Job.ANSWER: HOUR, Job.ATTEMPT: DAY}
"""How long something that was made with a key may still be shown or counted after a newer version came into use."""

_directory = click.option(
    "--keys", "directory", type=click.Path(path_type=Path, file_okay=False), default=Path("keys"), show_default=True,
    help="Directory of the private keys.",
)  # fmt: skip
_job = click.option("--job", required=True, type=click.Choice([str(job) for job in Job]), help="What the key is for.")
_force = click.option("--force", is_flag=True, help="Do it although something that needs the key is lost.")


@click.group()
def keys() -> None:
    """One key for every job: make, list, rotate, retire."""


@keys.command()
@_directory
@click.option(
    "--job",
    type=click.Choice([str(job) for job in Job]),
    help="Only for this job; without, for every job that has none.",
)
@json_option
def new(directory: Path, job: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Make keys that are missing; with --job a new version, as `rotate` does."""
    held = _held(directory)
    jobs = [Job(job)] if job else [each for each in Job if not any(jwk["job"] == each for jwk in held)]
    made = [str(_make(directory, each, staged=False)) for each in jobs]
    say(as_json, {"made": made}, lambda: "\n".join(made) if made else f"Every job has its key in {directory}.")


@keys.command()
@_directory
@_job
@click.option("--staged", is_flag=True, help="Let every node know it first; `activate` lets it be used.")
@_force
@json_option
def rotate(directory: Path, job: str, staged: bool, force: bool, as_json: bool) -> None:  # noqa: FBT001
    """Make a new version, used from the next start on; the older ones go on finding, opening and verifying."""
    which = Job(job)
    if which in LASTING and not force:
        stop(FOUND_FAULT, f"nik-gateway: '{job}' is not rotated: {LASTING[which]}. Insist with --force")
    if not any(jwk["job"] == which for jwk in _held(directory)):
        stop(FOUND_FAULT, f"nik-gateway: there is no key for '{job}' in {directory}. See: nik-gateway keys new")
    made = _make(directory, which, staged=staged)
    then = f"activate it with: nik-gateway keys activate --job {job}" if staged else "it is used then"
    say(
        as_json,
        {"made": str(made), "staged": staged},
        lambda: f"{made}\nCopy it to every node and restart each; {then}.",
    )


@keys.command()
@config_option
@click.option(
    "--job", type=click.Choice(sorted(map(str, JOBS))), help="A new version for this job; without, what is missing."
)
@click.option("--staged", is_flag=True, help="Let every node know it first; `activate --config` lets it be used.")
@json_option
def provision(config: Path, job: str | None, staged: bool, as_json: bool) -> None:  # noqa: FBT001
    """Make keys inside the HSM of the settings (`pkcs11.…`); what may lie in files is made by `new`."""
    settings = settings_of(config)
    slot = slot_of(settings)
    if slot is None:
        stop(COULD_NOT_RUN, "nik-gateway: the settings name no HSM (pkcs11.module, pkcs11.token, pkcs11.pin_file)")
        return
    jobs = [Job(job)] if job else missing(slot)
    made = hsm_provision(slot, settings.keys, jobs, SystemEntropy(), staged=staged)
    say(
        as_json,
        {"made": made},
        lambda: "\n".join(made) + "\nUsed from the next start on." if made else "Every job has its key in the token.",
    )


@keys.command()
@_directory
@_job
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Settings: whose HSM holds the key.")
@json_option
def activate(directory: Path, job: str, config: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """Use the staged version from the next start on."""
    slot = slot_of(settings_of(config)) if config else None
    if slot is not None and Job(job) in JOBS:
        labels = hsm_activate(slot, Job(job))
        if not labels:
            stop(FOUND_FAULT, f"nik-gateway: no key for '{job}' is staged in token '{slot.label}'")
        say(as_json, {"activated": labels}, lambda: "\n".join(labels) + "\nUsed from the next start on.")
        return
    staged = [jwk for jwk in _held(directory) if jwk["job"] == job and jwk.get("staged")]
    if not staged:
        stop(FOUND_FAULT, f"nik-gateway: no key for '{job}' is staged in {directory}")
    paths = [directory / f"{job}-{jwk['version']}.jwk" for jwk in staged]
    for path in paths:
        key_files.note_use(path, SystemClock().now())
    say(
        as_json,
        {"activated": [str(path) for path in paths]},
        lambda: "\n".join(map(str, paths)) + "\nUsed from the next start on.",
    )


@keys.command()
@_directory
@_job
@click.option("--version", "version", required=True, type=int, help="Which version.")
@click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="Settings: whose database must not need it."
)
@_force
@json_option
def retire(directory: Path, job: str, version: int, config: Path | None, force: bool, as_json: bool) -> None:  # noqa: FBT001, PLR0913
    """Put an old version aside (into `retired/`), once nothing needs it; what is left of it is yours to destroy."""
    which = Job(job)
    held = [jwk for jwk in _held(directory) if jwk["job"] == which]
    used = max((int(jwk["version"]) for jwk in held if not jwk.get("staged")), default=0)
    old = next((jwk for jwk in held if jwk["version"] == version), None)
    if old is None:
        stop(FOUND_FAULT, f"nik-gateway: there is no version {version} for '{job}'. See: nik-gateway keys list")
        return
    if version == used:
        stop(FOUND_FAULT, f"nik-gateway: version {version} for '{job}' is the one that is used. Rotate it first")
    if which in LASTING and not force:
        stop(FOUND_FAULT, f"nik-gateway: '{job}' is not retired: {LASTING[which]}. Insist with --force")
    if which in LIVES and not force and not old.get("staged"):
        _require_outlived(which, next(jwk for jwk in held if jwk["version"] == used))
    if which in _KEPT:
        _require_unused(which, version, config)
    aside = key_files.retire(directory / f"{job}-{version}.jwk")
    say(as_json, {"retired": str(aside)}, lambda: f"{aside}\nNot known any more from the next start on.")


def _require_outlived(job: Job, newer: dict[str, Any]) -> None:
    """Leave with 1 while something that was made before the `newer` key came into use may still live."""
    since = newer.get("since")
    if since is None:
        stop(
            FOUND_FAULT,
            f"nik-gateway: since when '{job}' version {newer['version']} is used is not known. Insist with --force",
        )
        return
    until = parse_rfc3339(since) + LIVES[job]
    if until > SystemClock().now():
        stop(
            FOUND_FAULT,
            f"nik-gateway: what was made with it may still live: version {newer['version']} for '{job}' is used since {since}. "
            f"Retire it after {rfc3339_seconds(until)}, or insist with --force",
        )


def _require_unused(job: Job, version: int, config: Path | None) -> None:
    """Leave with 1 while rows of the database need this key."""
    if config is None:
        stop(COULD_NOT_RUN, f"nik-gateway: rows may need '{job}' version {version}: name the settings with --config")
        return
    database = Database(settings_of(config).database_url, SystemClock())
    try:
        count = count_uses(database, job, version)
    finally:
        database.close()
    if count:
        stop(FOUND_FAULT, f"nik-gateway: {count:,} rows need '{job}' version {version}; nothing was done")


@keys.command("list")
@_directory
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Settings: whose HSM is listed as well, whose database counts.",
)
@json_option
def list_keys(directory: Path, config: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """Which keys there are: job, version, kid, thumbprint (RFC 7638); with --config how many rows need each version."""
    rows: list[dict[str, Any]] = [
        {
            "job": jwk["job"],
            "version": jwk["version"],
            "kid": jwk.get("kid", ""),
            "thumbprint": key_files.thumbprint(jwk),
            "staged": bool(jwk.get("staged")),
            "example": key_files.thumbprint(jwk) in THUMBPRINTS,
        }
        for jwk in _held(directory)
    ]
    if config is not None:
        settings = settings_of(config)
        rows += _inside(slot_of(settings))
        _count(rows, settings.database_url)
    if not rows:
        stop(1, f"nik-gateway: no keys in {directory}. Make them with: nik-gateway keys new")
    say(
        as_json,
        {"keys": rows},
        lambda: table(
            ("job", "version", "kid", "thumbprint", "use", "rows that need it"),
            [
                (
                    *(row[name] for name in ("job", "version", "kid", "thumbprint")),
                    "EXAMPLE" if row["example"] else "staged" if row["staged"] else _use(row, rows),
                    f"{row['rows']:,}" if "rows" in row else "",
                )
                for row in rows
            ],
            empty="",
        ),
    )


def _use(row: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Whether new things are made with a version, or only old ones read."""
    newest = max(each["version"] for each in rows if each["job"] == row["job"] and not each["staged"])
    return "used" if row["version"] == newest else "older"


def _inside(slot: Slot | None) -> list[dict[str, Any]]:
    """The keys that lie in an HSM."""
    if slot is None:
        return []
    opened = TokenSession(slot)
    try:
        held = sorted((job, version, staged) for job, version, staged, _ in opened.labelled())
    finally:
        opened.close()
    return [
        {"job": str(job), "version": version, "kid": f"{slot.label}/{job}-{version}", "thumbprint": "", "staged": staged,
         "example": False}
        for job, version, staged in held
    ]  # fmt: skip


def _count(rows: list[dict[str, Any]], database_url: str) -> None:
    """How many rows of the database need each key, where it keeps what was made with it."""
    database = Database(database_url, SystemClock())
    try:
        for row in rows:
            if row["job"] in _KEPT:
                row["rows"] = count_uses(database, Job(row["job"]), row["version"])
    finally:
        database.close()


def _make(directory: Path, job: Job, *, staged: bool) -> Path:
    version = max((int(jwk["version"]) for jwk in _held(directory) if jwk["job"] == job), default=0) + 1
    retired = [int(path.stem.rpartition("-")[2]) for path in (directory / "retired").glob(f"{job}-*.jwk")]
    jwk = key_files.new(job, max([version, *(each + 1 for each in retired)]), SystemEntropy())
    return key_files.write(
        directory, {**jwk, "staged": True} if staged else jwk | {"since": rfc3339_seconds(SystemClock().now())}
    )


def _held(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(directory.glob("*.jwk"))] if directory.is_dir() else []
