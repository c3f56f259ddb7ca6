"""Does the database have the tables that this program expects? Alembic brings an older one up; an unknown one is refused."""

from __future__ import annotations

import re
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from gateway.errors import DatabaseAway, Misconfigured
from gateway.store.base.engine import Database

# What waiting would not mend; PostgreSQL gives no code for a connection that it refuses.
_LASTING = re.compile(
    r"authentication failed|does not exist|no pg_hba\.conf entry|no password supplied|is not permitted"
)
_MIGRATIONS = Path(__file__).parent


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def newest() -> str:
    """The schema version of this program."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def version(database: Database) -> str:
    """The schema version of a database; empty when it has none.

    Raises DatabaseAway when it cannot be reached now, Misconfigured when it never will be.
    """
    try:
        with database.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return ""
            return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")
    except DBAPIError as fault:
        reason = str(fault.orig).splitlines()[0] if str(fault.orig) else type(fault.orig).__name__
        lasting = database.dialect == "sqlite" or _LASTING.search(str(fault.orig)) is not None
        raise (Misconfigured if lasting else DatabaseAway)(
            [f"database.url: cannot be reached ({reason}). Is the server running, and the address right?"]
        ) from fault


def upgrade(database: Database) -> None:
    """Bring the database to the newest version, in one transaction. Raises Misconfigured on a version unknown here."""
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    found = version(database)
    if found and found not in known:
        raise Misconfigured([_unknown(found)])
    config = _config()
    with database.engine.connect() as connection:
        if database.dialect == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def require_newest(database: Database) -> None:
    """Raises Misconfigured unless the database has the schema of this program."""
    found, wanted = version(database), newest()
    if found == wanted:
        return
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found and found not in known:
        raise Misconfigured([_unknown(found)])
    raise Misconfigured(
        [f"database: schema version {found or 'none'}, {wanted} is needed. Run: nik-gateway db upgrade"]
    )


def _unknown(found: str) -> str:
    return (
        f"database: schema version {found} is unknown to this program ({newest()} is its newest). "
        "A newer gateway has used this database: run that one, or restore a backup from before."
    )


def undurable(database: Database) -> list[str]:
    """What of a PostgreSQL server would lose an acknowledged seal; empty when nothing would."""
    if database.dialect != "postgresql":
        return []
    with database.reading() as connection:
        shown = {
            name: str(connection.execute(text(f"SHOW {name}")).scalar()) for name in ("fsync", "synchronous_commit")
        }
    return [
        f"database: {name} is {shown[name]}: an acknowledged seal could be lost. Set it to on"
        for name, bad in (("fsync", {"off"}), ("synchronous_commit", {"off", "local"}))
        if shown[name] in bad
    ]
