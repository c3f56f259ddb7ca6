"""Does `If-Match` keep a person from ending what another has changed meanwhile? Where a view has an ETag."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from desk import Office, slug


@pytest.fixture
def office(gateway) -> Office:
    """The administrators of a served gateway."""
    return Office(gateway)


def day(offset: int = 0) -> str:
    """A day in Jakarta, from today."""
    return (datetime.now(UTC) + timedelta(hours=7, days=offset)).strftime("%Y-%m-%d")


def assigned(office: Office) -> str:
    """An assignment of the auditor over the first partner, in force; its id."""
    body = {
        "auditor": "Demo Auditor", "letter": "ST/18/2026", "partners": ["bpjs"], "since": day(-30), "until": day(1),
        "expires": day(30),
    }  # fmt: skip
    reply = office.approve(office.post("/v1/assignments", body).json())
    assert reply.status_code == 200, reply.text
    return str(reply.json()["assignment"])


def test_an_assignment_is_ended_as_it_was_seen(office) -> None:
    """Another state than the one that was read is refused, and the assignment goes on; the present one is taken."""
    id = assigned(office)
    path = f"/v1/assignments/{id}"
    seen = office.get(path).headers["etag"]
    end = office.registrar.call
    assert slug(end("DELETE", path, headers={"If-Match": '"other"'})) == "conflict"
    assert office.get(path).json()["state"] == "in_force"
    assert end("DELETE", path, headers={"If-Match": seen}).json()["state"] == "ended"


def test_a_notice_is_noted_on_the_incident_that_was_seen(office) -> None:
    """The ETag stays the same while the clock runs, and moves with the notice."""
    body = {"description": "Laptop hilang", "since": day(-1), "until": day(), "partners": ["bpjs"]}
    incident = office.post("/v1/incidents", body).json()["id"]
    path = f"/v1/incidents/{incident}"
    seen = office.get(path).headers["etag"]
    assert office.get(path).headers["etag"] == seen
    notice = {"reference": "ND/1"}
    assert slug(office.post(f"{path}/notified", notice, If_Match='"other"')) == "conflict"
    assert office.post(f"{path}/notified", notice, If_Match=seen).status_code == 200
    assert office.get(path).headers["etag"] != seen
