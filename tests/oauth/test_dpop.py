"""DPoP proofs: RFC 9449 §4.3, rule by rule."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from holders import BASE, NOW, HandClock, Holder, ath, compact
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.clock import SECOND
from gateway.errors import Cause, Refused
from gateway.keyring import Job, MacKey
from gateway.keyring.keys import b64u, b64u_decode
from gateway.oauth.dpop import Proof, ProofChecker

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/rfc9449.json").read_text())
PATH = "/v1/verifications"
TOKEN = ath("token")
SKEW, NONCE_LIFE = 60 * SECOND, 300  # what the contract promises: either way, and seconds
NONCE_KEY = MacKey(Job.NONCE, 1, bytes(range(32)))
EC = Holder("EC")


@pytest.fixture
def checker(clock: HandClock) -> ProofChecker:
    return ProofChecker(BASE, clock, NONCE_KEY)


def check(checker: ProofChecker, proof: str, ath: str | None = None) -> Proof:
    return checker.check([proof], "POST", PATH, ath)


def refused(checker: ProofChecker, proof: str, ath: str | None = None) -> str:
    with pytest.raises(Refused) as raised:
        check(checker, proof, ath)
    assert raised.value.refusal.cause is Cause.INVALID_DPOP_PROOF
    return str(raised.value.refusal.facts["fault"])


def test_a_proof_of_every_kind_of_key_holds(holder: Holder, checker: ProofChecker) -> None:
    """It gives the key's thumbprint and the id of its single use, the second time from memory just so."""
    for _ in range(2):
        proof = check(checker, holder.proof(ath=TOKEN), TOKEN)
        assert proof.thumbprint == holder.thumbprint
        assert (len(proof.id.id), proof.id.kind) == (16, "dpop")


@pytest.mark.parametrize("which", ["token_request", "resource_request"])
def test_the_examples_of_the_rfc_hold(which: str) -> None:
    """Both proofs that RFC 9449 prints, at the second that they were made in."""
    example = VECTORS[which]
    clock = HandClock(example["iat"] * SECOND)
    checker = ProofChecker(example["base_url"], clock, NONCE_KEY)
    told = ath(example["token"]) if "token" in example else None
    assert told == example.get("ath")
    proof = checker.check([example["proof"]], example["method"], example["path"], told)
    assert proof.thumbprint == VECTORS["thumbprint"]
    clock.at += SKEW + SECOND
    with pytest.raises(Refused):
        checker.check([example["proof"]], example["method"], example["path"], told)


@pytest.mark.parametrize("proofs", [[], ["", ""], ["two"] * 2])
def test_there_is_exactly_one_header(proofs: list[str], checker: ProofChecker) -> None:
    """Rule 1: none and two are refused alike, and so are two proofs in one."""
    with pytest.raises(Refused) as raised:
        checker.check(proofs, "POST", PATH, None)
    assert raised.value.refusal.facts["fault"] == "exactly one DPoP header is needed"
    refused(checker, f"{EC.proof()},{EC.proof()}")


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "e30.e30.e30", "éé.éé.éé"])
def test_it_is_a_well_formed_jwt(text: str, checker: ProofChecker) -> None:
    """Rule 2."""
    refused(checker, text)


@pytest.mark.parametrize("member", ["jti", "htm", "htu", "iat"])
@pytest.mark.parametrize("value", [..., None, [], {}, True])
def test_it_has_every_member(member: str, value: Any, checker: ProofChecker) -> None:
    """Rule 3: each of them there, and of its own kind."""
    assert "jti, htm, htu (text) and iat (number)" in refused(checker, EC.proof(**{member: value}))


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b'"x"', b"{", b'{"jti":"\xff"}', b'{"x":' + b"[" * 5000])
def test_its_payload_is_an_object(payload: bytes, checker: ProofChecker) -> None:
    """Signed rubbish is refused like any other."""
    refused(checker, EC.sign({"typ": "dpop+jwt", "alg": "ES256", "jwk": EC.key.as_dict(private=False)}, payload))


