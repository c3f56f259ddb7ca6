"""Does our own client get through to a real gateway? `nik_gateway_client`, its commands, and the guide's examples."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from served import HOUSE, Gateway

from gateway.cli.doctor import doctor
from gateway.cli.verify import verify
from nik_gateway_client import (
    Answer,
    AsyncGatewayClient,
    CredentialRefused,
    GatewayClient,
    InvalidQuestion,
    LimitReached,
    NikNotYetIssued,
    NoAnswer,
    NotAgreed,
    Patience,
    ProfileFault,
    Refusal,
    TokenRefused,
    answer_digest,
    request_digest,
)

DATABASES = ("sqlite",)  # what is asked here does not depend on the database

PURPOSE = "claim_eligibility"
CLIENTS = ("bpjs", "bank", "tax")


def profile(gateway: Gateway, client_id: str) -> Path:
    return gateway.directory / "partners" / client_id / "profile.toml"


def asked(gateway: Gateway, client_id: str = "bpjs") -> tuple[str, str, dict[str, str]]:
    question = gateway.question(client_id, gateway.resident())
    return question["nik"], question["purpose"], question["claims"]


@pytest.mark.parametrize("client_id", CLIENTS)
def test_it_verifies(gateway, client_id: str) -> None:
    """An answer by each algorithm and disclosure; what was not disclosed is None; limits are those of the reply."""
    with GatewayClient(profile(gateway, client_id)) as client:
        answer = client.verify(*asked(gateway, client_id))
        assert answer.usable is True
        assert answer.match is (None if client_id == "bank" else True)
        assert bool(answer.claims) is (client_id == "bpjs")
        assert {limit.name for limit in client.limits} == {"burst", "day", "month"}
        wrong = client.verify(gateway.unknown()["nik"], gateway.question(client_id, gateway.unknown())["purpose"], {
            "name": "TIADA", "birth_date": "1990-01-01"})  # fmt: skip
        assert wrong.usable is False


def test_it_reads_agreement_and_usage(gateway) -> None:
    """The partner's own agreement tells what may be asked; usage counts what was."""
    with GatewayClient(profile(gateway, "bpjs")) as client:
        (agreement,) = client.agreement()["agreements"]
        assert agreement["state"] == "in_force"
        assert agreement["purposes"][PURPOSE]["decide"] == ["name", "birth_date"]
        assert agreement["purposes"][PURPOSE]["disclosure"] == "claims"
        before = client.usage()["agreements"][0]["limits"]["day"]["spent"]
        client.verify(*asked(gateway))
        assert client.usage()["agreements"][0]["limits"]["day"]["spent"] == before + 1


def test_it_asks_in_batches(gateway) -> None:
    """Outcomes come in the order of the items; what was refused stands there as a Refusal."""
    nik, purpose, claims = asked(gateway)
    short = {"name": "SITI"}
    rows = [("a", nik, claims), ("b", "123", claims), ("c", nik, short), ("d", nik, claims)]
    items = [{"ref": ref, "nik": asked, "claims": sent} for ref, asked, sent in rows]
    with GatewayClient(profile(gateway, "bpjs")) as client:
        results = client.verify_batch(purpose, items)
    assert [result.ref for result in results] == ["a", "b", "c", "d"]
    assert [type(result) for result in results] == [Answer, InvalidQuestion, NotAgreed, Answer]
    assert [result.usable for result in results] == [True, False, False, True]


def test_a_key_repeats_an_answer(gateway) -> None:
    """The same idempotency key gives the same answer, from another client too."""
    question = asked(gateway)
    found = set()
    for _ in range(2):
        with GatewayClient(profile(gateway, "bpjs")) as client:
            key = f"own-{gateway.workers}-{question[0][:8]}-{question[0][8:]}"
            found.add(client.verify(*question, idempotency_key=key).id)
    assert len(found) == 1


