"""What is a resident told of who asked, and an authority of what went wrong? Over HTTP, by officers at the desk."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from desk import slug
from partner import Partner


def _opened(officer: Partner, resident: Any) -> dict[str, Any]:
    body = {"nik": resident["nik"], "reference": "KTP-2026-000123"}
    reply = officer.call("POST", "/v1/access-requests", body)
    assert reply.status_code == 201, reply.text
    assert resident["nik"] not in reply.text
    document: dict[str, Any] = reply.json()
    assert reply.headers["location"] == f"/v1/access-requests/{document['id']}"
    return document


@pytest.mark.parametrize("role", ["auditor", "regency"])
def test_a_resident_learns_who_asked(gateway, office, role) -> None:
    """By whom, when and for which purpose, within 72 hours; no claim, no NIK, no answer. Another officer sees nothing."""
    resident, officer = gateway.resident(), gateway.partner(role)
    bank = gateway.partner("bpjs")
    asked = bank.verify(gateway.question("bpjs", resident)).json()
    opened = _opened(officer, resident)
    shown = office.get(f"/v1/access-requests/{opened['id']}", by=officer)
    assert shown.status_code == 200, shown.text
    document = shown.json()
    begun = datetime.fromisoformat(document["opened_at"])
    assert datetime.fromisoformat(document["due_at"]) - begun == timedelta(hours=72)
    assert (document["late"], document["reference"], document["withheld"]) == (False, "KTP-2026-000123", [])
    (entry,) = document["entries"]
    names = {row["client_id"]: row["name"] for row in gateway.facts["partners"]}
    purpose = gateway.question("bpjs", resident)["purpose"]
    assert entry == {
        "id": asked["id"],
        "at": asked["answered_at"],
        "by": names["bpjs"],
        "purpose": purpose,
        "answered": True,
    }
    assert resident["nik"] not in shown.text
    assert resident["claims"]["name"] not in shown.text
    again = office.get(f"/v1/access-requests/{_opened(officer, resident)['id']}", by=officer).json()["entries"]
    assert [each["purpose"] for each in again] == [
        purpose,
        None,
    ]  # that somebody opened the first is told by the second
    other = gateway.partner("regency" if role == "auditor" else "auditor")
    assert slug(office.get(f"/v1/access-requests/{opened['id']}", by=other)) == "not-found"
    assert opened["id"] in {
        each["id"] for each in office.get("/v1/access-requests?limit=200", by=officer).json()["items"]
    }
    assert slug(office.get("/v1/access-requests", by=bank)) == "insufficient-scope"


def test_entries_are_withheld_on_a_named_basis(gateway, office) -> None:
    """One by one or by purpose; the resident is told how many, and on which basis."""
    resident, officer, bank = gateway.resident(), gateway.partner("auditor"), gateway.partner("bpjs")
    first = bank.verify(gateway.question("bpjs", resident)).json()["id"]
    second = bank.verify(gateway.question("bpjs", resident)).json()["id"]
    path = f"/v1/access-requests/{_opened(officer, resident)['id']}"
    basis = "UU 27/2022 pasal 15 ayat 1 huruf b"
    assert officer.call("POST", f"{path}/withhold", {"entry": first, "basis": basis}).status_code == 200
    document = office.get(path, by=officer).json()
    assert [each["id"] for each in document["entries"]] == [second]
    assert document["withheld"] == [{"basis": basis, "entries": 1}]
    purpose = gateway.question("bpjs", resident)["purpose"]
    assert officer.call("POST", f"{path}/withhold", {"purpose": purpose, "basis": basis}).status_code == 200
    document = office.get(path, by=officer).json()
    assert (document["entries"], document["withheld"]) == ([], [{"basis": basis, "entries": 2}])
    for body in ({"basis": basis}, {"entry": first}, {"entry": first, "purpose": purpose, "basis": basis}):
        assert slug(officer.call("POST", f"{path}/withhold", body)) == "malformed-request"


def test_closing_destroys_the_nik(gateway, office) -> None:
    """What is left of a closed request names nobody, and nothing more is done with it."""
    resident, officer = gateway.resident(), gateway.partner("auditor")
    id = _opened(officer, resident)["id"]
    path = f"/v1/access-requests/{id}"
    if gateway.workers == 1:  # while it is open, too, the NIK stands nowhere in the clear
        for file in gateway.directory.glob("gateway.sqlite*"):
            assert resident["nik"].encode() not in file.read_bytes(), file
    closed = officer.call("POST", f"{path}/close", {"outcome": "delivered"})
    assert (closed.status_code, closed.json()["state"], closed.json()["late"]) == (200, "delivered", False), closed.text
    document = office.get(path, by=officer).json()
    assert document["state"] == "delivered"
    assert "entries" not in document
    for again in ("close", "withhold"):
        body = {"basis": "x", "purpose": "y"} if again == "withhold" else {}
        assert slug(officer.call("POST", f"{path}/{again}", body)) == "conflict"
    if gateway.workers == 1:
        with sqlite3.connect(f"file:{gateway.directory / 'gateway.sqlite'}?mode=ro", uri=True) as connection:
            assert connection.execute("SELECT nik FROM access_requests WHERE id = ?", (id,)).fetchall() == [(b"",)]


def test_what_is_no_request_is_refused(gateway) -> None:
    """A malformed NIK, and a check at the desk that has no number, open nothing."""
    officer = gateway.partner("auditor")
    nik = "7402154505909001"
    for body in ({"nik": "12", "reference": "A1"}, {"nik": nik}, {"nik": nik, "reference": nik}):
        refused = officer.call("POST", "/v1/access-requests", body)
        assert slug(refused) in ("nik-format", "malformed-request"), body
        assert nik not in refused.text


def test_an_incident_counts_residents_and_its_clock_runs(gateway, office) -> None:
    """Whom the partners were told of in that time, each once; the notice is due 72 hours after it was recorded."""
    partner, _, client = office.bring_in()
    residents = [gateway.resident(), gateway.resident()]
    begun = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for resident in (*residents, residents[0], gateway.unknown()):
        reply = client.verify(gateway.question(client.client_id, resident, purpose="account_opening"))
        assert reply.status_code == 200, reply.text
    until = (datetime.now(UTC) + timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"description": "A teller's screen was photographed", "since": begun, "until": until, "partners": [partner]}
    made = gateway.partner("auditor").call("POST", "/v1/incidents", body)
    assert made.status_code == 201, made.text
    assert made.json()["affected"] == 2
    shown = office.get(f"/v1/incidents/{made.json()['id']}").json()
    recorded = datetime.fromisoformat(shown["recorded_at"])
    assert datetime.fromisoformat(shown["notice_due_at"]) - recorded == timedelta(hours=72)
    assert (shown["affected"], shown["partners"], shown["overdue"]) == (2, [partner], False)
    told = office.post(f"/v1/incidents/{made.json()['id']}/notified", {"reference": "B/77/2026"})
    assert (told.status_code, told.json()["late"]) == (200, False), told.text
    assert slug(office.post(f"/v1/incidents/{made.json()['id']}/notified", {"reference": "B/78/2026"})) == "conflict"
    assert office.get(f"/v1/incidents/{made.json()['id']}").json()["notice"] == "B/77/2026"
    assert made.json()["id"] in {each["id"] for each in office.get("/v1/incidents?limit=200").json()["items"]}
    for changes in (
        {"partners": ["nobody-known"]},
        {"until": "2020-01-01T00:00:00Z"},
        {"since": "soon"},
        {"description": ""},
    ):
        assert slug(office.post("/v1/incidents", body | changes)) == "malformed-request", changes
