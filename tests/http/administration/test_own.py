"""What does a partner see of itself over HTTP, so that it can find out by itself why a call was refused?"""

from __future__ import annotations

from typing import Any

from days import day
from desk import Office, slug
from partner import Partner

DATABASES = ("sqlite",)  # what is asked here does not depend on the database


def refused(office: Office, client: Partner, **members: Any) -> dict[str, Any]:
    """The problem of a call that is refused."""
    resident = office.gateway.resident()
    reply = client.verify(
        office.gateway.question(client.client_id, resident, **{"purpose": "account_opening", **members})
    )
    assert reply.status_code >= 400, reply.text
    problem: dict[str, Any] = reply.json()
    return problem


def test_refused_calls_are_listed_with_cause_and_cure(office) -> None:
    """Newest first, by pages and by cause, each with what to do in both languages and the entry that proves it."""
    partner, _, client = office.bring_in()
    told = [refused(office, client, purpose="tax_administration") for _ in range(3)]
    told.append(refused(office, client, nik="12"))
    office.ask(client)
    listed = office.get("/v1/failures", by=client).json()["items"]
    assert [each["id"] for each in listed] == [each["id"] for each in reversed(told)]
    for item, problem in zip(listed, reversed(told), strict=True):
        assert item["entry"] == problem["entry"]
        assert item["cause"]["slug"] == problem["type"].rpartition("/")[2]
        assert item["cause"]["title"].keys() == item["cause"]["what_to_do"].keys() == {"id", "en"}
        assert item["client"] == client.client_id
        assert item["at"] == problem.get("answered_at", item["at"])
    paged: list[str] = []
    cursor = ""
    while True:
        page = office.get(f"/v1/failures?limit=1{cursor}", by=client).json()
        paged += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert paged == [each["id"] for each in reversed(told)]
    cause = told[-1]["type"].rpartition("/")[2]
    (one,) = office.get(f"/v1/failures?cause={cause}&since=2026-01-01", by=client).json()["items"]
    assert one["id"] == told[-1]["id"]
    assert partner not in office.get("/v1/failures", by=office.gateway.partner("bpjs")).text


def test_a_partner_lists_nothing_of_others(office) -> None:
    """Neither failures nor keys; and what it may not ask for is refused."""
    _, _, client = office.bring_in()
    refused(office, client, purpose="tax_administration")
    _, _, other = office.bring_in()
    assert office.get("/v1/failures", by=other).json()["items"] == []
    (key,) = office.get("/v1/keys", by=other).json()["items"]
    assert key["client_id"] == other.client_id
    assert key.keys() >= {"kid", "expires", "auth_method"}
    for path in (
        "/v1/failures?cause=nothing",
        "/v1/failures?cursor=x",
        "/v1/failures?since=yesterday",
        "/v1/failures?limit=0",
    ):
        assert slug(office.get(path, by=client)) == "malformed-request", path
    for path in ("/v1/failures", "/v1/keys", "/v1/statements"):
        assert slug(office.get(path, by=office.registrar)) == "insufficient-scope", path


def test_days_of_statements_are_listed(office) -> None:
    """None of a partner that came today; those of an older one begin yesterday."""
    _, _, client = office.bring_in()
    assert office.get("/v1/statements", by=client).json()["items"] == []
    yesterday = day(-1)
    shown = office.get("/v1/statements", by=client).json()
    assert shown["newest"] in (yesterday, day(-2))
    assert slug(office.get("/v1/statements?cursor=then", by=client)) == "malformed-request"
