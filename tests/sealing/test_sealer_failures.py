"""What a seal does when it cannot be made: one offender, a lost connection, a commit of which nobody knows."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from admitting import any_log
from msgspec.structs import replace
from sqlalchemy import Connection, text, update
from submissions import AMPLE, ENTROPY, ISSUER, Deployment, body, cause, draft, proof, refusal, repeat, submit

from gateway.clock import SystemClock
from gateway.errors import CommitUnknown, LedgerFault, Refusal, StoreUnavailable
from gateway.keyring import Job, Keyring
from gateway.keyring import file as key_files
from gateway.sealing.sealer import Sealer
from gateway.sealing.submission import Failed, SealTransaction, Submission
from gateway.store.base.engine import Database
from gateway.store.ledger.tables import ledger_head
from gateway.store.migrations import schema
from gateway.store.sealing.seals import SealsOf
from gateway.web.http.problems import Problems

PATIENCE = 8  # seconds, of which the server needs 2.5


def poisons() -> dict[str, Submission]:
    return {
        "a lone surrogate in the leaf": submit(draft(purpose="\ud800")),
        "a lone surrogate in an account": submit(draft(charges=(("\udfff", AMPLE),))),
        "a time beyond all integers": submit(proofs=((ENTROPY.bytes(16), 1 << 70, "dpop"),)),
        "an id that is none": submit(draft(id="not-a-uuid")),
        "what is no JSON": submit(draft({"usable": object()})),
    }


@pytest.mark.parametrize("poison", sorted(poisons()))
def test_a_poisoned_call_harms_no_stranger(deployment: Deployment, poison: str) -> None:
    """It alone has failed; all others of its transaction are sealed, in order, and nothing of it is."""
    others = [submit(repeat=repeat("k")), submit(refusal()), submit(draft(), draft())]
    outcomes = deployment.seal(others[0], poisons()[poison], *others[1:])
    assert [isinstance(outcome, Failed) for outcome in outcomes] == [False, True, False, False]
    assert [cause(outcomes[at]) for at in (0, 2, 3)] == ["", "claim-not-agreed", ""]
    assert deployment.kinds() == ["answer", "refusal", "answer", "answer"]
    assert deployment.account().day_spent == 3
    deployment.check()


def test_an_entry_that_is_there_already_fails_alone(deployment: Deployment) -> None:
    """Two entries of one id: the second is the offender."""
    first = draft()
    outcomes = deployment.seal(submit(first), submit(), submit(replace(first, nonce=ENTROPY.bytes(32))))
    assert [isinstance(outcome, Failed) for outcome in outcomes] == [False, False, True]
    assert deployment.check().size == 2


@pytest.fixture
def keyring() -> Keyring:
    """One key for each job."""
    return Keyring([key_files.parse(key_files.new(job, 1, ENTROPY)) for job in Job])


@pytest.fixture
def served(postgresql_url: str, keyring: Keyring) -> Iterator[Deployment]:
    """A sealer over PostgreSQL."""
    database = Database(postgresql_url, SystemClock(), any_log)
    schema.upgrade(database)
    yield Deployment(database, keyring)
    database.close()


def test_a_nul_in_a_text_fails_alone(served: Deployment) -> None:
    """PostgreSQL takes none: the caller whose it is has failed, the rest is sealed."""
    outcomes = served.seal(submit(), submit(draft(charges=(("pks\0bank", AMPLE),))), submit())
    assert [isinstance(outcome, Failed) for outcome in outcomes] == [False, True, False]
    assert served.check().size == 2


def terminate(deployment: Deployment) -> int:
    """End every other connection to the database, as an administrator does; how many there were."""
    with deployment.database.engine.connect() as connection:
        ended = connection.execute(
            text(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()",
            ),
        ).scalar_one()
        connection.invalidate()
    return int(ended)


def test_a_connection_lost_while_deciding_changes_nothing(served: Deployment) -> None:
    """The database says so, nothing is sealed, and the next seal goes through on a new connection."""
    write = Problems(ISSUER)

    def cut(refusal: Refusal, language: str, id: str) -> tuple[int, dict[str, Any]]:
        assert terminate(served)
        return write(refusal, language, id)

    sealer = Sealer(SealsOf(served.database), served.keyring, ENTROPY, cut)
    with pytest.raises(StoreUnavailable) as raised:
        sealer.seal([submit(), submit(refusal())])
    assert not isinstance(raised.value, CommitUnknown)
    assert served.check().size == 0
    assert cause(served.one()) == ""


class Cut(SealsOf):
    """Loses its connection when all is written and nothing committed."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment.database)
        self.deployment = deployment
        self.cuts = 1

    @contextmanager
    def transaction(self) -> Iterator[SealTransaction]:
        with super().transaction() as transaction:
            yield transaction
            if self.cuts:
                self.cuts -= 1
                assert terminate(self.deployment)


