"""How is the database brought up to date? `nik-gateway db …`."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from gateway.cli.output import config_option, json_option, say, settings_of
from gateway.clock import SystemClock
from gateway.store.base.engine import Database
from gateway.store.migrations import schema


@click.group()
def db() -> None:
    """The database: upgrade, version."""


@db.command()
@config_option
@json_option
def upgrade(config: Path, as_json: bool) -> None:  # noqa: FBT001
    """Bring the database to the schema of this program; nothing happens when it is there already."""
    database = Database(settings_of(config).database_url, SystemClock())
    before = schema.version(database)
    schema.upgrade(database)
    after = schema.version(database)
    database.close()
    say(as_json, {"before": before, "after": after}, lambda: f"schema {before or 'none'} → {after}")


@db.command()
@config_option
@json_option
def version(config: Path, as_json: bool) -> None:  # noqa: FBT001
    """Which schema the database has and which this program needs."""
    database = Database(settings_of(config).database_url, SystemClock())
    found, wanted = schema.version(database), schema.newest()
    database.close()
    say(as_json, {"found": found, "needed": wanted}, lambda: f"found {found or 'none'}, needed {wanted}")
