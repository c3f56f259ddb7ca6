"""How does a change of a regency office reach an answer? Batches over HTTP, on both databases (wire contract §7)."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from days import day
from desk import Office, slug
from regency import RegencyOffice, change, digest, moment

from gateway.cli.demo_feeder import FEEDER, refresh
from nik_gateway_client import GatewayClient

ACTIVE = (True, "active", None)


@pytest.fixture
def office(gateway) -> RegencyOffice:
    """The first office."""
    return RegencyOffice(gateway)


def test_an_event_reaches_the_next_answer(office: RegencyOffice) -> None:
    """A birth makes a record, `announced` makes it pending, `settled` writes the claims and ends it: from the next answer on."""
    child = office.newborn(birth_date="2015-02-03")
    assert office.told(child)[0] is False
    office.born(child, recorded=False)
    assert office.told(child) == ACTIVE  # nobody under 17 is asked for biometrics
    adult = office.newborn()
    office.born(adult, recorded=False)
    assert office.told(adult) == (True, "blocked", "biometric_not_recorded")
    assert office.send([change(adult["nik"], "biometric_recorded")]).json()["refused"] == []
    assert office.told(adult) == ACTIVE
    assert office.send([change(adult["nik"], "element_corrected", "announced")]).status_code == 200
    assert office.told(adult) == (True, "stale", "change_pending")
    claims = {"name": "NAMA BARU"}
    assert office.send([change(adult["nik"], "element_corrected", claims=claims)]).status_code == 200
    assert office.told(adult)[0] is False
    assert office.told({**adult, "claims": adult["claims"] | claims}) == ACTIVE


def test_rows_are_refused_one_by_one_and_nothing_is_echoed(office: RegencyOffice) -> None:
    """The good rows of a batch go in; a bad one is named by index, slug and member, never by what it held."""
    someone, nobody = office.newborn(), office.newborn()
    other = next(one for one in office.gateway.people if not one["claims"]["regency"].startswith(office.code))
    rows = [
        change(someone["nik"], "birth", claims=someone["claims"]),
        change(nobody["nik"], "death"),
        change(other["nik"], "death"),
        change(someone["nik"], "birth", claims=someone["claims"]),
        change(someone["nik"], "order_lifted"),
        change(someone["nik"], "element_corrected", claims={"birth_date": "RAHASIA", "religion": "RAHASIA"}),
        "RAHASIA",
    ]
    reply = office.send(rows)
    document = reply.json()
    assert (reply.status_code, document["accepted"]) == (200, 1), reply.text
    assert [(row["index"], row["slug"]) for row in document["refused"]] == [
        (1, "unknown-resident"), (2, "not-own-region"), (3, "already-registered"), (4, "wrong-order"),
        (5, "malformed-change"), (6, "malformed-change"),
    ]  # fmt: skip
    assert not any(word in reply.text for word in ("RAHASIA", nobody["nik"], other["nik"]))
    assert {"entry", "nonce", "answered_at"} <= document.keys()


def test_a_batch_is_taken_once_and_answered_alike(office: RegencyOffice) -> None:
    """The same batch again, packed or not and even at the same moment, is answered alike, applied once; another is a conflict."""
    someone = office.newborn()
    body = office.body(
        [change(someone["nik"], "birth", claims=someone["claims"]), change(someone["nik"], "order_lifted")]
    )
    told = [
        {name: each.json()[name] for name in ("accepted", "refused", "next")}
        for each in (office.post(body), office.post(body))
    ]
    assert told[0] == told[1] == {
        "accepted": 1, "refused": [{"index": 1, "slug": "wrong-order"}], "next": body["sequence"] + 1
    }  # fmt: skip
    assert office.post(body, packed=True).json()["accepted"] == 1
    other = office.post(body | {"changes": [], "digest": digest([])})
    assert (other.status_code, slug(other)) == (409, "sequence-conflict")
    desk = Office(office.gateway)
    desk.assigned(partners=["dukcapil"])
    auditor = office.gateway.partner("auditor")
    found = desk.get("/v1/ledger/findings?partner=dukcapil&rule=sequence_conflict", by=auditor).json()["items"]
    assert other.json()["id"] in found[-1]["entries"]
    following = office.body([change(someone["nik"], "order")])
    with ThreadPoolExecutor(3) as threads:
        replies = list(threads.map(lambda _: office.post(following), range(3)))
    assert {each.json()["accepted"] for each in replies} == {1}


def test_a_gap_is_precise_and_closes_by_itself(office: RegencyOffice) -> None:
    """What comes after a missing batch is held; whom both touch is in transit, nobody else; the late batch sets all right."""
    lost, late, same = office.newborn(), office.newborn(), office.newborn()
    office.born(lost, late, same)
    first = office.state()["next"]
    missing = office.body([change(lost["nik"], "biometric_duplicate")], first)
    touched = [{"sequence": first, "niks": [lost["nik"]]}]
    held = office.body([change(late["nik"], "anomaly")], first + 1, touched=touched)
    mark = office.state()["complete_until"]
    reply = office.post(held)
    assert (reply.status_code, reply.json()["held"], reply.json()["missing"]) == (202, True, [first])
    assert office.post(held).status_code == 202
    state = office.state()
    assert (state["next"], state["gaps"], state["held"], state["touched"]) == (first, [first], 1, 2)
    assert state["complete_until"] == mark
    assert office.told(lost) == office.told(late) == (True, "stale", "in_transit")
    assert office.told(same) == ACTIVE
    assert office.diagnose(lost).json()["feed"]["gaps"] == [first]
    closed = office.post(missing)
    assert (closed.status_code, closed.json()["next"]) == (200, first + 2)
    assert (office.told(lost)[2], office.told(late)[2]) == ("biometric_duplicate", "anomaly")
    state = office.state()
    assert (state["next"], state["gaps"], state["held"], state["touched"]) == (first + 2, [], 0, 0)
    assert office.post(held).json()["accepted"] == 1


@pytest.mark.parametrize("first", [0, 1])
def test_a_move_passes_a_resident_on(gateway, first: int) -> None:
    """Between the two halves of a move the resident is in transit, whichever comes first; then the other office's alone."""
    offices = RegencyOffice(gateway, 0), RegencyOffice(gateway, 1)
    someone = offices[0].newborn()
    offices[0].born(someone)
    halves = [
        (offices[0], change(someone["nik"], "moved_out", claims={"regency": offices[1].code})),
        (offices[1], change(someone["nik"], "moved_in", claims={"address": "JL. BARU 1"})),
    ]
    for at, told in ((first, (True, "stale", "in_transit")), (1 - first, ACTIVE)):
        office, row = halves[at]
        assert office.send([row]).json()["refused"] == []
        assert offices[0].told(someone) == told
    assert offices[0].diagnose(someone).status_code == 404
    assert offices[1].diagnose(someone).json()["status"] == "active"
    refused = offices[0].send([change(someone["nik"], "order")]).json()["refused"]
    assert [row["slug"] for row in refused] == ["not-own-region"]


