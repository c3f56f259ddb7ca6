"""Does the doctor name each cause, and does `verify` keep the NIK to itself? Through the commands, on a real socket."""

from __future__ import annotations

import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from gateway_peer import ANSWER, Reply, problem

from gateway.cli.doctor import doctor
from gateway.cli.verify import verify
from nik_gateway_client.examination import CHECKS
from nik_gateway_client.verdicts import of_agreement

NIK = "7402154505909001"


def examined(path: Path) -> tuple[int, dict[str, dict[str, str]]]:
    """(exit code, finding of each check) of the doctor."""
    result = CliRunner().invoke(doctor, ["--profile", str(path), "--json"])
    findings = json.loads(result.stdout)["findings"]
    assert sorted(finding["check"] for finding in findings) == sorted(CHECKS)
    return result.exit_code, {finding["check"]: finding for finding in findings}


def asked(path: Path, *options: str, nik: str = NIK):
    """The command's result, with the NIK on standard input."""
    arguments = ["--profile", str(path), "--purpose", "account_opening", "--claim", "name=SITI AMINAH", *options]
    return CliRunner().invoke(verify, arguments, input=f"{nik}\n")


def agreement(told: dict[str, object] | None = None, **members: object) -> dict[str, object]:
    """What `GET /v1/agreement` tells: `told` beside the list, `members` of the one agreement in it."""
    purposes = {"account_opening": {"decide": ["name", "birth_date"], "inform": [], "demands": ["consent"]}}
    one: dict[str, object] = {"agreement": "PKS-1", "version": 2, "state": "in_force", "purposes": purposes}
    one |= {"term": {"starts": "2026-01-01T00:00:00Z", "ends": "2099-01-01T00:00:00Z"}, "addresses": ["127.0.0.0/8"]}
    return {"agreements": [one | members]} | (told or {})


def test_all_good(peer, profile_path) -> None:
    """A profile without fault passes every check, in words too."""
    peer.document = agreement({"keys": [{"kid": "key-1", "expires": "2099-01-01T00:00:00Z"}]})
    code, findings = examined(profile_path)
    assert {finding["state"] for finding in findings.values()} == {"ok"}
    assert code == 0
    result = CliRunner().invoke(doctor, ["--profile", str(profile_path)])
    assert result.exit_code == 0
    assert result.stdout.count("✓") == len(CHECKS)


def test_no_profile_cannot_run(tmp_path) -> None:
    """Without a profile there is nothing to look at."""
    assert CliRunner().invoke(doctor, ["--profile", str(tmp_path / "none.toml")]).exit_code == 2


def test_a_faulty_profile_and_key_are_named(write_profile) -> None:
    """A fault of the profile or of the key stops the examination there, and what follows is skipped."""
    path = write_profile(auth_method="secret")
    code, findings = examined(path)
    assert (code, findings["profile"]["state"], findings["key"]["state"]) == (1, "fail", "skipped")
    path = write_profile()
    (path.parent / "key.jwk").write_text("{}")
    code, findings = examined(path)
    assert (code, findings["key"]["state"], findings["reach"]["state"]) == (1, "fail", "skipped")


def test_a_key_that_others_may_read_is_a_warning(peer, profile_path) -> None:
    """Loose permissions are told with the command that mends them, and are no fault."""
    (profile_path.parent / "key.jwk").chmod(0o644)
    peer.document = agreement()
    code, findings = examined(profile_path)
    assert (code, findings["key"]["state"]) == (0, "warn")
    assert findings["key"]["advice"].startswith("chmod 600")


def test_a_gateway_that_is_not_there_is_named(write_profile) -> None:
    """A gateway that does not listen is out of reach."""
    code, findings = examined(write_profile(base_url="http://127.0.0.1:1"))
    assert (code, findings["reach"]["state"], findings["clock"]["state"]) == (1, "fail", "skipped")


@pytest.mark.parametrize(("skew", "state"), [(-20, "warn"), (20, "warn"), (-120, "fail"), (120, "fail"), (1, "ok")])
def test_clocks_that_differ_are_named(peer, profile_path, skew, state) -> None:
    """More than 5 seconds apart is a warning, more than 50 a fault."""
    peer.clock_skew = skew
    peer.document = agreement()
    assert examined(profile_path)[1]["clock"]["state"] == state


def test_another_issuer_is_named(peer, write_profile) -> None:
    """A profile that names the issuer otherwise than the gateway does is at fault in its metadata."""
    code, findings = examined(write_profile(issuer=f"{peer.url}/"))
    assert (code, findings["metadata"]["state"]) == (1, "fail")
    assert "issuer" in findings["metadata"]["advice"]


def test_an_algorithm_that_is_not_taken_is_named(peer, write_profile) -> None:
    """A key whose algorithm the gateway does not list is at fault before a token is asked for."""
    peer.algorithms = ["PS256"]
    code, findings = examined(write_profile("ES256"))
    assert (code, findings["algorithm"]["state"]) == (1, "fail")
    assert peer.sent("/oauth2/token") == []