@pytest.mark.parametrize("typ", [..., "JWT", "DPOP+JWT", "application/dpop+jwt", "dpop+jwt ", "", None, [], 1])
def test_its_type_is_dpop(typ: Any, checker: ProofChecker) -> None:
    """Rule 4: an assertion or an access token of the same key is no proof."""
    assert "typ" in refused(checker, EC.proof({"typ": typ}))


@pytest.mark.parametrize("alg", ["none", "HS256", "RS256", "ES384"])
def test_its_algorithm_is_asymmetric_and_one_of_ours(alg: str, checker: ProofChecker) -> None:
    """Rule 5."""
    assert "alg must be one of" in refused(checker, EC.proof({"alg": alg}))


def test_its_signature_verifies_with_its_own_key(checker: ProofChecker) -> None:
    """Rule 6: not with another's, and not once anything has been changed."""
    assert refused(checker, EC.proof({"jwk": Holder("EC", "other").key.as_dict(private=False)}))
    head, payload, signature = EC.proof().split(".")
    other = EC.proof(htm="GET").split(".")[1]
    assert refused(checker, f"{head}.{other}.{signature}") == "the signature does not verify"
    assert refused(checker, f"{head}.{payload}.{b64u(bytes(64))}") == "the signature does not verify"
    assert refused(checker, f"{head}.{payload}.") == "the signature does not verify"


def test_its_key_is_public(checker: ProofChecker) -> None:
    """Rule 7: a private key in the header is refused, and so is none, or something else."""
    assert "public key" in refused(checker, EC.proof({"jwk": EC.key.as_dict(private=True)}))
    for jwk in (..., None, "x", [], {}, {"kty": "oct", "k": "AAAA"}):
        assert "jwk" in refused(checker, EC.proof({"jwk": jwk}))


@pytest.mark.parametrize("method", ["GET", "post", "POST ", "", "PUT"])
def test_it_is_for_this_method(method: str, checker: ProofChecker) -> None:
    """Rule 8: letter for letter (methods know capitals)."""
    assert refused(checker, EC.proof(htm=method)) == "htm is not the method of this call"


@pytest.mark.parametrize(
    "htu",
    [
        f"{BASE}{PATH}",
        f"{BASE}{PATH}?x=1",
        f"{BASE}{PATH}#part",
        f"{BASE}:443{PATH}?x#y",
        f"HTTPS://NIK.Example.GO.ID{PATH}",
    ],
)
def test_the_url_is_compared_after_normalisation(htu: str, checker: ProofChecker) -> None:
    """Rule 9: without query and fragment; case of scheme and host and the default port do not count."""
    check(checker, EC.proof(htu=htu))


@pytest.mark.parametrize(
    "htu",
    [
        "", PATH, f"http://nik.example.go.id{PATH}", f"https://nik.example.go.id:8443{PATH}",
        f"https://nik.example.go.id:0{PATH}",
        f"https://nik.example.go.id:80{PATH}", f"https://nik.example.go.id.attacker.example{PATH}",
        f"https://attacker.example{PATH}", f"https://nik.example.go.id@attacker.example{PATH}",
        f"https://attacker.example@nik.example.go.id{PATH}", f"https://a:b@nik.example.go.id{PATH}",
        f"{BASE}{PATH}/", f"{BASE}{PATH}/batch", f"{BASE}/V1/verifications", f"{BASE}//v1/verifications", BASE,
        f"{BASE}{PATH}\n", f"{BASE}{PATH};x", f"https://nik.example.go.id:x{PATH}", f"https://[{PATH}",
        f"//nik.example.go.id{PATH}",
    ],
)  # fmt: skip
def test_it_is_for_this_url(htu: str, checker: ProofChecker) -> None:
    """Rule 9: another scheme, host, port, path or user is another URL."""
    assert refused(checker, EC.proof(htu=htu)) == "htu is not the URL of this call"


