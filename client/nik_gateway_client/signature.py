"""Whose signature does a reply bear, and over what? RFC 9421, with exactly the components of the wire contract.

Covered: status and content digest of the reply; method, target and, when it had one, content digest of the request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from nik_gateway_client.contents import decoded
from nik_gateway_client.refusals import Distrusted
from nik_gateway_client.steps import Reply, Send

TAG = "fapi-2-response"
FRESH = 60  # seconds, either way
_PARAMETERS = r'(?:;[ ]*[a-z*][a-z0-9_.*-]*(?:=(?:"(?:[^"\\]|\\.)*"|[^;,"\s()]+))?)*'
_MEMBER = re.compile(rf'[ \t]*([a-z*][a-z0-9_.*-]*)=((\((?:[^()"]|"[^"\\]*")*\))({_PARAMETERS}))[ \t]*(?:,|$)')
_PARAMETER = re.compile(r';[ ]*([a-z*][a-z0-9_.*-]*)(?:=(?:"([^"\\]*)"|([^;,"\s()]+)))?')
_SIGNATURE = re.compile(r"(?:^|,)[ \t]*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):[ \t]*(?=,|;|$)")
_SECONDS = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class Signed:
    """What a reply says of its own signature; nothing of it has been checked yet. `created` in seconds since 1970."""

    kid: str
    created: int
    value: bytes = field(repr=False)
    base: bytes = field(repr=False)

    def check(self, key: Ed25519PublicKey, now: int) -> None:
        """The signature holds under `key` and was made about `now` (seconds). Raises Distrusted."""
        try:
            key.verify(self.value, self.base)
        except InvalidSignature:
            raise Distrusted("the reply's signature does not fit it: it was changed, or belongs elsewhere") from None
        if abs(now - self.created) > FRESH:
            raise Distrusted(f"the reply was signed {now - self.created} s ago: an old one, or a clock is wrong")


def signed(sent: Send, reply: Reply) -> Signed | None:
    """What the reply says of its signature, or None when it bears none with our tag. Raises Distrusted.

    The base is written from the request as it was sent, so that a reply to another request cannot fit.
    """
    inputs = [each for each in _members(reply.headers.get("signature-input", "")) if each[3].get("tag") == TAG]
    if not inputs:
        return None
    values = _SIGNATURE.findall(reply.headers.get("signature", ""))
    label, member, covered, parameters = inputs[0]
    values = [decoded(value) for name, value in values if name == label]
    if len(inputs) != 1 or len(values) != 1:
        raise Distrusted(f"the reply must bear one signature with the tag {TAG}, and bears several, or half of one")
    digest = reply.headers.get("content-digest")
    if digest is None:
        raise Distrusted("the reply is signed but has no Content-Digest")
    lines = [('"@status"', str(reply.status)), ('"content-digest"', digest.strip())]
    lines += [('"@method";req', sent.method), ('"@target-uri";req', sent.url)]
    if "Content-Digest" in sent.headers:
        lines.append(('"content-digest";req', sent.headers["Content-Digest"]))
    if covered != f"({' '.join(name for name, _ in lines)})":
        raise Distrusted("the reply's signature does not cover what it has to, in the order agreed")
    kid, created = parameters.get("keyid", ""), parameters.get("created", "")
    if not kid or not _SECONDS.fullmatch(created) or parameters.get("alg", "ed25519") != "ed25519":
        raise Distrusted("the reply's signature does not tell when it was made, or by which key, or is not Ed25519")
    base = "".join(f"{name}: {value}\n" for name, value in lines) + f'"@signature-params": {member}'
    return Signed(kid, int(created), values[0], base.encode())


def _members(header: str) -> list[tuple[str, str, str, Mapping[str, str]]]:
    """(label, member as it stands, its components, its parameters) of a Signature-Input. Raises Distrusted."""
    members: list[tuple[str, str, str, Mapping[str, str]]] = []
    at = 0
    while at < len(header):
        found = _MEMBER.match(header, at)
        if found is None:
            raise Distrusted("Signature-Input is no dictionary of signatures")
        label, member, covered, rest = found.groups()
        parameters = [(name, text or token) for name, text, token in _PARAMETER.findall(rest)]
        if len(dict(parameters)) != len(parameters):
            raise Distrusted("Signature-Input has a parameter twice")
        members.append((label, member, covered, dict(parameters)))
        at = found.end()
    return members
