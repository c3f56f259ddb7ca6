"""Does a partner get a receipt of its own answers and refusals alone, and does it prove them offline?"""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64decode
from pathlib import Path
from typing import Any

import contract
import pytest
from click.testing import CliRunner, Result
from served import Gateway

from gateway.cli.receipt import receipt as receipt_command
from gateway.clock import SystemEntropy, uuid7
from nik_gateway_client import AsyncGatewayClient, GatewayClient, ReceiptFault, Refusal, check_receipt

DATABASES = ("sqlite",)  # what is asked here does not depend on the database

PATIENCE = 15


def keys(gateway: Gateway) -> list[str]:
    return gateway.http.get("/ledger/keys").text.splitlines()


def fetched(gateway: Gateway, client_id: str, id: str) -> str:
    """The receipt as a partner gets it, after waiting as long as it is told to."""
    deadline = time.monotonic() + PATIENCE
    while True:
        reply = gateway.partner(client_id).call("GET", f"/v1/receipts/{id}")
        if reply.status_code == 200:
            assert reply.headers["content-type"] == "text/plain; charset=utf-8"
            assert reply.headers["cache-control"] == "no-store"
            return reply.text
        assert (reply.status_code, "retry-after" in reply.headers) == (404, True), reply.text
        contract.problem(reply.json(), "not-found", gateway.issuer)
        assert time.monotonic() < deadline
        time.sleep(0.2)