def test_a_base_with_a_port_is_compared_with_it() -> None:
    """A deployment on its own port takes that port, and no other."""
    checker = ProofChecker("http://127.0.0.1:8080", HandClock(), NONCE_KEY)
    check(checker, EC.proof(htu=f"http://127.0.0.1:8080{PATH}"))
    plain = ProofChecker("http://gateway.example", HandClock(), NONCE_KEY)
    check(plain, EC.proof(htu=f"http://gateway.example:80{PATH}"))
    for other in ("http://127.0.0.1", "http://127.0.0.1:80", "https://127.0.0.1:8080", "http://localhost:8080"):
        refused(checker, EC.proof(htu=other + PATH))


def test_it_is_of_now(clock: HandClock, checker: ProofChecker) -> None:
    """Rule 11: a minute to either side of the gateway's time, and not a microsecond more; fractions are numbers too."""
    now = NOW // SECOND
    for iat in (now - 60, now + 60, now + 0.5, float(now)):
        check(checker, EC.proof(iat=iat))
    for iat in (now - 61, now + 61, now - 60.001, now + 60.001, 0, -now):
        assert "iat is more than 60 seconds" in refused(checker, EC.proof(iat=iat))
    clock.at += 1
    assert "iat is more than 60 seconds" in refused(checker, EC.proof(iat=now - 60))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.sampled_from(["iat", "exp", "nbf"]), st.integers().map(str) | st.floats(allow_nan=False).map(repr))
def test_no_number_is_an_error_of_the_gateway(checker: ProofChecker, member: str, number: str) -> None:
    """However large, small or fractional: a proof or a refusal, never another exception."""
    try_number(checker, member, number)


@pytest.mark.parametrize("member", ["iat", "exp", "nbf"])
@pytest.mark.parametrize(
    "number",
    ["1e400", "-1e400", "1e308", "-1e308", "9" * 400, "-" + "9" * 400, "NaN", "Infinity"],
)
def test_no_extreme_number_is_an_error_of_the_gateway(checker: ProofChecker, member: str, number: str) -> None:
    """Those that overflow on the way to microseconds."""
    try_number(checker, member, number)


