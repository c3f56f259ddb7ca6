"""Which regencies is a client the office of?"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, delete, select

from gateway.errors import Cause, Refused
from gateway.store.base.statements import put_many
from gateway.store.partners.tables import feed_offices


def require_own(connection: Connection, client_id: str, regency: str) -> None:
    """Raises Refused(NOT_OWN_REGION) unless this is the client of an office of the regency."""
    where = (feed_offices.c.client_id == client_id, feed_offices.c.regency == regency)
    if connection.execute(select(feed_offices.c.regency).where(*where)).first() is None:
        raise Refused(Cause.NOT_OWN_REGION)


def own_regencies(connection: Connection, client_id: str) -> set[str]:
    """The regencies whose office this client is of."""
    return set(
        connection.execute(select(feed_offices.c.regency).where(feed_offices.c.client_id == client_id)).scalars()
    )


def put_offices(connection: Connection, client_id: str, regencies: Iterable[str]) -> None:
    """Bind a client to its regencies; nothing else is left to it."""
    connection.execute(delete(feed_offices).where(feed_offices.c.client_id == client_id))
    put_many(connection, feed_offices, [(client_id, regency) for regency in sorted(set(regencies))])


def fed_regencies(connection: Connection) -> set[str]:
    """The regencies that have an office of their own."""
    return set(connection.execute(select(feed_offices.c.regency)).scalars())
