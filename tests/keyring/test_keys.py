"""Keys at work: what is sealed opens in its place alone, signatures verify, and nothing shows a secret."""

from __future__ import annotations

import base64
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import SystemEntropy
from gateway.errors import Misconfigured
from gateway.keyring import Job, Keyring, MacKey, SealKey, SigningKey
from gateway.keyring import file as key_files
from gateway.keyring.keys import MAC_JOBS, SEAL_JOBS, SIGN_JOBS, SealBroken, b64u, b64u_decode

ENTROPY = SystemEntropy()
VECTORS = json.loads((Path(__file__).parents[1] / "vectors/rfc8452.json").read_text())


class Told:
    """Chance that gives the bytes it was told."""

    def __init__(self, told: bytes) -> None:
        self.told = told

    def bytes(self, count: int) -> bytes:
        assert count == len(self.told)
        return self.told


def key(job: Job, version: int = 1) -> Any:
    return key_files.parse(key_files.new(job, version, ENTROPY))


def seal_key(version: int = 1) -> SealKey:
    made = key(Job.CLAIMS, version)
    assert isinstance(made, SealKey)
    return made


@pytest.mark.parametrize("case", VECTORS["cases"])
def test_sealing_is_that_of_rfc_8452(case: dict[str, str]) -> None:
    """AES-256-GCM-SIV with the RFC's key, nonce and associated data gives the RFC's ciphertext and tag."""
    nonce = bytes.fromhex(VECTORS["nonce"])
    jwk = {"kty": "oct", "k": b64u(bytes.fromhex(VECTORS["key"])), "job": "claims", "version": 7}
    sealer = key_files.parse(jwk)
    assert isinstance(sealer, SealKey)
    plain, binding = bytes.fromhex(case["plain"]), bytes.fromhex(case["aad"])
    sealed = sealer.seal(plain, binding, Told(nonce))
    assert sealed == b"\x07" + nonce + bytes.fromhex(case["result"])
    assert sealer.open(sealed, binding) == plain


@given(st.binary(max_size=80), st.binary(max_size=16))
def test_what_is_sealed_opens_in_its_place_alone(plain: bytes, binding: bytes) -> None:
    """With the binding it was sealed with, and with no other."""
    sealer = seal_key()
    sealed = sealer.seal(plain, binding, ENTROPY)
    assert sealer.open(sealed, binding) == plain
    with pytest.raises(SealBroken):
        sealer.open(sealed, binding + b"\0")


def test_every_changed_bit_breaks_the_seal() -> None:
    """Nonce, ciphertext and tag; and a sealed text that was cut short is broken too, never an other error."""
    sealer = seal_key()
    sealed = sealer.seal(b"SITI AMINAH", b"7", ENTROPY)
    for bit in range(8, len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealBroken):
            sealer.open(bytes(changed), b"7")
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            sealer.open(sealed[:length], b"7")


def test_another_key_does_not_open() -> None:
    """Nor does the fault tell anything but the job."""
    sealed = seal_key().seal(b"SITI AMINAH", b"7", ENTROPY)
    with pytest.raises(SealBroken, match=r"^claims$"):
        seal_key().open(sealed, b"7")


def test_a_mac_is_hmac_sha_256() -> None:
    """Of a MAC key by its secret; of a seal key by another key than the one that seals."""
    mac = key(Job.INDEX)
    assert mac.mac(b"x") == hmac.digest(mac.secret, b"x", "sha256")
    sealer = seal_key()
    assert sealer.mac(b"x") == sealer.mac(b"x") != sealer.mac(b"y")
    assert sealer.mac(b"x") != hmac.digest(sealer.secret, b"x", "sha256")


@pytest.mark.parametrize("job", sorted(SIGN_JOBS))
def test_a_signature_verifies_with_the_public_key(job: Job) -> None:
    """In JOSE form: 64 bytes, r and s of equal length for ES256, hundreds of times."""
    signer = key(job)
    public = signer.private.public_key()
    for number in range(300):
        signature = signer.sign(data := number.to_bytes(2, "big"))
        assert len(signature) == 64
        if isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, data)
        else:
            assert isinstance(public, ec.EllipticCurvePublicKey)
            halves = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            public.verify(utils.encode_dss_signature(*halves), data, ec.ECDSA(hashes.SHA256()))


def ring(**versions: int) -> list[Any]:
    return [key(job, version) for job in Job for version in range(1, versions.get(job.name, 1) + 1)]


