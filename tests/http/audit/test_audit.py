"""What may an auditor see, and only under which assignment? Over HTTP, as an auditor's own program would."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from click.testing import CliRunner
from contract import RECEIPT
from days import day
from desk import Office, slug
from logs import checker
from partner import Partner, b64u

from gateway.cli.audit import audit as commands
from gateway.ledger.log.merkle import leaf_hash
from gateway.ledger.log.note import VerifierKey
from gateway.ledger.publication.receipt import Receipt

CHECKER = checker()


def moment() -> str:
    """This second: what was asked before by other tests stays out of a search from it on."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def next_moment() -> str:
    """The second that begins now: what was asked before is not asked since then."""
    time.sleep(1.01 - time.time() % 1)
    return moment()


class Audit:
    """An office whose auditor has an assignment over the first partner."""

    def __init__(self, gateway: Any) -> None:
        self.gateway, self.office = gateway, Office(gateway)
        self.auditor: Partner = gateway.partner("auditor")
        self.bank: Partner = gateway.partner("bpjs")

    def get(self, path: str) -> Any:
        """What the auditor is told."""
        return self.office.get(path, by=self.auditor)

    def ask(self, resident: Any, **members: Any) -> Any:
        """One question of the bank."""
        return self.bank.verify(self.gateway.question("bpjs", resident, **members))


@pytest.fixture
def audit(gateway) -> Audit:
    """The auditor of a served gateway."""
    return Audit(gateway)


def test_nobody_searches_without_an_assignment(audit) -> None:
    """Without one, outside its partners or its days, after it was taken back: refused, and the refusal is sealed."""
    held = audit.get("/v1/ledger/assignments").json()["items"]
    for each in (one for one in held if one["state"] == "in_force"):
        assert audit.office.registrar.call("DELETE", f"/v1/assignments/{each['id']}").status_code == 200
    refused = audit.get("/v1/ledger/entries")
    assert (refused.status_code, slug(refused)) == (403, "assignment-missing")
    assert refused.json().keys() >= RECEIPT - {"id"}
    assert slug(audit.get("/v1/traffic")) == "assignment-missing"
    own = audit.office.assigned()
    assert audit.get("/v1/ledger/entries").status_code == 200
    assert slug(audit.get("/v1/ledger/entries?partner=small")) == "assignment-missing"
    assert slug(audit.get("/v1/traffic?partner=small")) == "assignment-missing"
    assert audit.get("/v1/traffic?step=minute").status_code == 200
    assert slug(audit.get(f"/v1/ledger/entries?since={day(-60)}")) == "assignment-missing"
    assert slug(audit.get("/v1/ledger/findings?partner=small")) == "assignment-missing"
    taken = audit.office.registrar.call("DELETE", f"/v1/assignments/{own}")
    assert (taken.status_code, taken.json()["state"]) == (200, "ended")
    for path in (
        "/v1/ledger/entries",
        "/v1/ledger/sample?seed=1",
        "/v1/ledger/export",
        "/v1/ledger/export?seed=1",
        "/v1/ledger/findings",
    ):
        assert slug(audit.get(path)) == "assignment-missing", path
    assert (
        slug(audit.auditor.call("POST", "/v1/ledger/search-nik", {"nik": "7402154505909001"})) == "assignment-missing"
    )


def test_an_assignment_takes_two_persons_and_neither_is_the_auditor(audit) -> None:
    """Its proposer cannot approve it, it has an end, and it names partners and an auditor that there are."""
    proposed = audit.office.assign()
    assert proposed.status_code == 202
    assert slug(audit.office.approve(proposed.json(), by=audit.office.registrar)) in (
        "insufficient-scope",
        "same-person",
    )
    for changes in (
        {"partners": ["nobody-known"]}, {"auditor": "Demo Registrar"}, {"expires": day(-1)}, {"expires": day(900)},
        {"since": day(3), "until": day(1)}, {"since": "2026-13-01"}, {"letter": ""},
    ):  # fmt: skip
        assert slug(audit.office.assign(**changes)) == "malformed-request", changes
    for who in (audit.bank, audit.auditor):
        assert slug(who.call("POST", "/v1/assignments", {})) == "insufficient-scope"


