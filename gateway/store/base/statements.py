"""How is one statement written for both drivers? Rows by many keys in one read, and many rows in one write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection, Table
from sqlalchemy.dialects import postgresql


class Lookup:
    """One read, written once: the rows of a table whose key is among given values, in one statement.

    It goes through the driver's own cursor: SQLAlchemy's part of a read costs more than the read (docs/decisions).
    """

    def __init__(self, dialect: str, select: str, key: Column[Any], further: str = "") -> None:
        """`select` is SQL up to WHERE; `further` a condition with one more parameter, `{}` standing for it."""
        self._select = f"{select} WHERE {key.table.name}.{key.name}"
        self._further = f" AND {further.format('%s' if dialect == 'postgresql' else '?')}" if further else ""
        array = _ARRAYS[str(key.type.compile(_POSTGRESQL()))] if dialect == "postgresql" else ""
        self._one = f"{self._select} = ANY(%s::{array}){self._further}" if array else ""

    def rows(self, connection: Connection, keys: Sequence[Any], *more: object) -> list[tuple[Any, ...]]:
        """The rows found; raises the driver's faults, which `reading` and `sealing` understand."""
        if not keys:
            return []
        cursor = connection.connection.cursor()
        if self._one:
            cursor.execute(self._one, (list(keys), *more))
        else:
            # As many marks as the next power of two, so that few statements are enough and each is prepared once.
            count = 1 << (len(keys) - 1).bit_length()
            marks = ",".join("?" * count)
            padded = (*keys, *([keys[-1]] * (count - len(keys))), *more)
            cursor.execute(f"{self._select} IN ({marks}){self._further}", padded)
        return list(cursor.fetchall())


_ARRAYS = {
    "TEXT": "text[]",
    "BIGINT": "bigint[]",
    "BYTEA": "bytea[]",
    "SMALLINT": "smallint[]",
    "INTEGER": "integer[]",
    "BOOLEAN": "boolean[]",
}


_POSTGRESQL: Any = postgresql.dialect  # SQLAlchemy leaves its dialects untyped


_statements: dict[tuple[str, str, tuple[str, ...]], str] = {}


def put_many(
    connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]], replace: tuple[str, ...] = ()
) -> None:
    """Insert `rows` (all columns, in the table's order); on a conflict of the primary key set the columns `replace`.

    One statement for all rows: SQLite's executemany, PostgreSQL's unnest of one array a column.
    """
    if not rows:
        return
    dialect = connection.dialect.name
    key = (dialect, table.name, replace)
    statement = _statements.get(key)
    if statement is None:
        statement = _statements[key] = _put_statement(connection, table, replace)
    cursor = connection.connection.cursor()
    if dialect == "postgresql":
        cursor.execute(statement, tuple(list(column) for column in zip(*rows, strict=True)))
    elif len(rows) == 1:
        cursor.execute(statement, rows[0])
    else:
        cursor.executemany(statement, rows)


def _put_statement(connection: Connection, table: Table, replace: tuple[str, ...]) -> str:
    names = ", ".join(column.name for column in table.columns)
    if connection.dialect.name == "postgresql":
        arrays = ", ".join(f"%s::{_ARRAYS[column.type.compile(connection.dialect)]}" for column in table.columns)
        statement = f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({arrays})"  # noqa: S608  names of our own tables
    else:
        marks = ", ".join("?" for _ in table.columns)
        statement = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608
    if replace:
        key = ", ".join(column.name for column in table.primary_key.columns)
        changes = ", ".join(f"{name} = excluded.{name}" for name in replace)
        statement += f" ON CONFLICT ({key}) DO UPDATE SET {changes}"
    return statement