def test_a_consolidation_closes_a_gap_by_two_persons(office: RegencyOffice) -> None:
    """A dry run tells what would change; another person approves; then the gap is closed, and what came later has won."""
    lost, late = office.newborn(), office.newborn()
    office.born(lost, late)
    first = office.state()["next"]
    touched = [{"sequence": first, "niks": [lost["nik"]]}]
    office.send([change(late["nik"], "order_lifted")], first + 1, touched=touched)
    path = f"{office.path}/consolidations"
    body = {"from": first, "to": first, "dry_run": True,
            "changes": [change(lost["nik"], "anomaly"), change(late["nik"], "order"), change(late["nik"], "birth")]}  # fmt: skip
    dry = office.post(body, path=path)
    assert (dry.status_code, dry.json()["would"]) == (200, {"anomaly": 1, "order": 1}), dry.text
    assert [(row["index"], row["slug"]) for row in dry.json()["refused"]] == [(2, "malformed-change")]
    assert office.told(lost) == (True, "stale", "in_transit")
    proposed = office.post(body | {"dry_run": False}, path=path)
    assert proposed.status_code == 202, proposed.text
    desk = Office(office.gateway)
    shown = desk.get(f"/v1/approvals/{proposed.json()['approval']}")
    assert shown.status_code == 200
    assert lost["nik"] not in shown.text
    approved = desk.approve(proposed.json())
    assert approved.status_code == 200, approved.text
    assert office.told(lost)[2] == "anomaly"
    assert office.told(late) == ACTIVE  # ordered by the consolidation, lifted by the batch after it
    assert office.state()["gaps"] == []
    again = office.post(body | {"dry_run": False}, path=path)
    assert (again.status_code, slug(again)) == (412, "conflict")
    assert slug(office.send([], first)) == "sequence-conflict"


