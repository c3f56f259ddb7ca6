"""Can a partner get one answer, or one guess, more than was agreed? Parallel callers, workers and sealers."""

# Attacks held here:
#   test_day_is_exact_over_two_workers       racing calls to get more than the day's allowance
#   test_guesses_are_exact_over_two_workers  racing wrong guesses at one NIK, existing or not, past the attempt budget
#   test_month_is_exact_over_two_sealers     the same for the month, with two sealers on one database
#   test_balance_is_exact_over_two_sealers   the same for the prepaid balance
#   test_burst_is_never_exceeded             the same for the burst rate

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from admitting import any_log
from deployment import CLOCK, ENTROPY, Deployment, Line, Partner, Reply

from gateway.allowance.account import Room
from gateway.clock import uuid7
from gateway.keyring import Job, Keyring
from gateway.keyring import file as key_files
from gateway.ledger.check.check import check
from gateway.ledger.log.entry import Kind, request_digest
from gateway.sealing.sealer import Sealer
from gateway.sealing.submission import Draft, Sealed, Submission
from gateway.store.base.engine import Database
from gateway.store.base.statements import put_many
from gateway.store.ledger.entries import LedgerOf
from gateway.store.migrations import schema
from gateway.store.sealing.seals import SealsOf
from gateway.store.sealing.tables import accounts
from gateway.web.http.problems import Problems

ROOMY = 1_000_000


async def _ask_at_once(node: Deployment, partner: Partner, questions: list[dict[str, object]]) -> list[Reply]:
    """The replies to all questions, asked in parallel over ten connections to each worker."""
    await partner.log_in()
    lines = [line for _ in range(10) for line in await node.line_to_each_worker()]

    async def ask(line: Line, share: list[dict[str, object]]) -> list[Reply]:
        return [await partner.verify(line, question) for question in share]

    shares = [questions[at :: len(lines)] for at in range(len(lines))]
    replies = await asyncio.gather(*(ask(line, share) for line, share in zip(lines, shares, strict=True)))
    for line in lines:
        line.leave()
    return [reply for share in replies for reply in share]


def test_day_is_exact_over_two_workers(node: Deployment) -> None:
    """Of 200 parallel calls by a partner with 100 a day exactly 100 are answered and 100 refused, over two workers."""
    partner = Partner(node, "small", "account_opening")
    questions = [partner.question(node.active[at % 300]) for at in range(200)]
    replies = asyncio.run(_ask_at_once(node, partner, questions))
    assert Counter(reply.slug or reply.status for reply in replies) == {200: 100, "allowance-exhausted": 100}
    for reply in replies:
        if reply.slug:
            assert (reply.status, reply.document["limit"], reply.document["billed"]) == (429, "day", False)
            assert int(reply.headers["retry-after"]) > 0


@pytest.mark.parametrize("exists", [True, False], ids=["a NIK that exists", "a NIK that does not"])
def test_guesses_are_exact_over_two_workers(node: Deployment, *, exists: bool) -> None:
    """Of 20 parallel wrong guesses at one NIK exactly 5 are answered; after them the right guess is refused too."""
    partner = Partner(node)
    resident = node.active[300]
    right = partner.question(resident, nik=resident["nik"] if exists else resident["nik"][:12] + "8999")
    wrong = [right | {"claims": right["claims"] | {"name": f"GUESS {chr(65 + at)} {chr(65 + at)}"}} for at in range(20)]
    replies = asyncio.run(_ask_at_once(node, partner, wrong))
    assert Counter(reply.slug or reply.document["match"] for reply in replies) == {False: 5, "attempts-exhausted": 15}
    (last,) = asyncio.run(_ask_at_once(node, partner, [right]))
    assert (last.status, last.slug) == (429, "attempts-exhausted")
    assert "attempt" not in last.headers.get("ratelimit", "")


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    """Fresh keys."""
    directory: Path = tmp_path_factory.mktemp("keys")
    for job in Job:
        key_files.write(directory, key_files.new(job, 1, ENTROPY))
    return key_files.load(directory)


@pytest.fixture
def databases(database_url: str) -> Iterator[list[Database]]:
    """Two openings of one empty database."""
    opened = [Database(database_url, CLOCK, any_log) for _ in range(2)]
    schema.upgrade(opened[0])
    yield opened
    for database in opened:
        database.close()


def _submission(room: Room) -> Submission:
    nonce = ENTROPY.bytes(32)
    draft = Draft(
        uuid7(CLOCK.now(), ENTROPY), Kind.ANSWER, "pks-x", "p", nonce, request_digest(nonce, b"{}"), {},
        {"usable": True}, charges=(("pks-x", room),),
    )  # fmt: skip
    return Submission("x/x", "en", {}, 0, 0, (), (draft,))


def _race(databases: list[Database], keyring: Keyring, room: Room) -> Counter[str]:
    """Outcomes of 200 submissions, sealed by tens by two sealers at once. The ledger must hold every one."""

    def seal(database: Database) -> list[Sealed]:
        sealer = Sealer(SealsOf(database), keyring, ENTROPY, Problems("https://nik.example.go.id"))
        outcomes = [outcome for _ in range(10) for outcome in sealer.seal([_submission(room) for _ in range(10)])]
        assert [outcome for outcome in outcomes if not isinstance(outcome, Sealed)] == []
        return outcomes  # type: ignore[return-value]  # just looked at

    with ThreadPoolExecutor(2) as pool:
        sealed = [outcome for outcomes in pool.map(seal, databases) for outcome in outcomes]
    with LedgerOf(databases[0]).snapshot() as (head, entries):
        assert check(head, entries).size == 200
    return Counter(each.cause and f"{each.cause}/{json.loads(each.body).get('limit')}" for each in sealed)


def test_month_is_exact_over_two_sealers(databases: list[Database], keyring: Keyring) -> None:
    """Two sealers on one database that race for a month of 70 answers give 70 together."""
    outcomes = _race(databases, keyring, Room(ROOMY, ROOMY, 70))
    assert outcomes == {"": 70, "allowance-exhausted/month": 130}


def test_balance_is_exact_over_two_sealers(databases: list[Database], keyring: Keyring) -> None:
    """A balance of Rp25,500 at Rp1,000 an answer pays for 25, whoever seals."""
    with databases[0].sealing() as (connection, _):
        put_many(connection, accounts, [("pks-x", 0, 0, 0, 0, 0, 25_500)])
    outcomes = _race(databases, keyring, Room(ROOMY, ROOMY, ROOMY, tariff=1000, prepaid=True))
    assert outcomes == {"": 25, "balance-exhausted/balance": 175}


def test_burst_is_never_exceeded(databases: list[Database], keyring: Keyring) -> None:
    """A burst of 20 a second gives 20 at once and never more than 20 for every further second."""
    began = time.monotonic()
    outcomes = _race(databases, keyring, Room(20, ROOMY, ROOMY))
    took = time.monotonic() - began
    assert set(outcomes) == {"", "rate-exceeded/burst"}
    assert 20 <= outcomes[""] <= 20 + took * 20 + 1
