"""Private parts hold what is declared of their kind, and nothing else: in everything that a run writes."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator

import pytest
from admitting import any_log
from deployment import SINGLE, Deployment, Line, Partner, deployed, jcs

from gateway.clock import SystemClock
from gateway.config import read
from gateway.ledger.log.entry import Kind
from gateway.ledger.log.members import MEANINGS, PRIVATE, undeclared
from gateway.store.base.engine import Database
from gateway.store.ledger.entries import LedgerOf

TWO = ("--proposer", "Petugas Satu", "--approver", "Petugas Dua")


def test_every_kind_is_declared_and_every_member_explained() -> None:
    """No kind is left out, and the meanings are of the members that there are."""
    assert set(PRIVATE) == set(Kind)
    named = {name for held in PRIVATE.values() for name in held.always | held.sometimes}
    assert named == set(MEANINGS)
    assert all(not held.always & held.sometimes for held in PRIVATE.values())


def test_what_is_undeclared_and_what_is_missing_is_told() -> None:
    """Each by name; what is missing has a minus."""
    assert undeclared("refused_unidentified", ["counts"]) == set()
    assert undeclared("revocation", ["address", "nik"]) == {"nik", "-token"}


@pytest.fixture(scope="module")
def run() -> Iterator[Deployment]:
    """A deployment in which partners asked, were refused and read, and commands changed what they change."""
    with deployed() as node:
        asyncio.run(_call(node))
        node.stop()
        people = node.directory / "people.ndjson"
        person = {"nik": "3171014101909001", "claims": {"name": "SITI", "birth_date": "1990-01-01"}}
        people.write_text(json.dumps(person) + "\n")
        node.command("partners", "suspend-client", "bank", "--by", "Petugas Satu", "--reason", "key_compromised")
        node.command("partners", "resume-client", "bank", *TWO)
        node.command("agreements", "suspend", "pks-tax", "--by", "Petugas Satu", "--reason", "semester_report_overdue")
        node.command("agreements", "resume", "pks-tax", *TWO)
        node.command("staff", "dismiss", "auditor", "--by", "Petugas Satu")
        node.command("register", "import", str(people), code=1)
        yield node


async def _call(node: Deployment) -> None:
    partner = await Partner(node).log_in()
    line = await Line.to(node.port)
    one = node.active[0]
    said = {"channel": "branch", "operator": "teller-7", "consent": {"basis": "consent", "reference": "c-1"}}
    answered = await partner.verify(line, partner.question(one, **said))
    wrong = partner.question(one)
    wrong["claims"]["name"] = "NOBODY OF THAT NAME"
    replies = [answered, await partner.verify(line, wrong)]
    replies += [
        await partner.verify(line, partner.question(node.active[1]), **{"idempotency-key": "again"}) for _ in "12"
    ]
    replies.append(await partner.verify(line, partner.question(one) | {"purpose": "no_such_purpose"}))
    path = f"/v1/receipts/{answered.document['id']}"
    replies.append(await line.ask("GET", path, partner.headers(path, "GET")))
    replies.append(await line.ask("GET", "/v1/usage", partner.headers("/v1/usage", "GET")))
    await line.ask("POST", SINGLE, {"content-type": "application/json"}, jcs(wrong))
    line.leave()
    assert [reply.status for reply in replies][:4] == [200] * 4, replies


def test_an_entry_of_a_run_has_the_declared_members_and_no_others(run: Deployment) -> None:
    """Whatever its kind; and the run has written the kinds that partners and commands write."""
    database = Database(read(run.config).database_url, SystemClock(), any_log)
    found: dict[str, set[str]] = defaultdict(set)
    with LedgerOf(database).snapshot() as (_, entries):
        for entry in entries:
            kind = json.loads(entry.leaf)["kind"]
            assert entry.private is not None
            members = json.loads(entry.private[32:])
            assert undeclared(kind, members) == set(), kind
            found[kind] |= set(members)
    database.close()
    assert {"answer", "refusal", "repeat", "token", "read", "agreement", "partner", "client", "import", "start"} <= set(
        found
    )
    assert {"channel", "operator", "consent", "reference"} <= found["answer"]