def test_bodies_that_are_refused_whole(office: RegencyOffice) -> None:
    """A digest that does not fit, a body that is too large packed or unpacked, another's regency, a partner: nothing goes in."""
    before = office.state()["next"]
    body = office.body([])
    assert slug(office.post(body | {"digest": digest([1])})) == "digest-mismatch"
    late = office.post(body | {"complete_until": moment(1)})
    assert (slug(late), late.json()["members"]) == ("malformed-request", ["complete_until"])
    for wrong, member in (({"sequence": 0}, "sequence"), ({"changes": 5}, "changes"), ({"touched": [{"sequence": 1}]}, "touched"),
                          ({"more": 1}, "body"), ({"sequence": before + 1000}, "sequence")):  # fmt: skip
        reply = office.post(body | wrong)
        assert (slug(reply), reply.json()["members"]) == ("malformed-request", [member])
    many = [change("1", "death")] * 10_001
    assert slug(office.post(body | {"changes": many, "digest": digest(many)}, packed=True)) == "malformed-request"
    assert slug(office.post(gzip.compress(bytes(17 << 20)), packed=True)) == "body-too-large"
    assert slug(office.post(bytes((16 << 20) + 1))) == "body-too-large"
    assert slug(office.post(gzip.compress(json.dumps(body).encode())[:-9], packed=True)) == "malformed-request"
    assert slug(office.post(body, Content_Encoding="br")) == "unsupported-media-type"
    elsewhere = office.post(body, path="/v1/feeds/1101/batches")
    assert (elsewhere.status_code, slug(elsewhere)) == (403, "not-own-region")
    assert slug(office.client.call("GET", "/v1/feeds/1101")) == "not-own-region"
    partner = office.post(body, by=office.gateway.partner("bpjs"))
    assert (partner.status_code, slug(partner)) == (403, "insufficient-scope")
    assert office.state()["next"] == before


def test_freshness_is_told_to_whoever_has_a_token(office: RegencyOffice) -> None:
    """Every regency with its watermark, lag and gaps; the one that is late says so; an empty batch moves a watermark."""
    until = moment()
    assert office.send([], complete_until=until).json()["accepted"] == 0
    for client_id in ("bpjs", "auditor", office.client.client_id):
        document = office.gateway.partner(client_id).call("GET", "/v1/freshness").json()
        regencies = {row.pop("regency"): row for row in document["regencies"]}
        assert len(regencies) == 514
        assert regencies[office.code]["complete_until"] >= until
        assert (regencies[office.code]["behind"], regencies["1172"]["behind"]) == (False, True)
        assert regencies["1172"]["lag_seconds"] > 86_400
        assert [code for code, row in regencies.items() if row["gaps"] == [1]] == ["1101"]


def test_the_demonstrations_own_sender_keeps_the_others_current(office: RegencyOffice) -> None:
    """It sends as any office does, through the same door; not for the two offices, the late regency and the one with a gap."""
    folder = office.gateway.directory / "partners" / FEEDER
    with GatewayClient(folder / "profile.toml") as client:
        feeds = {row["regency"]: row for row in client.read("/feeds")["feeds"]}
        assert len(feeds) == 512
        assert refresh(client, 3600) == 0
        assert refresh(client, -1, most=3) == 3
        after = {row["regency"]: row for row in client.read("/feeds")["feeds"]}
    sent = [code for code, row in after.items() if row["next"] != feeds[code]["next"]]
    assert len(sent) == 3
    assert not {office.code, "1101", "1172"} & set(sent)
    assert all(after[code]["complete_until"] >= feeds[code]["complete_until"] for code in sent)


def test_who_turns_17_is_told_to_the_own_office(office: RegencyOffice) -> None:
    """Own residents who turn 17 within the days asked for, without biometrics; recorded ones and others' are not told."""
    soon, recorded, later = (office.newborn(birth_date=day) for day in (_birthday(40), _birthday(40), _birthday(120)))
    office.born(soon, later, recorded=False)
    office.born(recorded)

    def coming(days: int) -> set[str]:
        proof = office.client.proof("GET", f"{office.path}/coming", office.client.token())
        reply = office.client.call("GET", f"{office.path}/coming?days={days}", proofs=[proof])
        assert reply.status_code == 200, reply.text
        return {row["nik"] for row in reply.json()["residents"]}

    assert {soon["nik"], recorded["nik"], later["nik"]} & coming(90) == {soon["nik"]}
    assert later["nik"] in coming(130)
    assert office.told(soon) == ACTIVE


def _birthday(days: int) -> str:
    """A birth date whose 17th anniversary is in so many days."""
    birthday = date.fromisoformat(day(days))
    return birthday.replace(year=birthday.year - 17, day=min(birthday.day, 28)).isoformat()


def test_a_diagnosis_tells_every_cause_and_nothing_of_the_claims(office: RegencyOffice) -> None:
    """The officer sees status, every cause with its day, the feed and the next step; an unknown NIK is as another's: not found."""
    someone = office.newborn()
    office.born(someone, recorded=False)
    office.send([change(someone["nik"], "anomaly"), change(someone["nik"], "marriage", "announced")])
    reply = office.diagnose(someone)
    document = reply.json()
    assert [row["reason"] for row in document["causes"]] == ["biometric_not_recorded", "anomaly", "change_pending"]
    assert (document["status"], document["reason"]) == ("blocked", "biometric_not_recorded")
    assert document["next_step"]["action"] == "record_biometrics"
    assert all(row["since"] for row in document["causes"])
    assert someone["claims"]["name"] not in reply.text
    others = [office.diagnose(office.newborn()), office.diagnose(someone, by=RegencyOffice(office.gateway, 1).client)]
    for other in others:
        assert (other.status_code, slug(other)) == (404, "not-found")
    assert len({len(each.content) for each in others}) == 1