def test_a_search_finds_what_was_asked_and_is_itself_found(audit) -> None:
    """By partner, kind, purpose and outcome, in pages; the search is an entry that names its filters."""
    audit.office.assigned(partners=["bpjs", "dukcapil"])
    begun = moment()
    answer, *_ = [audit.ask(audit.gateway.resident()).json() for _ in range(7)]
    path = f"/v1/ledger/entries?partner=bpjs&kind=answer&outcome=active&since={begun}"
    ids: list[str] = []
    cursor = ""
    while True:
        reply = audit.get(f"{path}&limit=3{cursor}")
        assert reply.status_code == 200, reply.text
        page = reply.json()
        assert all(
            (each["partner"], each["kind"], each["outcome"]) == ("bpjs", "answer", "active") for each in page["items"]
        )
        ids += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert answer["id"] in ids
    assert len(set(ids)) == len(ids)
    for query in ("colour=red", "since=yesterday", "limit=0", "limit=201", "cursor=-1", "cursor=x"):
        assert slug(audit.get(f"/v1/ledger/entries?{query}")) == "malformed-request", query
    reads = audit.get(f"/v1/ledger/entries?partner=dukcapil&kind=read&outcome=search&since={begun}&limit=200").json()[
        "items"
    ]
    seen = audit.get(f"/v1/ledger/entries/{reads[-1]['id']}").json()["private"]
    assert seen["filters"]["partner"] == "bpjs" or seen["filters"]["outcome"] == "search"
    assert seen["person"] == "Demo Auditor"
    assert seen["assignment"]


def test_an_entry_comes_with_its_proof(audit) -> None:
    """Leaf, private part and a receipt that leads to the signed checkpoint; what it commits to is what is shown."""
    audit.office.assigned()
    id = audit.ask(audit.gateway.resident()).json()["id"]
    deadline = time.monotonic() + 20
    while not (shown := audit.get(f"/v1/ledger/entries/{id}").json())["proof"]:
        assert time.monotonic() < deadline, shown
        time.sleep(0.1)
    keys = [VerifierKey.parse(line) for line in audit.gateway.http.get("/ledger/keys").text.split()]
    receipt = Receipt.parse(shown["proof"])
    receipt.verify(keys)
    leaf = json.loads(shown["leaf"])
    assert (receipt.leaf.decode(), receipt.index, leaf["id"]) == (shown["leaf"], shown["index"], id)
    raw = shown["private_bytes"].encode()
    private = base64.urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
    assert b64u(sha256(private).digest()) == leaf["private"]
    assert json.loads(private[32:]) == shown["private"]
    assert slug(audit.get("/v1/ledger/entries/0192f7a0-0000-7000-8000-000000000000")) == "not-found"


def test_a_resident_is_found_by_the_keyed_tag(audit) -> None:
    """Who asked about a NIK, however it was answered; the NIK itself is nowhere in the answer or in the log."""
    audit.office.assigned(partners=["bpjs", "dukcapil"])
    resident = audit.gateway.resident()
    wrong = {"name": "ORANG LAIN", "birth_date": "1950-01-01"}
    asked = [audit.ask(resident).json()["id"], audit.ask(resident, claims=wrong).json()["id"]]
    reply = audit.auditor.call("POST", "/v1/ledger/search-nik", {"nik": resident["nik"]})
    assert reply.status_code == 200, reply.text
    assert [each["id"] for each in reply.json()["items"]] == asked
    assert {each["outcome"] for each in reply.json()["items"]} == {"active", "different"}
    assert resident["nik"] not in reply.text
    again = audit.auditor.call("POST", "/v1/ledger/search-nik", {"nik": resident["nik"]}).json()["items"]
    assert [each["kind"] for each in again] == ["answer", "answer", "read"]
    for body in ({"nik": "1234"}, {"nik": resident["nik"], "colour": "red"}, {}):
        refused = audit.auditor.call("POST", "/v1/ledger/search-nik", body)
        assert slug(refused) in ("nik-format", "malformed-request")
        assert resident["nik"] not in refused.text
    assert audit.gateway.http.get("/v1/ledger/search-nik").status_code == 405