@pytest.mark.parametrize(
    ("said", "check", "word"),
    [
        ("invalid_client: aud must be the issuer, as a string and nothing else", "audience", "issuer"),
        ("invalid_client: the assertion has expired", "token", "NTP"),
        ("invalid_client: iat is more than 60 seconds ahead of the gateway's time", "token", "NTP"),
        ("invalid_client: no key of this client has this kid", "token", "kid"),
        ("invalid_client: no such client, or it is suspended, or none of its keys made this", "token", "client_id"),
        ("invalid_client: this client is suspended: ask the administration", "token", "the key is right"),
        ("invalid_client: the assertion lacks jti (a text)", "token", "jti"),
        ("invalid_scope: this client may ask for: register.feed", "token", "scope"),
        ("invalid_dpop_proof: htu is not the URL of this call", "dpop", "issuer"),
    ],
)
def test_refused_tokens_are_explained(peer, profile_path, said, check, word) -> None:
    """What the token endpoint says becomes the check at fault and what to do."""
    error, description = said.split(": ", 1)
    peer.token_error = {"error": error, "error_description": description}
    code, findings = examined(profile_path)
    assert code == 1
    assert [name for name, finding in findings.items() if finding["state"] == "fail"] == [check]
    assert word in findings[check]["advice"]


@pytest.mark.parametrize(
    ("reply", "check", "word"),
    [
        (problem(403, "address-not-allowed", seen_address="203.0.113.7"), "address", "203.0.113.7"),
        (problem(403, "agreement-not-in-force", state="suspended", restore=["deliver S1"]), "agreement", "suspended"),
        (problem(401, "invalid-dpop-proof"), "dpop", "invalid-dpop-proof"),
        (problem(403, "insufficient-scope"), "token", "insufficient-scope"),
        (Reply(document=agreement(purposes={"a": {"suspended": True}})), "purposes", "no purpose"),
        (Reply(document=agreement(state="suspended", restore=["deliver_reports"])), "agreement", "suspended"),
        (Reply(document={"agreements": []}), "agreement", "none"),
        (Reply(document=agreement({"seen_address": "203.0.113.7"})), "address", "203.0.113.7"),
    ],
)
def test_refused_calls_are_explained(peer, profile_path, reply, check, word) -> None:
    """What the gateway refuses a call for becomes the check at fault."""
    peer.scripted.append(reply)
    code, findings = examined(profile_path)
    assert code == 1
    assert [name for name, finding in findings.items() if finding["state"] == "fail"] == [check]
    assert word in findings[check]["found"]


def limits(**left: int) -> dict[str, object]:
    """What `GET /v1/usage` tells, with so much left of each limit of 100."""
    told = {name: {"limit": 100, "left": each, "spent": 100 - each, "resets_at": "R"} for name, each in left.items()}
    return {"agreements": [{"agreement": "PKS-1", "limits": told, "tariff": 1_000, "balance": 5_000_000}]}


@pytest.mark.parametrize(
    ("changed", "found", "word"),
    [
        ({"/v1/usage": limits(day=0, month=50)}, {"allowance": "fail"}, "day is spent until R"),
        ({"/v1/usage": limits(day=90, month=9)}, {"allowance": "warn"}, "month 9 of 100"),
        (
            {"/v1/usage": {"agreements": [{"agreement": "P", "tariff": 1_000, "balance": 999}]}},
            {"balance": "fail"},
            "999",
        ),
        (
            {"/v1/usage": {"agreements": [{"agreement": "P", "tariff": 1_000, "balance": 9_000}]}},
            {"balance": "warn"},
            "9 answ",
        ),
        ({"/v1/failures": {"items": [{"cause": {"slug": "attempts-exhausted"}}]}}, {"attempts": "warn"}, "1 calls"),
        (
            {"/v1/agreement": agreement(duties={"report": {"due": "2026-01-01"}})},
            {"duties": "warn"},
            "report by 2026-01-01",
        ),
    ],
)
def test_what_is_spent_or_due_is_told(peer, profile_path, changed, found, word) -> None:
    """A spent day, month or balance is a fault; what soon will be, guesses that ran out and duties are warnings."""
    peer.document = agreement()
    peer.documents = changed
    code, findings = examined(profile_path)
    assert {name: one["state"] for name, one in findings.items() if one["state"] != "ok"} == found
    assert all(word in findings[name]["found"] for name in found)
    assert code == ("fail" in found.values())


def test_a_verification_that_is_not_signed_is_a_fault(peer, profile_path) -> None:
    """The last check goes the whole way of a question, and believes nothing that bears no signature."""
    peer.document = agreement()
    peer.unsigned = {"/v1/verifications"}
    code, findings = examined(profile_path)
    assert (code, findings["answer"]["state"]) == (1, "fail")
    assert "not signed" in findings["answer"]["found"]


def test_a_term_about_to_end_is_a_warning(peer, profile_path) -> None:
    """An agreement with less than a month to go is told."""
    peer.document = agreement(term={"ends": (datetime.now(UTC) + timedelta(days=9)).isoformat()})
    code, findings = examined(profile_path)
    assert code == 0
    assert [name for name, finding in findings.items() if finding["state"] == "warn"] == ["agreement"]


