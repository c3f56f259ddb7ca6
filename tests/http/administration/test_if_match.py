"""Does `If-Match` keep a person from ending what another has changed meanwhile? Where a view has an ETag."""

from __future__ import annotations

from days import day
from desk import slug

DATABASES = ("sqlite",)  # what is asked here does not depend on the database


def test_an_assignment_is_ended_as_it_was_seen(office) -> None:
    """Another state than the one that was read is refused, and the assignment goes on; the present one is taken."""
    id = office.assigned()
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
