"""How do keys lie in files? One private JWK (RFC 7517) a file, `<job>-<version>.jwk`, mode 0600.

Members beside RFC 7517: `job`, `version`, `staged`, and `since` (when it came into use). Thumbprints are those of RFC 7638.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OctKey, OKPKey

from gateway.clock import Entropy, rfc3339_seconds
from gateway.errors import Misconfigured
from gateway.keyring.keys import MAC_JOBS, SEAL_JOBS, Job, Key, Keyring, MacKey, SealKey, SigningKey, b64u, b64u_decode

SECRET_SIZE = 32
_OURS = frozenset({"job", "version", "staged", "since"})  # members of a file beside those of RFC 7517


def new(job: Job, version: int, entropy: Entropy) -> dict[str, Any]:
    """A fresh private JWK for `job`: 256 random bits, or an Ed25519 pair (ES256 for tokens, which every client knows)."""
    jwk: dict[str, Any]
    if job in MAC_JOBS or job in SEAL_JOBS:
        jwk = {"kty": "oct", "k": b64u(entropy.bytes(SECRET_SIZE))}
    elif job is Job.TOKEN:
        jwk = {**ECKey.generate_key("P-256").as_dict(private=True), "alg": "ES256", "use": "sig"}
    else:
        jwk = {**OKPKey.generate_key("Ed25519").as_dict(private=True), "alg": "Ed25519", "use": "sig"}
    jwk.pop("kid", None)
    suffix = b64u(entropy.bytes(4)) if job not in MAC_JOBS else ""
    return {**jwk, "kid": f"{job}-{version}{'-' + suffix if suffix else ''}", "job": str(job), "version": version}


def write(directory: Path, jwk: dict[str, Any]) -> Path:
    """Write `jwk` to its file; never over another key. Raises FileExistsError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / f"{jwk['job']}-{jwk['version']}.jwk"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(jwk, file, indent=1)
        file.write("\n")
    return path


def note_use(path: Path, at: int) -> None:
    """Use a key, staged or not, since the instant `at`: the file is written anew beside itself, then put in its place."""
    jwk = json.loads(path.read_text())
    jwk.pop("staged", None)
    jwk["since"] = rfc3339_seconds(at)
    beside = path.with_suffix(".new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(jwk, file, indent=1)
        file.write("\n")
    beside.replace(path)


def retire(path: Path) -> Path:
    """Put a key aside, into `retired/` beside it, where no start looks for keys."""
    aside = path.parent / "retired"
    aside.mkdir(mode=0o700, exist_ok=True)
    return path.rename(aside / path.name)


def thumbprint(jwk: dict[str, Any]) -> str:
    """RFC 7638 SHA-256 thumbprint, base64url."""
    plain = {name: value for name, value in jwk.items() if name not in _OURS}
    return JWKRegistry.import_key(plain).thumbprint()


def parse(jwk: dict[str, Any]) -> Key:
    """A key from its private JWK. Raises ValueError that says what is wrong, without the key."""
    try:
        job, version = Job(jwk["job"]), jwk["version"]
    except (KeyError, ValueError, TypeError):
        msg = f"members 'job' (one of {', '.join(Job)}) and 'version' are needed"
        raise ValueError(msg) from None
    if type(version) is not int or not 1 <= version <= 255:  # noqa: PLR2004  the version is one byte of a sealed record
        msg = "'version' must be a whole number from 1 to 255"
        raise ValueError(msg)
    staged = jwk.get("staged", False)
    if not isinstance(staged, bool):
        msg = "'staged' must be true or false"
        raise ValueError(msg)  # noqa: TRY004  every fault of a key is a ValueError
    if job in MAC_JOBS or job in SEAL_JOBS:
        secret = b64u_decode(str(jwk.get("k", ""))) if jwk.get("kty") == "oct" else b""
        if len(secret) != SECRET_SIZE:
            msg = f"the job '{job}' needs an 'oct' key of 256 bits"
            raise ValueError(msg)
        if job in MAC_JOBS:
            return MacKey(job, version, secret, staged)
        return SealKey(job, version, secret, AESGCMSIV(secret), staged)
    plain = {name: value for name, value in jwk.items() if name not in {*_OURS, "alg"}}
    try:
        key = cast("ECKey | OKPKey | OctKey", JWKRegistry.import_key(plain))
    except (JoseError, ValueError, KeyError, TypeError) as fault:
        msg = "not a private JWK"
        raise ValueError(msg) from fault
    private = None if isinstance(key, OctKey) else key.private_key
    if isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(private.curve, ec.SECP256R1):
        alg = "ES256"
    elif isinstance(private, ed25519.Ed25519PrivateKey):
        alg = "Ed25519"
    else:
        msg = f"the job '{job}' needs a private P-256 or Ed25519 key"
        raise ValueError(msg)  # noqa: TRY004  all faults of a key file are ValueErrors
    kid = str(jwk.get("kid") or key.thumbprint())
    public = {
        name: str(value) for name, value in key.as_dict(private=False).items() if name in {"kty", "crv", "x", "y"}
    }
    return SigningKey(job, version, kid, alg, private, {**public, "kid": kid, "alg": alg, "use": "sig"}, staged)


OTHERS = 0o037  # what neither others may do with a key, nor the group beside reading it


def load(directory: Path, refused: frozenset[str] = frozenset()) -> Keyring:
    """The keyring of a directory. `refused` are thumbprints that may not serve here (the published example keys).

    Where there are some, files that are open to others are refused too.

    Raises Misconfigured with every fault.
    """
    return Keyring(parse_all(directory, refused))


def parse_all(directory: Path, refused: frozenset[str] = frozenset()) -> list[Key]:
    """Every key of a directory, whatever jobs there are. Raises Misconfigured with every fault."""
    faults: list[str] = []
    keys: list[Key] = []
    if not directory.is_dir():
        raise Misconfigured([f"keys: no directory {directory}. Make keys with: nik-gateway keys new"])
    for path in sorted(directory.glob("*.jwk")):
        try:
            jwk = json.loads(path.read_text())
            keys.append(parse(jwk))
            if refused and thumbprint(jwk) in refused:
                faults.append(
                    f"keys: {path} is a published example key and may not serve in production. Make your own: nik-gateway keys new"
                )
            elif refused and path.stat().st_mode & OTHERS:
                faults.append(
                    f"keys: {path} can be read by every user of the machine, or written by its group: chmod 0600 {path}"
                )
        except (OSError, ValueError) as fault:
            faults.append(f"keys: {path}: {fault}")
    if faults:
        raise Misconfigured(faults)
    return keys