def test_a_connection_lost_before_the_commit_is_not_called_sealed(served: Deployment) -> None:
    """CommitUnknown, for COMMIT was answered by nobody; nothing is in the ledger, and the very same call may come again."""
    sealer = Sealer(Cut(served), served.keyring, ENTROPY, Problems(ISSUER))
    asked = submit()
    with pytest.raises(StoreUnavailable):
        sealer.seal([asked])
    assert (served.check().size, served.account().day_spent) == (0, 0)
    (again,) = sealer.seal([asked])
    assert cause(again) == ""
    assert served.check().size == 1


class Wire:
    """A TCP line to PostgreSQL that is cut at COMMIT: `before` it arrives, or `after` it was answered to nobody."""

    def __init__(self, url: str) -> None:
        self._target = ("127.0.0.1", int(url.rpartition("/")[0].rpartition(":")[2]))
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = url.replace(f":{self._target[1]}/", f":{port}/")
        self.cut = ""
        self.dead = False
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self.dead:
                    near.close()
                    continue
                far = socket.create_connection(self._target)
                self._ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(one, other, one is near), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket, outward: bool) -> None:  # noqa: FBT001  a direction
        with suppress(OSError):
            while data := one.recv(65536):
                if outward and self.cut and b"COMMIT" in data:
                    how, self.cut = self.cut, ""
                    self.dead = how == "after and for good"
                    one.shutdown(socket.SHUT_RDWR)
                    if how != "before":
                        other.sendall(data)  # its answer comes to a line that is gone
                        return
                    break
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for end in (self._listener, *self._ends):
            end.close()


@pytest.fixture
def wired(postgresql_url: str, keyring: Keyring) -> Iterator[tuple[Deployment, Wire]]:
    """A sealer that reaches PostgreSQL by a line that can be cut."""
    wire = Wire(postgresql_url)
    database = Database(wire.url, SystemClock(), any_log)
    schema.upgrade(database)
    deployment = Deployment(database, keyring)
    assert cause(deployment.one()) == ""
    yield deployment, wire
    database.close()
    wire.close()


def test_a_commit_whose_answer_was_lost_is_looked_up(wired: tuple[Deployment, Wire]) -> None:
    """It is in the ledger: the answer leaves as if nothing had been, billed once."""
    deployment, wire = wired
    wire.cut = "after"
    used = proof()
    answered = deployment.one(proofs=(used,))
    assert body(answered)["billed"] is True
    assert (deployment.check().size, deployment.account().day_spent) == (2, 2)
    assert cause(deployment.one(proofs=(used,))) == "invalid-dpop-proof"


def test_a_commit_that_never_arrived_is_known_not_to_be_there(wired: tuple[Deployment, Wire]) -> None:
    """It was looked up under the lock, so it never will be: nothing may leave and nothing is billed; the next is sealed."""
    deployment, wire = wired
    wire.cut = "before"
    with pytest.raises(StoreUnavailable) as raised:
        deployment.one()
    assert not isinstance(raised.value, CommitUnknown)
    assert deployment.check().size == 1
    assert cause(deployment.one()) == ""