def test_a_sample_is_drawn_again_by_its_seed(audit) -> None:
    """The same seed over the same stretch gives the same entries, another seed others; filters hold."""
    audit.office.assigned()
    for _ in range(3):
        audit.ask(audit.gateway.resident())
    end = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    path = f"/v1/ledger/sample?seed=ST17&count=2&kind=answer&until={end}"
    first, again = audit.get(path).json(), audit.get(path).json()
    assert [each["id"] for each in first["items"]] == [each["id"] for each in again["items"]]
    assert first["first"] < first["end"]
    assert all(each["kind"] == "answer" for each in first["items"])
    assert slug(audit.get("/v1/ledger/sample?count=2")) == "malformed-request"


def test_an_export_proves_every_line(audit) -> None:
    """NDJSON: a checkpoint, then entries each of which leads to it by its own proof."""
    audit.office.assigned()
    begun = moment()
    id = audit.ask(audit.gateway.resident()).json()["id"]
    deadline = time.monotonic() + 20
    while id not in (reply := audit.get(f"/v1/ledger/export?kind=answer&since={begun}&limit=1000")).text:
        assert time.monotonic() < deadline, reply.text[:500]
        time.sleep(0.1)
    assert reply.headers["content-type"] == "application/x-ndjson"
    head, *lines = [json.loads(line) for line in reply.text.splitlines()]
    assert (head["format"], head["count"], head["assignment"] != "") == (
        "nik-gateway-ledger-selection/1",
        len(lines),
        True,
    )
    keys = [VerifierKey.parse(text) for text in head["keys"]]
    for line in lines:
        path = "".join(f"{each}\n" for each in line["proof"])
        extra = base64.b64encode(line["leaf"].encode()).decode()
        proof = f"c2sp.org/tlog-proof@v1\nextra {extra}\nindex {line['index']}\n{path}\n{head['checkpoint']}"
        assert leaf_hash(Receipt.parse(proof).leaf) == leaf_hash(line["leaf"].encode())
        Receipt.parse(proof).verify(keys)


def _handed_out(audit: Audit, begun: str) -> list[dict[str, Any]]:
    """The private parts of the entries that tell of exports."""
    path = f"/v1/ledger/entries?partner=dukcapil&kind=read&outcome=export&since={begun}&limit=200"
    items = audit.get(path).json()["items"]
    return [audit.get(f"/v1/ledger/entries/{each['id']}").json()["private"] for each in items]


def test_a_sample_is_exported_with_its_proofs(audit, tmp_path) -> None:
    """The same entries as the sample shows, in its order, checked by the published checker; it is sealed as an export is."""
    audit.office.assigned(partners=["bpjs", "dukcapil"])
    begun = next_moment()
    asked = {audit.ask(audit.gateway.resident()).json()["id"] for _ in range(4)}
    query = f"seed=ST17&count=3&kind=answer&since={begun}"
    deadline = time.monotonic() + 20
    while len((drawn := audit.get(f"/v1/ledger/sample?{query}").json())["items"]) < 3:
        assert time.monotonic() < deadline, drawn
        time.sleep(0.1)
    audit.ask(audit.gateway.resident())  # the log grows; the stretch that was told stays
    reply = audit.get(f"/v1/ledger/export?{query}&end={drawn['end']}")
    assert reply.headers["content-type"] == "application/x-ndjson"
    head, *lines = [json.loads(line) for line in reply.text.splitlines()]
    assert [json.loads(line["leaf"])["id"] for line in lines] == [each["id"] for each in drawn["items"]]
    assert {each["id"] for each in drawn["items"]} <= asked
    assert head["sample"] == {name: drawn[name] for name in ("seed", "first", "end", "drawn")}
    assert (head["format"], head["count"], head["next"]) == ("nik-gateway-ledger-selection/1", 3, None)
    keys = audit.gateway.http.get("/ledger/keys").text.split()
    found = audit.get(f"/v1/ledger/export?kind=answer&since={begun}")
    for at, text in enumerate((reply.text, found.text)):
        (tmp_path / str(at)).write_text(text, "utf-8")
        (sound, *_) = CHECKER.check_export(tmp_path / str(at), keys)
        assert ("drawn by seed" in sound) == (at == 0)
        entries = text.splitlines(keepends=True)
        (tmp_path / "cut").write_text("".join(entries[:1] + entries[2:]), "utf-8")
        with pytest.raises(CHECKER.Fault, match=r"^line "):
            CHECKER.check_export(tmp_path / "cut", keys)
    sealed = _handed_out(audit, begun)
    assert [each["file"] for each in sealed[-2:]] == [
        b64u(sha256(text.encode()).digest()) for text in (reply.text, found.text)
    ]
    assert sealed[-2]["filters"]["seed"] == "ST17"