def test_the_newest_version_serves_and_older_ones_still_open() -> None:
    """For every kind of job; the public keys of all live versions are given, newest first."""
    keys = ring(CLAIMS=3, INDEX=2, TOKEN=2)
    keyring = Keyring(keys[::-1])
    assert keyring.sealer(Job.CLAIMS).version == 3
    assert [mac.version for mac in keyring.macs(Job.INDEX)] == [2, 1]
    assert keyring.mac(Job.INDEX).version == 2
    assert keyring.signer(Job.TOKEN).version == 2
    kids = [jwk["kid"] for jwk in keyring.public_jwks(Job.TOKEN)]
    assert kids == [one.kid for one in keys[::-1] if one.job is Job.TOKEN]
    old = next(one for one in keys if one.job is Job.CLAIMS and one.version == 2)
    sealed = old.seal(b"plain", b"", ENTROPY)
    assert keyring.opener(Job.CLAIMS, sealed).open(sealed, b"") == b"plain"


@pytest.mark.parametrize("sealed", [b"", b"\x09" + bytes(40)])
def test_a_version_that_is_not_on_the_ring_is_a_broken_seal(sealed: bytes) -> None:
    """Also when there are no bytes at all."""
    with pytest.raises(SealBroken):
        Keyring(ring()).opener(Job.CLAIMS, sealed)


def test_public_keys_hold_nothing_private() -> None:
    """What is published of a signing key is its public part, with kid, alg and use."""
    keyring = Keyring(ring())
    for job, members in ((Job.TOKEN, {"kty", "crv", "x", "y"}), (Job.ANSWER, {"kty", "crv", "x"})):
        (jwk,) = keyring.public_jwks(job)
        assert set(jwk) == members | {"kid", "alg", "use"}


def test_every_missing_wrong_and_doubled_key_is_named() -> None:
    """All faults at once: a job without a key, two of one version, and a key that does another kind of work."""
    keys = [one for one in ring() if one.job is not Job.NONCE]
    keys.append(key(Job.INDEX))
    keys.append(MacKey(Job.CLAIMS, 2, bytes(32)))
    with pytest.raises(Misconfigured) as raised:
        Keyring(keys)
    assert sorted(raised.value.faults) == [
        "keys: 'claims' version 2 is of the wrong kind",
        "keys: none for the job 'nonce'. Make it with: nik-gateway keys new --job nonce",
        "keys: two keys for 'index' bear the same version",
    ]
    with pytest.raises(Misconfigured) as raised:
        Keyring([])
    assert len(raised.value.faults) == len(Job)


def test_every_job_has_one_kind() -> None:
    """MAC, seal or signature, and nothing else."""
    assert sorted([*MAC_JOBS, *SEAL_JOBS, *SIGN_JOBS]) == sorted(Job)


@pytest.mark.parametrize("job", sorted(Job))
def test_no_representation_shows_a_secret(job: Job) -> None:
    """Neither `repr` nor `str` of a key or of the ring holds key bytes, in any common writing."""
    jwk = key_files.new(job, 1, ENTROPY)
    made = key_files.parse(jwk)
    secret = jwk.get("k") or jwk["d"]
    raw = b64u_decode(secret)
    shown = f"{made!r} {made} {Keyring([made, *(one for one in ring() if one.job is not job)])!r}"
    for writing in (secret, raw.hex(), repr(raw)[2:-1], base64.b64encode(raw).decode()):
        assert writing not in shown
    assert isinstance(made, MacKey | SealKey | SigningKey)


@given(st.binary(max_size=70))
def test_base64url_reads_back(data: bytes) -> None:
    """Without padding, in the alphabet of RFC 4648 §5."""
    text = b64u(data)
    assert text == base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    assert b64u_decode(text) == data


@pytest.mark.parametrize(
    "text", ["QQ==", "QQ=", "Q", "QUJD\n", " QUJD", "QU JD", "QU+D", "QU/D", "QUJDé", "QUJ%", "QUJD.", "QR", "QUJDQR", "QUF"],
)  # fmt: skip
def test_what_is_not_strict_base64url_is_refused(text: str) -> None:
    """Padding, blanks, the other alphabet, a length that cannot be, and bits beyond the last byte: one text a value."""
    with pytest.raises(ValueError, match=r"."):
        b64u_decode(text)
