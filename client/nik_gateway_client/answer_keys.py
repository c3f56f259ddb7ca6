"""Which keys sign the gateway's answers? Those that its resource metadata (RFC 9728) lead to, kept for an hour."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc.util import urlsafe_b64decode

from nik_gateway_client.clock import HOUR, SECOND, LocalClock
from nik_gateway_client.contents import check_digest, parsed
from nik_gateway_client.profile import Profile, url_faults
from nik_gateway_client.refusals import Distrusted, NoAnswer
from nik_gateway_client.steps import Alone, Reply, Send, Talk

KEPT = HOUR
AGAIN = 10 * SECOND  # between two fetches for kids that nobody knew
_OK = 200


class AnswerKeys:
    """The public keys of one gateway by `kid`."""

    def __init__(self, profile: Profile, clock: LocalClock) -> None:
        self._profile = profile
        self._clock = clock
        self._keys: Mapping[str, Ed25519PublicKey] = {}
        self._fetched = self._tried = -KEPT

    def ready(self) -> Talk[None]:
        """Have the keys before a question is put: what could not be verified must not be asked, nor charged."""
        if self._clock.now() - self._fetched >= KEPT:
            try:
                yield Alone(self._fetch(self._fetched))
            except NoAnswer as error:
                error.billed = False
                raise

    def find(self, kid: str) -> Talk[Ed25519PublicKey]:
        """The key of that name; the list is fetched anew, now and then, when it is not there. Raises Distrusted."""
        if kid not in self._keys and self._clock.now() - self._tried >= AGAIN:
            try:
                yield Alone(self._fetch(self._fetched))
            except NoAnswer as error:
                error.billed = None  # an answer came, and can only not be read
                raise
        key = self._keys.get(kid)
        if key is None:
            raise Distrusted(f"the reply is signed by a key that the gateway does not list: {kid[:80]!r}")
        return key

    def _fetch(self, known: int) -> Talk[None]:
        if self._fetched != known:
            return  # another conversation fetched them while this one waited for its turn
        self._tried = self._clock.now()
        sent = _get(resource_metadata_url(self._profile.endpoint))
        keys = _get(read_resource(self._profile, sent, (yield sent)))
        self._keys = read_keys(keys, (yield keys))
        self._fetched = self._clock.now()


def resource_metadata_url(resource: str) -> str:
    """Where RFC 9728 §3.1 puts the metadata: between the host and the path of the resource."""
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-protected-resource{parts.path}"


def read_resource(profile: Profile, sent: Send, reply: Reply) -> str:
    """The `jwks_uri` of an RFC 9728 document. Raises Distrusted when it is another resource's or issuer's, or has none."""
    document = _document(sent, reply)
    issuers = document.get("authorization_servers")
    if document.get("resource") != profile.endpoint or not isinstance(issuers, list) or profile.issuer not in issuers:
        raise Distrusted(f"{sent.url}: the metadata are not those of {profile.endpoint} with issuer {profile.issuer}")
    url = document.get("jwks_uri")
    if not isinstance(url, str) or url_faults(url):
        raise Distrusted(f"{sent.url}: the keys are at {url!r}, which is not a URL that keys may come from")
    return url


def read_keys(sent: Send, reply: Reply) -> Mapping[str, Ed25519PublicKey]:
    """The Ed25519 signing keys of a JWK set by `kid`; keys of other kinds are left out. Raises Distrusted."""
    listed = _document(sent, reply).get("keys")
    keys: dict[str, Ed25519PublicKey] = {}
    for jwk in listed if isinstance(listed, list) else ():
        if not isinstance(jwk, dict) or (jwk.get("kty"), jwk.get("crv")) != ("OKP", "Ed25519"):
            continue
        kid, x = jwk.get("kid"), jwk.get("x")
        fits = jwk.get("use", "sig") == "sig" and jwk.get("alg", "Ed25519") in ("Ed25519", "EdDSA")
        if fits and isinstance(kid, str) and isinstance(x, str) and kid not in keys:
            try:
                keys[kid] = Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(x.encode()))
            except ValueError:
                continue
    if not keys:
        raise Distrusted(f"{sent.url}: no key that signs answers")
    return keys


def _get(url: str) -> Send:
    return Send("GET", url, {"Accept": "application/json", "Accept-Encoding": "identity"})


def _document(sent: Send, reply: Reply) -> Mapping[str, object]:
    document = parsed(reply.content)
    if reply.status != _OK or document is None:
        raise Distrusted(f"{sent.url}: {reply.status}, no JSON object")
    check_digest(reply)
    return document