def test_a_sample_that_cannot_be_drawn_is_refused(audit) -> None:
    """Without a seed, beyond what may be read, or paged as a search is: refused, by the name of the member."""
    audit.office.assigned()
    for query, member in (
        ("count=3", "seed"), ("end=5", "seed"), ("seed=x&limit=3", "limit"), ("seed=x&cursor=3", "cursor"),
        ("seed=x&count=201", "count"), ("seed=x&end=x", "end"), (f"seed=x&end={10**9}", "end"), (f"seed={'x' * 101}", "seed"),
    ):  # fmt: skip
        refused = audit.get(f"/v1/ledger/export?{query}")
        assert (slug(refused), refused.json()["members"]) == ("malformed-request", [member]), query
    empty = audit.get("/v1/ledger/export?seed=x&end=0")
    assert (empty.status_code, json.loads(empty.text)["count"]) == (200, 0)


def test_guesses_are_found_and_noted(audit) -> None:
    """A partner that guesses at residents is a finding with words and entries; owner, note and state are kept."""
    audit.office.assigned()
    wrong = {"name": "ORANG LAIN", "birth_date": "1950-01-01"}
    for _ in range(4):
        resident = audit.gateway.resident()
        for name in ("A", "B", "C"):
            audit.ask(resident, claims={**wrong, "name": f"ORANG {name}"})
    reply = audit.get(f"/v1/ledger/findings?rule=guessing&since={day()}")
    assert reply.status_code == 200, reply.text
    (found,) = reply.json()["items"]
    assert (found["id"], found["state"]) == (f"guessing.{day()}.bpjs", "open")
    assert found["text"].keys() == {"id", "en"}
    assert audit.get(f"/v1/ledger/entries/{found['entries'][0]}").status_code == 200
    path = f"/v1/ledger/findings/{found['id']}"
    noted = audit.auditor.call("POST", path, {"owner": "Tim 4", "note": "asked the bank", "state": "examining"})
    assert noted.status_code == 200, noted.text
    (after,) = audit.get(f"/v1/ledger/findings?rule=guessing&since={day()}&state=examining").json()["items"]
    assert (after["owner"], after["note"], after["state"]) == ("Tim 4", "asked the bank", "examining")
    for wrong_path in (f"guessing.{day(-3)}.bpjs", "nonsense", f"beauty.{day()}.bpjs"):
        assert slug(audit.auditor.call("POST", f"/v1/ledger/findings/{wrong_path}", {"note": "x"})) == "not-found", (
            wrong_path
        )
    assert slug(audit.auditor.call("POST", path, {})) == "malformed-request"
    assert slug(audit.office.post(path, {"note": "x"})) == "insufficient-scope"


def test_the_copy_is_checked_and_made_again_by_command(audit) -> None:
    """`audit check` finds it true while the gateway runs, `audit reindex` makes it again, and it is true still."""
    audit.ask(audit.gateway.resident())
    where = ["--config", str(audit.gateway.directory / "gateway.toml"), "--json"]
    for command in ("check", "reindex", "check"):
        done = CliRunner().invoke(commands, [command, *where])
        assert done.exit_code == 0, done.output
        assert json.loads(done.output).get("differs") is None
