"""Does the first page count what the lists behind it show? For those who administer, approve and audit."""

from __future__ import annotations

from typing import Any

from days import day
from desk import Office, slug

DATABASES = ("sqlite",)  # what is asked here does not depend on the database


def counts(office: Office, by: Any = None, path: str = "/v1/overview") -> dict[str, Any]:
    """What the first page tells."""
    reply = office.get(path, by=by)
    assert reply.status_code == 200, reply.text
    document: dict[str, Any] = reply.json()
    return document


def test_what_is_drafted_proposed_and_suspended_is_counted(office) -> None:
    """Each step moves one count by one; a proposal is for everybody but whoever had a hand in it."""
    before = counts(office)
    partner = office.register()
    drafted = office.draft(partner)
    after = counts(office)
    assert after["partners"]["total"] == before["partners"]["total"] + 1
    assert after["drafts"]["draft"] == before["drafts"]["draft"] + 1
    proposed = office.propose(drafted)
    mine, theirs = counts(office), counts(office, office.approver)
    assert mine["approvals"]["open"] == before["approvals"]["open"] + 1
    assert mine["approvals"]["for_you"] == before["approvals"]["for_you"]
    assert theirs["approvals"]["for_you"] >= mine["approvals"]["for_you"] + 1
    assert theirs["approvals"]["by_kind"]["version"] >= 1
    assert theirs["approvals"]["oldest"]
    assert mine["drafts"]["proposed"] == before["drafts"]["proposed"] + 1
    assert office.approve(proposed).status_code == 200
    office.post(f"/v1/partners/{partner}/suspend", {"reason": "emergency"})
    last = counts(office)
    assert last["approvals"]["open"] == before["approvals"]["open"]
    assert last["partners"]["suspended"] == before["partners"]["suspended"] + 1


def test_duties_are_counted_as_the_calendar_lists_them(office) -> None:
    """All that is due in 30 days or is late, keys apart."""

    def listed() -> int:
        until = day(30)
        found, cursor = 0, ""
        while True:
            page = office.get(f"/v1/duties?limit=200&until={until}{cursor}").json()
            found += sum(each["duty"] != "key_expiry" for each in page["items"])
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"

    soon = {
        "return_data": {"due": "2020-01-31", "every_months": 1},
        "semester_report": {"due": "2035-07-31", "every_months": 6},
    }
    office.agree(office.register(), duties=soon)
    after = counts(office)["duties"]
    assert sum(after[state] for state in ("due", "late", "overdue")) == listed() > 0
    assert after["next"]


def test_clocks_and_assignments_are_counted_for_their_own_person(office, gateway) -> None:
    """An incident counts until its notice; an access request for its officer alone."""
    auditor = gateway.partner("auditor")
    path = "/v1/ledger/overview"
    before = counts(office, auditor, path)
    body = {"description": "Laptop hilang", "since": "2026-01-01", "until": "2026-01-02", "partners": ["bpjs"]}
    incident = office.post("/v1/incidents", body).json()["id"]
    nik = gateway.resident()["nik"]
    opened = office.post("/v1/access-requests", {"nik": nik, "reference": "DESK-1"}, by=auditor)
    assert opened.status_code == 201, opened.text
    after = counts(office, auditor, path)
    assert after["incidents"]["open"] == before["incidents"]["open"] + 1 == counts(office)["incidents"]["open"]
    assert after["access_requests"]["open"] == before["access_requests"]["open"] + 1
    assert (after["access_requests"]["near"], after["access_requests"]["overdue"]) == (0, 0)
    assert after["access_requests"]["next"]
    office.post(f"/v1/incidents/{incident}/notified", {"reference": "ND/2"})
    office.post(f"/v1/access-requests/{opened.json()['id']}/close", by=auditor)
    last = counts(office, auditor, path)
    assert last["incidents"]["open"] == before["incidents"]["open"]
    assert last["access_requests"]["open"] == before["access_requests"]["open"]
    assert slug(office.get(path, by=office.registrar)) == "insufficient-scope"
    assert slug(office.get("/v1/overview", by=gateway.partner("bpjs"))) == "insufficient-scope"