def test_an_address_that_is_not_agreed_is_named() -> None:
    """An own address that is not agreed may be translated on its way; that of this machine itself cannot be."""
    told = agreement(addresses=["203.0.113.0/24"])
    states = {
        own: next(verdict[1] for verdict in of_agreement(told, "key-1", own, 0) if verdict[0] == "address")
        for own in ("203.0.113.7", "198.51.100.1", "127.0.0.1")
    }
    assert states == {"203.0.113.7": "ok", "198.51.100.1": "warn", "127.0.0.1": "fail"}


def test_a_key_about_to_expire_is_a_warning(peer, profile_path) -> None:
    """A registered key with less than a month to go is told, with the way to rotate it."""
    soon = (datetime.now(UTC) + timedelta(days=9, hours=1)).isoformat()
    peer.document = agreement({"keys": [{"kid": "key-1", "expires": soon}]})
    code, findings = examined(profile_path)
    assert (code, findings["expiry"]["state"]) == (0, "warn")
    assert "9 days" in findings["expiry"]["found"]


def test_a_certificate_that_is_not_trusted_is_named(tmp_path, write_profile) -> None:
    """A certificate of an unknown authority is the fault; with its `ca_file` the check passes."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (tmp_path / "ca.pem").write_bytes(certificate.public_bytes(pem))
    plain = serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    (tmp_path / "server.pem").write_bytes(private + certificate.public_bytes(pem))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "server.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # a client that hangs up is what this test is about
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        url = f"https://localhost:{server.server_port}"
        code, findings = examined(write_profile(base_url=url, issuer=url))
        assert (code, findings["tls"]["state"]) == (1, "fail")
        assert "ca_file" in findings["tls"]["advice"]
        code, findings = examined(write_profile(base_url=url, issuer=url, ca_file="ca.pem"))
        assert (code, findings["tls"]["state"], findings["metadata"]["state"]) == (1, "ok", "fail")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_answer_is_said_in_words(peer, profile_path) -> None:
    """The question is shown with a masked NIK, the answer in the language asked for, and where the receipt is."""
    remedy = {"by": "resident", "text": {"id": "Rekam biometrik di Dinas", "en": "Record biometrics at the office"}}
    blocked = {"usable": False, "status": "blocked", "reason": "biometric_not_recorded", "remedy": remedy}
    peer.document = {**ANSWER, **blocked}
    result = asked(profile_path)
    assert result.exit_code == 0
    assert "TIDAK DAPAT DIGUNAKAN" in result.stdout
    assert "Rekam biometrik di Dinas" in result.stdout
    assert f"/v1/receipts/{ANSWER['id']}" in result.stdout
    assert "740215" + "•" * 10 in result.stdout
    assert NIK not in result.output
    english = asked(profile_path, "--language", "en")
    assert "NOT USABLE" in english.stdout
    assert "Record biometrics at the office" in english.stdout


def test_the_json_form_and_the_evidence_file(peer, profile_path, tmp_path) -> None:
    """`--json` prints one object without the NIK; `--evidence` keeps the question for its owner alone."""
    kept = tmp_path / "evidence.json"
    result = asked(profile_path, "--json", "--evidence", str(kept), "--consent-basis", "consent", "--channel", "branch")
    told = json.loads(result.stdout)
    assert (told["answer"], told["question"]["nik"]) == (ANSWER, "740215" + "•" * 10)
    assert kept.stat().st_mode & 0o777 == 0o600
    asked_for = json.loads(kept.read_text())["request"]
    assert (asked_for["nik"], asked_for["consent"], asked_for["channel"]) == (NIK, {"basis": "consent"}, "branch")
    assert json.loads(peer.sent("/v1/verifications")[0].body) == asked_for


def test_refusals_exit_with_one(peer, profile_path) -> None:
    """A refusal is told on standard error and ends with 1; its JSON form says that nobody is usable."""
    peer.scripted.extend([problem(403, "purpose-not-agreed", detail="not in PKS-1")] * 2)
    result = asked(profile_path)
    assert (result.exit_code, "purpose-not-agreed" in result.stderr) == (1, True)
    told = json.loads(asked(profile_path, "--json").stdout)
    assert (told["usable"], told["problem"]["status"]) == (False, 403)


@pytest.mark.parametrize("options", [[NIK], ["--consent-reference", "x"], ["--claim", "name"]])
def test_what_cannot_be_asked_exits_with_two(profile_path, options) -> None:
    """A NIK among the arguments, and options that do not fit, end with 2 and are not repeated."""
    result = asked(profile_path, *options)
    assert result.exit_code == 2
    assert NIK not in result.output


def test_without_a_nik_or_a_gateway_nothing_is_asked(profile_path, write_profile) -> None:
    """An empty input, a missing profile or a silent gateway end with 2."""
    assert asked(profile_path, nik="").exit_code == 2
    assert asked(profile_path.parent / "none.toml").exit_code == 2
    assert asked(write_profile(base_url="http://127.0.0.1:1")).exit_code == 2
