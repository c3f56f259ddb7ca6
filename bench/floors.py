"""What is the least that a server of this kind can cost?

`bare` is an ASGI no-op, `noop` a Litestar JSON handler that does nothing, `crypto` one that parses the body of a
verification and does nothing but one ES256 verify and one Ed25519 sign.
"""

from __future__ import annotations

from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from litestar import Litestar, Request, Response, post

PATH = "/v1/verifications"
_ANSWER = b'{"usable":true}'
_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(_ANSWER)).encode())],
}
_BODY = {"type": "http.response.body", "body": _ANSWER}

_PROOF = b"x" * 400  # about the signing input of a DPoP proof
_prover = ec.generate_private_key(ec.SECP256R1())
_SIGNATURE = _prover.sign(_PROOF, ec.ECDSA(SHA256()))
_prover_public = _prover.public_key()
_ES256 = ec.ECDSA(SHA256())
_signer = ed25519.Ed25519PrivateKey.generate()


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """The members of a verification that this bench sends."""

    nik: str
    purpose: str
    claims: dict[str, str]


_decode = msgspec.json.Decoder(Asked).decode


async def bare(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """ASGI and nothing else."""
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    await send(_START)
    await send(_BODY)


@post(PATH, status_code=200)
async def answer_nothing() -> dict[str, bool]:
    """The no-op: a route, and a dict to encode."""
    return {"usable": True}


@post(PATH, status_code=200)
async def answer_crypto(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The crypto floor: parse, verify once, sign once."""
    _decode(await request.body())
    _prover_public.verify(_SIGNATURE, _PROOF, _ES256)
    _signer.sign(_PROOF)
    return Response(_ANSWER, media_type="application/json")


noop = Litestar([answer_nothing], openapi_config=None)
crypto = Litestar([answer_crypto], openapi_config=None)
