"""Is the same call answered and charged once (wire contract §3)? `Idempotency-Key`, quoted or not."""

from __future__ import annotations

import json
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
from contract import refused


def fresh() -> str:
    return f"key-{secrets.token_hex(6)}"


@pytest.mark.parametrize(("first", "second"), [('"{}"', '"{}"'), ("{}", "{}"), ('"{}"', "{}")])
def test_the_same_key_gives_the_same_answer(gateway, first: str, second: str) -> None:
    """The same key and body, quoted or not, give the same bytes, charged once."""
    partner, body, key = gateway.partner("bpjs"), gateway.question("bpjs", gateway.resident()), fresh()
    before = partner.spent()
    replies = [partner.verify(body, headers={"Idempotency-Key": form.format(key)}) for form in (first, second, first)]
    assert {reply.status_code for reply in replies} == {200}
    assert len({reply.content for reply in replies}) == 1
    assert partner.spent() == before + 1


def test_a_key_is_for_one_body(gateway) -> None:
    """The same key with another body, even another spelling of the same, is a conflict; nothing is charged."""
    partner, body, key = gateway.partner("bpjs"), gateway.question("bpjs", gateway.resident()), fresh()
    headers = {"Idempotency-Key": f'"{key}"'}
    first = partner.verify(body, headers=headers)
    before = partner.spent()
    other = gateway.question("bpjs", gateway.resident())
    for another in (other, json.dumps(body, indent=1).encode()):
        document = refused(partner.verify(another, headers=headers), "idempotency-conflict", gateway.issuer)
        assert document["id"] != first.json()["id"]
    assert partner.spent() == before
    assert partner.verify(body, headers=headers).content == first.content


def test_a_key_is_one_partners_own(gateway) -> None:
    """Two partners may use the same key for different questions."""
    key = {"Idempotency-Key": f'"{fresh()}"'}
    for client_id in ("bpjs", "tax"):
        assert (
            gateway.partner(client_id).verify(gateway.question(client_id, gateway.resident()), headers=key).status_code
            == 200
        )


def test_refusals_are_decided_afresh(gateway) -> None:
    """What was refused under a key may be asked under it again, once it is mended."""
    partner, body = gateway.partner("bank"), gateway.question("bank", gateway.resident(), purpose="credit_application")
    key = {"Idempotency-Key": f'"{fresh()}"'}
    refused(partner.verify(body, headers=key), "consent-missing", gateway.issuer)
    mended = body | {"consent": {"basis": "consent", "reference": "CIF-1"}}
    assert partner.verify(mended, headers=key).json()["usable"] is True


@pytest.mark.parametrize("key", ["", '""', "a b", "a" * 65, "3201010101909001", '"x', "\xe9", "a/b"])
def test_a_key_is_a_free_identifier(gateway, key: str) -> None:
    """A key that is none is refused by name, and one of sixteen digits is not repeated."""
    partner, body = gateway.partner("bpjs"), gateway.question("bpjs", gateway.resident())
    reply = partner.call("POST", "/v1/verifications", body, headers={"Idempotency-Key": key.encode("latin-1")})  # type: ignore[dict-item]
    assert refused(reply, "malformed-request", gateway.issuer)["members"] == ["Idempotency-Key"]
    assert "3201010101909001" not in reply.text


def test_a_batch_repeats_whole(gateway) -> None:
    """A batch under a key is answered with the same bytes and charged once."""
    partner, key = gateway.partner("bpjs"), {"Idempotency-Key": f'"{fresh()}"'}
    people = [gateway.question("bpjs", gateway.resident()) for _ in range(3)]
    items = [{"ref": f"r{n}", "nik": one["nik"], "claims": one["claims"]} for n, one in enumerate(people)]
    body = {"purpose": people[0]["purpose"], "items": items}
    before = partner.spent()
    assert partner.verify_batch(body, headers=key).content == partner.verify_batch(body, headers=key).content
    assert partner.spent() == before + 3


def test_calls_at_the_same_moment_are_one(gateway) -> None:
    """Ten calls under one key at once, on any worker: one answer, charged once; who comes too early is told so."""
    partner, body = gateway.partner("bpjs"), gateway.question("bpjs", gateway.resident())
    key = {"Idempotency-Key": f'"{fresh()}"'}
    before = partner.spent()
    with ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(lambda _: partner.verify(body, headers=key), range(10)))
    for reply in replies:
        if reply.status_code != 200:
            refused(reply, "idempotency-in-progress", gateway.issuer)
    assert len({reply.content for reply in replies if reply.status_code == 200}) == 1
    assert partner.spent() == before + 1