def test_a_commit_that_cannot_be_looked_up_stays_unknown(wired: tuple[Deployment, Wire]) -> None:
    """The database is gone with the answer: nobody may say whether it was billed; it was, and later calls see that."""
    deployment, wire = wired
    wire.cut = "after and for good"
    with pytest.raises(CommitUnknown):
        deployment.one()
    wire.dead = False
    assert (deployment.check().size, deployment.account().day_spent) == (2, 2)


def test_a_warning_at_commit_is_no_success(served: Deployment) -> None:
    """What PostgreSQL warns of at COMMIT (a standby that did not confirm) is not durable enough to leave the house."""
    with served.database.sealing() as (connection, _):
        connection.execute(
            text(
                "CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE WARNING 'canceling wait for synchronous replication'; RETURN NULL; END $$",
            ),
        )
        connection.execute(
            text(
                "CREATE CONSTRAINT TRIGGER warn AFTER INSERT ON ledger_entries DEFERRABLE INITIALLY DEFERRED "
                "FOR EACH ROW EXECUTE FUNCTION warn()",
            ),
        )
    with pytest.raises(CommitUnknown) as raised:
        served.one()
    assert raised.value.local
    assert "synchronous replication" in str(raised.value)


def test_a_broken_head_seals_nothing(deployment: Deployment) -> None:
    """A ledger whose head does not fit is a fault of the house, no caller's: nobody gets an answer."""
    deployment.one()
    with deployment.database.sealing() as (connection, _):
        connection.execute(update(ledger_head).values(size=3))
    with pytest.raises(LedgerFault):
        deployment.seal(submit(), submit())
    assert len(deployment.leaves()) == 1


def test_a_database_that_cannot_be_reached_is_unavailable(keyring: Keyring, tmp_path: Any) -> None:
    """Of either kind, whatever is asked of it."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for url in (f"postgresql+psycopg://nobody@127.0.0.1:{port}/none", f"sqlite:///{tmp_path}/no/such/folder/x.db"):
        database = Database(url, SystemClock(), any_log)
        deployment = Deployment(database, keyring)
        with pytest.raises(StoreUnavailable) as raised:
            deployment.one()
        assert not isinstance(raised.value, CommitUnknown)
        with pytest.raises(StoreUnavailable), database.reading():
            pass
        database.close()


def test_a_lock_that_is_not_given_back_holds_nobody_for_ever(served: Deployment) -> None:
    """The server gives up a transaction of a node that is gone; who waits for the lock until then is told so in time."""
    names = ("lock_timeout", "idle_in_transaction_session_timeout", "statement_timeout")

    def bounds(connection: Connection) -> list[Any]:
        return [connection.execute(text(f"SHOW {name}")).scalar() for name in names]

    with served.database.reading() as connection:
        assert bounds(connection) == ["10s", "30s", "0"]
    with served.database.sealing() as (connection, _):
        assert bounds(connection) == ["10s", "2500ms", "30s"]
    hasty = Database(served.database.url, SystemClock(), any_log)
    with hasty.engine.connect() as connection:
        connection.execute(text("SET lock_timeout = 50"))
        connection.commit()
    with served.database.sealing(), pytest.raises(StoreUnavailable):
        Deployment(hasty, served.keyring).one()
    assert cause(Deployment(hasty, served.keyring).one()) == ""
    hasty.close()
    began = time.monotonic()
    other = Database(served.database.url, SystemClock(), any_log)
    with pytest.raises(StoreUnavailable), served.database.sealing() as (held, _):  # as a node that is stopped  # noqa: PT012  it is the block that fails
        assert cause(Deployment(other, served.keyring).one()) == ""
        held.execute(text("SELECT 1"))
    assert time.monotonic() - began < PATIENCE
    other.close()