def asked(gateway: Gateway, client_id: str = "bpjs", **members: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    question = gateway.question(client_id, gateway.resident(), **members)
    return question, gateway.partner(client_id).verify(question).json()


def test_a_receipt_proves_which_question_got_which_answer(gateway: Gateway) -> None:
    """Right away it is not out yet, and says when; then it proves question, answer, time and place."""
    question, answer = asked(gateway)
    proven = check_receipt(fetched(gateway, "bpjs", answer["id"]), keys(gateway), request=question, answer=answer)
    assert (proven.id, proven.kind, proven.at) == (answer["id"], "answer", answer["answered_at"])
    assert (proven.actor, proven.index < proven.size) == ("bpjs/bpjs", True)
    assert (proven.request, proven.answer) == (True, True)


@pytest.mark.parametrize("id", ["%E2%82%AC", "%00", "%2e%2e", "a%20b", "%FF"])
def test_a_receipt_of_any_name_is_answered(gateway: Gateway, id: str) -> None:
    """What stands in a URL never breaks the signature of an answer: not found, sealed and signed for the URL as it was sent."""
    reply = gateway.partner("bpjs").call("GET", f"/v1/receipts/{id}")
    assert reply.status_code == 404, reply.text
    contract.problem(reply.json(), "not-found", gateway.issuer)
    assert "entry" in reply.json()
    assert "signature" in reply.headers


def test_a_refusal_has_its_receipt_too(gateway: Gateway) -> None:
    """A refused question, and a body that was none, are proven by the problem that came."""
    question, problem = asked(gateway, purpose="account_opening")
    contract.problem(problem, "purpose-not-agreed", gateway.issuer)
    text = fetched(gateway, "bpjs", problem["id"])
    assert check_receipt(text, keys(gateway), request=question, answer=problem).kind == "refusal"
    body = b'{"nik": 7}'
    malformed = gateway.partner("bpjs").verify(body).json()
    contract.problem(malformed, "malformed-request", gateway.issuer)
    text = fetched(gateway, "bpjs", malformed["id"])
    check_receipt(text, keys(gateway), request=body, answer=malformed)


def test_anything_else_is_not_proven(gateway: Gateway) -> None:
    """Another answer, question, nonce, entry, key, or a receipt that was touched: refused."""
    question, answer = asked(gateway)
    other_question, other_answer = asked(gateway)
    text, own = fetched(gateway, "bpjs", answer["id"]), keys(gateway)
    fetched(gateway, "bpjs", other_answer["id"])
    lines = text.split("\n")
    bad: list[tuple[str, list[str], Any, Any]] = [
        (text, own, question, answer | {"usable": not answer["usable"]}),
        (text, own, question, other_answer),
        (text, own, other_question, answer),
        (text, own, question | {"channel": "branch"}, answer),
        (text, own, question, answer | {"entry": other_answer["entry"]}),
        (text, own, question, answer | {"nonce": other_answer["nonce"]}),
        (text, own, question, None),
        (text, [], question, answer),
        (text, ["example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"], question, answer),
        (text.replace("\nindex ", "\nindex 1"), own, question, answer),
        ("\n".join([*lines[:3], *lines[4:]]), own, question, answer),
        (text[:-40], own, question, answer),
        (
            text.replace(lines[1], fetched(gateway, "bpjs", other_answer["id"]).split("\n")[1]),
            own,
            other_question,
            other_answer,
        ),
        ("", own, question, answer),
        ("c2sp.org/tlog-proof@v1", own, question, answer),
        (text, ["x"], question, answer),
    ]
    for receipt, known, request, told in bad:
        with pytest.raises(ReceiptFault):
            check_receipt(receipt, known, request=request, answer=told)
    check_receipt(text, own, request=question, answer=answer)


def test_a_receipt_is_its_own_partners(gateway: Gateway) -> None:
    """Another partner, an id that is none, and one that nobody has are answered alike: 404, without Retry-After."""
    _, answer = asked(gateway)
    fetched(gateway, "bpjs", answer["id"])
    nobody = uuid7(time.time_ns() // 1000, SystemEntropy())
    for client_id, id in (
        ("tax", answer["id"]),
        ("bpjs", nobody),
        ("bpjs", "x"),
        ("bpjs", "0" * 16),
        ("bpjs", answer["entry"]),
    ):
        reply = gateway.partner(client_id).call("GET", f"/v1/receipts/{id}")
        contract.problem(reply.json(), "not-found", gateway.issuer)
        assert (reply.status_code, "retry-after" in reply.headers) == (404, False)


def test_the_leaf_names_nobody(gateway: Gateway) -> None:
    """What a receipt shows holds neither NIK nor name, nor the outcome."""
    question, answer = asked(gateway)
    text = fetched(gateway, "bpjs", answer["id"])
    leaf = b64decode(text.split("\n")[1].removeprefix("extra ")).decode()
    assert json.loads(leaf)["agreement"] == "pks-bpjs"
    for secret in (question["nik"], *question["claims"].values(), "active"):
        assert secret not in leaf


def test_a_receipt_asks_for_the_scope_and_the_right_method(gateway: Gateway) -> None:
    """Without a token 401, with an auditor's 403, another method 405."""
    assert gateway.http.get("/v1/receipts/x").status_code == 401
    assert gateway.http.post("/v1/receipts/x").status_code == 405
    auditor = gateway.new_partner("auditor")
    auditor.token(scope="audit.read")
    reply = auditor.call("GET", "/v1/receipts/x", token=auditor.token(scope="audit.read"))
    contract.problem(reply.json(), "insufficient-scope", gateway.issuer)


def test_both_clients_wait_for_a_receipt(gateway: Gateway) -> None:
    """`receipt(id)` waits until a checkpoint covers the answer; an unknown id is a Refusal at once."""
    profile = gateway.directory / "partners" / "bpjs" / "profile.toml"
    resident = gateway.resident()
    with GatewayClient(profile) as client:
        answer = client.verify(resident["nik"], "claim_eligibility", _basic(resident))
        proven = check_receipt(client.receipt(answer.id), keys(gateway), request=answer.request, answer=answer.raw)
        assert proven.id == answer.id
        with pytest.raises(Refusal) as refused:
            client.receipt("nobody")
        assert refused.value.slug == "not-found"

    async def ask() -> str:
        async with AsyncGatewayClient(profile) as client:
            return await client.receipt(answer.id)

    assert check_receipt(asyncio.run(ask()), keys(gateway), answer=answer.raw).index == proven.index


def _basic(resident: dict[str, Any]) -> dict[str, str]:
    return {name: resident["claims"][name] for name in ("name", "birth_date")}


def _check(*words: object) -> Result:
    return CliRunner().invoke(receipt_command, ["check", *(str(word) for word in words)])


def test_the_command_proves_offline(sqlite_gateway: Gateway, tmp_path: Path) -> None:
    """From files alone: the evidence of `verify --evidence`, or question and answer; exit 1 when it does not hold."""
    gateway = sqlite_gateway
    question, answer = asked(gateway)
    other = asked(gateway)[1]
    evidence = {"request": question, "answer": answer, "nonce": answer["nonce"], "entry": answer["entry"]}
    (tmp_path / "keys").write_text("\n".join(keys(gateway)) + "\n")
    (tmp_path / "receipt").write_text(fetched(gateway, "bpjs", answer["id"]))
    forged = evidence | {"entry": other["entry"]}
    for name, document in (
        ("evidence", evidence), ("forged", forged), ("question", question), ("answer", answer), ("other", other)
    ):  # fmt: skip
        (tmp_path / name).write_text(json.dumps(document))
    receipt, key = tmp_path / "receipt", ("--key", tmp_path / "keys")
    two = ("--question", tmp_path / "question", "--answer", tmp_path / "answer")
    for words in (
        two,
        ("--evidence", tmp_path / "evidence"),
        ("--question", tmp_path / "evidence", "--answer", tmp_path / "answer"),
    ):
        result = _check(receipt, *words, *key)
        assert (result.exit_code, "this question got this answer" in result.output) == (0, True), result.output
    assert _check(receipt, *two, "--key", keys(gateway)[0], "--json").exit_code == 0
    assert _check(receipt, "--answer", tmp_path / "answer", *key).exit_code == 0
    assert _check(receipt, "--evidence", tmp_path / "forged", *key).exit_code == 1
    assert _check(receipt, "--question", tmp_path / "question", "--answer", tmp_path / "other", *key).exit_code == 1
    assert (
        _check(
            receipt, *two, "--key", "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
        ).exit_code
        == 1
    )
    assert _check(receipt, *two, *key, "--witness", keys(gateway)[0].replace("ledger+", "other+")).exit_code == 1
    assert _check(receipt, "--question", tmp_path / "question", *key).exit_code == 2
    assert _check(receipt, *two, "--key", tmp_path / "nothing").exit_code == 2