def test_evidence_is_what_was_sealed(gateway) -> None:
    """What the client keeps has the digests that the ledger's leaf holds: request under the nonce, and answer."""
    with GatewayClient(profile(gateway, "bpjs")) as client:
        kept = client.verify(*asked(gateway)).evidence()
    assert len(request_digest(kept["nonce"], kept["request"])) == len(answer_digest(kept["answer"])) == 43


@pytest.mark.parametrize(
    ("client_id", "changes", "kind"),
    [
        ("bpjs", {"nik": "123"}, InvalidQuestion),
        ("bpjs", {"nik": None}, NikNotYetIssued),
        ("bpjs", {"purpose": "vaccination"}, NotAgreed),
        ("bpjs", {"claims": {"name": "SITI"}}, NotAgreed),
        ("lapsed", {"purpose": "account_opening"}, NotAgreed),
        ("elsewhere", {"purpose": "account_opening"}, CredentialRefused),
        ("penniless", {"purpose": "account_opening"}, LimitReached),
        ("auditor", {}, CredentialRefused),
    ],
)
def test_a_refusal_is_raised_in_its_kind(
    gateway, client_id: str, changes: dict[str, Any], kind: type[NoAnswer]
) -> None:
    """Each way of not having an answer is an exception of its kind, is not usable, and shows no NIK."""
    nik, purpose, claims = asked(gateway)
    question = {"nik": nik, "purpose": purpose, "claims": claims} | changes
    with (
        GatewayClient(profile(gateway, client_id), patience=Patience(attempts=1)) as client,
        pytest.raises(kind) as raised,
    ):
        client.verify(**question, language="en")
    assert raised.value.usable is False
    assert nik not in str(raised.value)
    if isinstance(raised.value, Refusal):
        assert raised.value.billed is False


def test_an_unknown_key_gets_no_token(gateway, tmp_path) -> None:
    """Whose key is not registered is told by the token endpoint, in RFC 6749's words."""
    folder = tmp_path / "bpjs"
    shutil.copytree(profile(gateway, "bpjs").parent, folder)
    shutil.copy(profile(gateway, "small").parent / "key.jwk", folder / "key.jwk")
    with GatewayClient(folder / "profile.toml") as client, pytest.raises(TokenRefused) as raised:
        client.verify(*asked(gateway))
    assert (raised.value.error, raised.value.usable, raised.value.billed) == ("invalid_client", False, False)


def test_it_waits_and_asks_again(gateway) -> None:
    """A burst that is used up is waited out: the client keeps to Retry-After and is answered."""
    nik, _, claims = asked(gateway)
    with GatewayClient(profile(gateway, "hasty")) as client:
        answers = [client.verify(nik, "account_opening", claims) for _ in range(4)]
    assert all(answer.usable for answer in answers)


def test_it_is_asynchronous_too(gateway) -> None:
    """Twenty questions at once through one asynchronous client and one token."""
    questions = [asked(gateway) for _ in range(20)]

    async def ask() -> list[Answer]:
        async with AsyncGatewayClient(profile(gateway, "bpjs")) as client:
            return list(await asyncio.gather(*(client.verify(*question) for question in questions)))

    assert all(answer.usable for answer in asyncio.run(ask()))


def run_verify(gateway: Gateway, client_id: str, nik: str, *words: str, purpose: str = PURPOSE) -> Result:
    base = ["--profile", str(profile(gateway, client_id)), "--purpose", purpose]
    return CliRunner().invoke(verify, [*base, *words], input=f"{nik}\n")


def test_the_command_verifies(gateway) -> None:
    """`verify` reads the NIK from standard input, says the verdict, exits with 0, and never shows the NIK."""
    nik, _, claims = asked(gateway)
    words = [word for name, value in claims.items() for word in ("--claim", f"{name}={value}")]
    told = run_verify(gateway, "bpjs", nik, *words)
    assert (told.exit_code, nik in told.output) == (0, False), told.output
    machine = run_verify(gateway, "bpjs", nik, *words, "--json")
    assert machine.exit_code == 0
    assert json.loads(machine.output)["answer"]["usable"] is True
    wrong = run_verify(gateway, "bpjs", gateway.unknown()["nik"], *words, "--json")
    assert (wrong.exit_code, json.loads(wrong.output)["answer"]["usable"]) == (0, False)