def try_number(checker: ProofChecker, member: str, number: str) -> None:
    body = {"jti": "x", "htm": "POST", "htu": BASE + PATH, "iat": NOW // SECOND, member: "@"}
    payload = json.dumps(body).replace('"@"', number).encode()
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": EC.key.as_dict(private=False)}
    with suppress(Refused):
        check(checker, EC.sign(head, payload))


def test_its_own_times_are_kept(checker: ProofChecker) -> None:
    """A proof that says itself when it ends or begins is held to that, with the same minute of leeway."""
    now = NOW // SECOND
    check(checker, EC.proof(exp=now - 60, nbf=now + 60))
    for times in ({"exp": now - 61}, {"nbf": now + 61}):
        assert "outside its own" in refused(checker, EC.proof(**times))


@pytest.mark.parametrize("told", [..., "", None, ath("another"), TOKEN + "="])
def test_it_is_for_this_token(told: Any, checker: ProofChecker) -> None:
    """Rule 12: with an access token its hash must be there, and be this one's."""
    assert refused(checker, EC.proof(ath=told), TOKEN) == "ath is not the hash of the access token"
    check(checker, EC.proof(ath=TOKEN), TOKEN)


@pytest.mark.parametrize("jti", ["", "x" * 257])
def test_its_id_has_a_bound(jti: str, checker: ProofChecker) -> None:
    """1 to 256 characters: no empty one is unique, and nobody fills the store by one call."""
    assert "jti" in refused(checker, EC.proof(jti=jti))
    check(checker, EC.proof(jti="x" * 256))


def test_one_use_is_one_key_and_one_jti(checker: ProofChecker) -> None:
    """The same jti under the same key is the same use, under another key or name another; kept while it can be accepted."""
    first, again, other = (check(checker, EC.proof(jti=jti)) for jti in ("a", "a", "b"))
    stranger = check(checker, Holder("EC", "other").proof(jti="a"))
    assert first.id == again.id
    assert len({first.id.id, other.id.id, stranger.id.id}) == 3
    late = check(checker, EC.proof(iat=NOW // SECOND + 60))
    assert late.id.expires >= NOW + 2 * SKEW
    assert first.id.expires == NOW + 2 * SKEW


def nonce_fault(checker: ProofChecker, proof: str) -> None:
    with pytest.raises(Refused) as raised:
        check(checker, proof)
    assert raised.value.refusal.cause is Cause.USE_DPOP_NONCE


def test_a_nonce_is_demanded_where_that_is_set(clock: HandClock) -> None:
    """Without one, the caller is told to use one; with a fresh one it passes, on any node that has the key."""
    checker = ProofChecker(BASE, clock, NONCE_KEY, nonce_required=True)
    nonce_fault(checker, EC.proof())
    nonce_fault(checker, EC.proof(nonce=""))
    check(checker, EC.proof(nonce=checker.nonce()))
    check(checker, EC.proof(nonce=ProofChecker(BASE, clock, NONCE_KEY).nonce()))


def test_a_nonce_grows_old(clock: HandClock, checker: ProofChecker) -> None:
    """Five minutes, and a second of difference between nodes' clocks."""
    nonce = checker.nonce()
    for moved, fresh in ((0, True), (NONCE_LIFE, True), (NONCE_LIFE + 1, False), (-1, True), (-2, False)):
        clock.at = NOW + moved * SECOND
        proof = EC.proof(nonce=nonce, iat=clock.at // SECOND)
        if fresh:
            check(checker, proof)
        else:
            nonce_fault(checker, proof)


def test_nonces_of_every_live_key_are_taken(clock: HandClock) -> None:
    """So that nodes can change their key one after the other: both take what either gives."""
    older, newer = NONCE_KEY, MacKey(Job.NONCE, 2, bytes(32))
    behind, ahead = (
        ProofChecker(BASE, clock, key, nonce_required=True, live_nonce_keys=[newer, older]) for key in (older, newer)
    )
    for one, other in ((behind, ahead), (ahead, behind)):
        check(one, EC.proof(nonce=other.nonce()))
    nonce_fault(ProofChecker(BASE, clock, newer, nonce_required=True), EC.proof(nonce=behind.nonce()))


def test_a_nonce_cannot_be_made_up(clock: HandClock, checker: ProofChecker) -> None:
    """Of another key, of another time, changed in any bit, or no nonce at all: sent back for a fresh one."""
    nonce = checker.nonce()
    raw = b64u_decode(nonce)
    forged = [bytes((*raw[:at], raw[at] ^ 1, *raw[at + 1 :])) for at in range(len(raw))]
    other = ProofChecker(BASE, clock, MacKey(Job.NONCE, 1, bytes(32))).nonce()
    for made_up in (*map(b64u, forged), other, nonce + "A", nonce[:-4], "x", "é", "=", b64u(raw + b"\0"), "A" * 28):
        nonce_fault(checker, EC.proof(nonce=made_up))


def test_a_key_that_was_seen_is_not_trusted_more(checker: ProofChecker) -> None:
    """The memory of parsed headers spares work, no check: a forged proof under a known header is refused."""
    proof = EC.proof()
    check(checker, proof)
    head, payload, _ = proof.split(".")
    stranger = Holder("EC", "other")
    forged = compact(b"{}", b"{}", stranger.key, "ES256").split(".")[2]
    assert refused(checker, f"{head}.{payload}.{forged}") == "the signature does not verify"


@pytest.mark.parametrize("more", ['"htm":"GET",', '"jti":"another",', '"h\\u0074m":"GET",', '"x":{"a":1,"a":2},'])
def test_a_payload_names_no_member_twice(checker: ProofChecker, more: str) -> None:
    """The last of two would count here and perhaps the first elsewhere (RFC 7519 §4)."""
    header, payload = (b64u_decode(part) for part in EC.proof().split(".")[:2])
    check(checker, compact(header, payload, EC.key, EC.alg))
    refused(checker, compact(header, b"{" + more.encode() + payload[1:], EC.key, EC.alg))
