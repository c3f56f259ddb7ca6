"""Is what an administrator does twice by mistake done once? `Idempotency-Key` on acts that create (wire contract §3)."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor

from desk import fields, new_name, slug


def test_the_same_act_is_done_once_and_told_twice(office) -> None:
    """Registration, draft and proposal: the very same answer, status and place; and one partner, one draft, one proposal."""
    body = {"name": new_name(), "class": "bank"}
    key = {"Idempotency_Key": f'"{secrets.token_hex(8)}"'}
    first, again = (office.post("/v1/partners", body, **key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert first.headers["location"] == again.headers["location"]
    partner = first.json()["id"]
    key = {"Idempotency_Key": secrets.token_hex(8)}
    drafted = [office.post(f"/v1/partners/{partner}/agreements", fields(), **key) for _ in range(3)]
    assert len({each.content for each in drafted}) == 1
    assert {each.headers["location"] for each in drafted} == {
        f"/v1/agreements/{drafted[0].json()['agreement']}/versions/1"
    }
    assert len(office.get(f"/v1/partners/{partner}").json()["agreements"]) == 1
    path = f"/v1/agreements/{drafted[0].json()['agreement']}/versions/1/propose"
    key = {"Idempotency_Key": secrets.token_hex(8)}
    one, two = (office.post(path, **key) for _ in range(2))
    assert (one.status_code, one.content, one.headers["location"]) == (202, two.content, two.headers["location"])
    assert slug(office.post(path)) == "conflict"


def test_a_key_stands_for_one_act_of_one_person(office) -> None:
    """Another body or another path under it is refused; another person may use the same key."""
    key = {"Idempotency_Key": secrets.token_hex(8)}
    body = {"name": new_name(), "class": "bank"}
    partner = office.post("/v1/partners", body, **key).json()["id"]
    assert slug(office.post("/v1/partners", {**body, "name": new_name()}, **key)) == "idempotency-conflict"
    assert slug(office.post(f"/v1/partners/{partner}/agreements", fields(), **key)) == "idempotency-conflict"
    assert slug(office.post("/v1/partners", body, by=office.approver, **key)) == "insufficient-scope"
    assert slug(office.post("/v1/partners", body, Idempotency_Key="not a key!")) == "malformed-request"


def test_a_refusal_takes_no_key(office) -> None:
    """What was refused may be sent again, right this time, under the same key."""
    key = {"Idempotency_Key": secrets.token_hex(8)}
    assert slug(office.post("/v1/partners", {"name": new_name(), "class": "circus"}, **key)) == "malformed-request"
    assert office.post("/v1/partners", {"name": new_name(), "class": "bank"}, **key).status_code == 201


def test_many_at_once_are_one(office) -> None:
    """Whoever comes first does it; all are told the same."""
    office.registrar.token()
    body, key = {"name": new_name(), "class": "bank"}, {"Idempotency_Key": secrets.token_hex(8)}
    with ThreadPoolExecutor(6) as threads:
        replies = list(threads.map(lambda _: office.post("/v1/partners", body, **key), range(6)))
    assert {(reply.status_code, reply.content) for reply in replies} == {(201, replies[0].content)}