def test_the_command_tells_a_refusal(gateway, tmp_path) -> None:
    """`verify` exits with 1 when it was refused and 2 when it could not ask; a NIK among the arguments is not taken."""
    nik, _, claims = asked(gateway)
    words = ["--claim", f"name={claims['name']}", "--json"]
    refused = run_verify(gateway, "bpjs", nik, *words)
    assert refused.exit_code == 1
    assert json.loads(refused.output)["problem"]["type"].endswith("/problems/claims-missing")
    nothing = run_verify(gateway, "bpjs", "", *words)
    assert nothing.exit_code == 2
    argued = run_verify(gateway, "bpjs", nik, *words, nik)
    assert (argued.exit_code, nik in argued.output) == (2, False)
    missing = CliRunner().invoke(verify, ["--profile", str(tmp_path / "none.toml"), "--purpose", PURPOSE], input=nik)
    assert missing.exit_code == 2


def examined(path: Path) -> tuple[int, dict[str, str]]:
    result = CliRunner().invoke(doctor, ["--profile", str(path), "--json"])
    findings = json.loads(result.output)["findings"] if result.exit_code != 2 else []
    return result.exit_code, {finding["check"]: finding["state"] for finding in findings}


@pytest.mark.parametrize("client_id", CLIENTS)
def test_the_doctor_finds_nothing(gateway, client_id: str) -> None:
    """A profile as the demonstration writes it is in order, by each algorithm, and its examination costs nothing."""
    before = gateway.partner(client_id).spent()
    code, states = examined(profile(gateway, client_id))
    assert (code, set(states.values()) - {"ok", "warn"}) == (0, set()), states
    assert gateway.partner(client_id).spent() == before


def test_the_doctor_names_what_is_wrong(gateway, tmp_path) -> None:
    """An ended agreement, another's key, another issuer and no profile are found: exit 1, or 2 without a profile."""
    assert examined(profile(gateway, "lapsed"))[0] == 1
    assert examined(profile(gateway, "elsewhere"))[0] == 1
    code, states = examined(profile(gateway, "penniless"))
    assert (code, states["balance"], states["answer"]) == (1, "fail", "ok")
    folder = tmp_path / "bpjs"
    shutil.copytree(profile(gateway, "bpjs").parent, folder)
    shutil.copy(profile(gateway, "small").parent / "key.jwk", folder / "key.jwk")
    assert examined(folder / "profile.toml")[0] == 1
    shutil.copy(profile(gateway, "bpjs").parent / "key.jwk", folder / "key.jwk")
    assert examined(folder / "profile.toml")[0] == 0
    text = (folder / "profile.toml").read_text()
    (folder / "profile.toml").write_text(
        text.replace(f'issuer = "{gateway.issuer}"', 'issuer = "https://elsewhere.example"')
    )
    assert examined(folder / "profile.toml")[0] == 1
    assert examined(tmp_path / "none.toml")[0] == 2
    with pytest.raises(ProfileFault):
        GatewayClient(tmp_path / "none.toml")


@pytest.mark.parametrize("client_id", CLIENTS)
def test_every_example_of_the_guide_runs(gateway, client_id: str, capsys) -> None:
    """docs/integrate.md against a real gateway: each example runs, the foreign client among them is answered too."""
    names: dict[str, Any] = {"profile_path": str(profile(gateway, client_id))}
    guide = HOUSE / "docs" / "integrate.md"
    examples = re.findall(r"^```python\n(.*?)^```", guide.read_text(), re.DOTALL | re.MULTILINE)
    assert len(examples) >= 10
    for example in examples:
        # A key that is written down belongs to one question a day.
        exec(compile(example.replace("account-4711", f"account-{client_id}"), str(guide), "exec"), names)  # noqa: S102
    assert (names["eligible"], names["outcome"]) == (True, "usable")
    said = capsys.readouterr().out
    assert "\nusable\n" in said
    assert names["nik"] not in said
