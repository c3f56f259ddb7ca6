"""Are the servers that the tests lean on what they claim to be?"""

from __future__ import annotations

import sqlite3

import psycopg
import servers
import valkey


def _ask(url: str, statement: str) -> object:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return row and row[0]


def test_each_database_is_fresh(database_url: str) -> None:
    """Both engines hand out a database with no table in it."""
    if database_url.startswith("sqlite:///"):
        with sqlite3.connect(database_url.removeprefix("sqlite:///")) as connection:
            assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        connection.close()
        return
    assert _ask(database_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0


def test_the_fast_cluster_commits_synchronously(postgresql_url: str) -> None:
    """Only the disk flush is left out: what the gateway reads of the commit settings stays true."""
    assert _ask(postgresql_url, "SHOW synchronous_commit") == "on"
    assert _ask(postgresql_url, "SHOW fsync") == "off"


def test_the_durable_cluster_flushes(durable_postgresql_url: str) -> None:
    """What is proven by killing is proven with fsync on."""
    assert _ask(durable_postgresql_url, "SHOW fsync") == "on"


def test_a_killed_postgresql_keeps_what_it_acknowledged(own_postgresql: servers.Postgresql) -> None:
    """A commit that was acknowledged is there after SIGKILL and a new start on the same address."""
    with psycopg.connect(own_postgresql.url.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    address = own_postgresql.url
    own_postgresql.kill()
    own_postgresql.start()
    assert own_postgresql.url == address
    assert _ask(address, "SELECT one FROM kept") == 1


def test_valkey_is_empty_and_real(valkey_url: str) -> None:
    """A worker's Valkey database starts empty and runs Lua."""
    with valkey.Valkey.from_url(valkey_url) as client:
        assert client.dbsize() == 0
        assert client.eval("return redis.call('INCRBY', KEYS[1], 2)", 1, "n") == 2
