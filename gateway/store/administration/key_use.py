"""What in the database still needs a key? Asked before one is put aside."""

from __future__ import annotations

from sqlalchemy import exists, func, select

from gateway.keyring import Job
from gateway.store.audit.tables import access_requests
from gateway.store.base.engine import Database
from gateway.store.register.tables import records, register_index
from gateway.store.sealing.tables import repeats


def count_uses(database: Database, job: Job, version: int) -> int:
    """How many rows only this version of a job's key finds or opens; 0 for jobs whose keys leave nothing there.

    Sealed bytes begin with the version of their key; a record that was written again stands under two indexes.
    """
    first = bytes((version,))
    other = register_index.alias()
    found_anew = exists().where(other.c.record == register_index.c.record, other.c.key_version != version)
    queries = {
        Job.INDEX: select(func.count())
        .select_from(register_index)
        .where(register_index.c.key_version == version, ~found_anew),
        Job.CLAIMS: select(
            select(func.count())
            .select_from(records)
            .where(func.substr(records.c.sealed, 1, 1) == first)
            .scalar_subquery()
            + select(func.count())
            .select_from(access_requests)
            .where(func.substr(access_requests.c.nik, 1, 1) == first)
            .scalar_subquery()
        ),
        Job.IDEMPOTENCY: select(func.count()).select_from(repeats).where(func.substr(repeats.c.answer, 1, 1) == first),
    }
    if job not in queries:
        return 0
    with database.reading() as connection:
        return int(connection.execute(queries[job]).scalar_one())
