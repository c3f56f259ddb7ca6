"""Does what the log is searched by say what the log says? `nik-gateway audit …`: check the copy, or make it again."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from gateway.cli.output import FOUND_FAULT, config_option, json_option, say, settings_of
from gateway.clock import SystemClock
from gateway.store.base.engine import Database
from gateway.store.migrations import schema
from gateway.store.search.copy import Follower


@click.group()
def audit() -> None:
    """The copy that auditors' searches read: check, reindex. Proofs never depend on it."""


@audit.command()
@config_option
@json_option
def check(config: Path, as_json: bool) -> None:  # noqa: FBT001
    """Compare the copy with the log, entry by entry; exit 1 and the first that differs."""
    database = Database(settings_of(config).database_url, SystemClock())
    schema.require_newest(database)
    differs = Follower(database).compare()
    database.close()
    told = (
        "the copy says what the log says"
        if differs is None
        else f"entry {differs} differs. Run: nik-gateway audit reindex"
    )
    say(as_json, {"differs": differs}, lambda: told)
    if differs is not None:
        raise SystemExit(FOUND_FAULT)


@audit.command()
@config_option
@json_option
def reindex(config: Path, as_json: bool) -> None:  # noqa: FBT001
    """Make the copy again from the log, while the gateway runs or not."""
    database = Database(settings_of(config).database_url, SystemClock())
    schema.require_newest(database)
    count = Follower(database).rebuild()
    database.close()
    say(as_json, {"entries": count}, lambda: f"{count:,} entries copied")
