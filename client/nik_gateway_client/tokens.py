"""How does a partner come by a token, and keep it? Discovery (RFC 8414), client credentials, and what a token is bound to.

The client is known by an assertion (RFC 7523) or its TLS certificate, the token bound by DPoP (RFC 9449) or to that
certificate (RFC 8705).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from nik_gateway_client.clock import SECOND, LocalClock, LocalEntropy
from nik_gateway_client.contents import check_digest, parsed
from nik_gateway_client.keys import PrivateKey
from nik_gateway_client.limits import retry_after_of
from nik_gateway_client.profile import PRIVATE_KEY_JWT, Profile, url_faults
from nik_gateway_client.proofs import ASSERTION_TYPE, client_assertion, dpop_proof
from nik_gateway_client.refusals import Distrusted, refusal_of, token_refused, without_nik
from nik_gateway_client.steps import Alone, Reply, Send, Talk

RENEW_EARLY = 20 * SECOND
_DEFAULT_SECONDS = 60
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")  # token68 (RFC 9110 §11.2): safe in a header
_OK = 200


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the gateway says of itself. The algorithm lists are empty where it does not tell."""

    issuer: str
    token_endpoint: str
    assertion_algorithms: tuple[str, ...]
    dpop_algorithms: tuple[str, ...]
    mtls_token_endpoint: str = ""  # where a certificate is asked for (RFC 8705 §5), when it is told


@dataclass(frozen=True, slots=True)
class Token:
    """An access token bound to this process's DPoP key or to the client's certificate.

    `repr` hides it; the instants are in microseconds.
    """

    value: str = field(repr=False)
    expires: int
    renew: int
    scope: str


class Purse:
    """Everything that a conversation remembers: metadata, the token, and the last DPoP nonce of each origin."""

    def __init__(self, profile: Profile, clock: LocalClock, entropy: LocalEntropy) -> None:
        """Loads the keys that the profile names. Raises ProfileFault."""
        self.profile = profile
        self.clock = clock
        self.entropy = entropy
        self.key = (
            PrivateKey.load(profile.key_file) if profile.auth_method == PRIVATE_KEY_JWT and profile.key_file else None
        )
        self.dpop_key = PrivateKey.load(profile.dpop_key_file) if profile.dpop_key_file else PrivateKey.fresh()
        self._metadata: Metadata | None = None
        self._token: Token | None = None
        self._nonces: dict[str, str] = {}

    def metadata(self) -> Talk[Metadata]:
        """The gateway's metadata, asked for once. Raises Distrusted when they name another issuer."""
        if self._metadata is None:
            sent = Send("GET", self.profile.metadata_url, {"Accept": "application/json", "Accept-Encoding": "identity"})
            self._metadata = read_metadata(self.profile.issuer, sent, (yield sent))
            # partners registered their key under one of two names of the same algorithm
            self.key = self.key and self.key.named_as(self._metadata.assertion_algorithms)
            self.dpop_key = self.dpop_key.named_as(self._metadata.dpop_algorithms)
        return self._metadata

    def token(self) -> Talk[Token]:
        """A token that is good for a while yet; one conversation fetches it for all that wait."""
        if self._token is None or self._token.renew <= self.clock.now():
            token: Token = yield Alone(self._fetched())
            return token
        return self._token

    def forget(self, token: Token) -> None:
        """Do not use `token` again: the gateway refused it."""
        if self._token is token:
            self._token = None

    def binding(self, method: str, url: str, token: str = "") -> dict[str, str]:
        """The headers that prove for one request that the token is this client's: a DPoP proof, or none.

        The certificate proves it by the connection that it is sent on.
        """
        return {} if self.profile.sender_constraint == "mtls" else {"DPoP": self._proof(method, url, token)}

    def scheme(self) -> str:
        """The authentication scheme of this client's tokens."""
        return "Bearer" if self.profile.sender_constraint == "mtls" else "DPoP"

    def _proof(self, method: str, url: str, token: str) -> str:
        """A fresh DPoP proof, with the nonce that the origin of `url` gave last."""
        nonce = self._nonces.get(origin(url), "")
        return dpop_proof(self.dpop_key, method, url, self.clock.now(), self.entropy, token=token, nonce=nonce)

    def note_nonce(self, url: str, reply: Reply) -> bool:
        """Keep the nonce that a reply from `url` carries; tells whether it carries one."""
        nonce = reply.headers.get("dpop-nonce", "")
        if nonce:
            self._nonces[origin(url)] = nonce
        return bool(nonce)

    def _fetched(self) -> Talk[Token]:
        if self._token is not None and self._token.renew > self.clock.now():
            return self._token  # another conversation fetched it while this one waited for its turn
        metadata = yield from self.metadata()
        for attempt in range(2):
            sent = self._token_request(metadata)
            started = self.clock.now()
            reply: Reply = yield sent
            told = self.note_nonce(sent.url, reply)
            if reply.status == _OK:
                self._token = read_token(sent, reply, started, self.scheme())
                return self._token
            if attempt or not told or (parsed(reply.content) or {}).get("error") != "use_dpop_nonce":
                break
        raise refused_token(sent, reply, self.clock.now())

    def _token_request(self, metadata: Metadata) -> Send:
        profile = self.profile
        form = {"grant_type": "client_credentials", "scope": profile.scope}
        if self.key is None:
            form["client_id"] = profile.client_id
        else:
            form["client_assertion_type"] = ASSERTION_TYPE
            form["client_assertion"] = client_assertion(
                self.key, profile.client_id, metadata.issuer, self.clock.now(), self.entropy
            )
        endpoint = metadata.token_endpoint
        if profile.cert_file is not None and metadata.mtls_token_endpoint:
            endpoint = metadata.mtls_token_endpoint
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/x-www-form-urlencoded",
            **self.binding("POST", endpoint),
        }
        return Send("POST", endpoint, headers, urlencode(form).encode())


def read_metadata(issuer: str, sent: Send, reply: Reply) -> Metadata:
    """Read an RFC 8414 document. Raises Distrusted when it is none or is another issuer's."""
    document = parsed(reply.content)
    if reply.status != _OK or document is None:
        raise Distrusted(f"{sent.url}: {reply.status}, no authorization server metadata")
    check_digest(reply)
    if document.get("issuer") != issuer:
        raise Distrusted(f"{sent.url}: the issuer is {document.get('issuer')!r}, the profile says {issuer!r}")
    aliases = document.get("mtls_endpoint_aliases")
    endpoint = document.get("token_endpoint")
    alias = aliases.get("token_endpoint", "") if isinstance(aliases, dict) else ""
    for url in (endpoint, alias or endpoint):
        if not isinstance(url, str) or url_faults(url):
            raise Distrusted(f"{sent.url}: the token endpoint {url!r} is not a URL that secrets may be sent to")
    return Metadata(
        issuer=issuer,
        token_endpoint=str(endpoint),
        mtls_token_endpoint=str(alias),
        assertion_algorithms=_names(document, "token_endpoint_auth_signing_alg_values_supported"),
        dpop_algorithms=_names(document, "dpop_signing_alg_values_supported"),
    )


def read_token(sent: Send, reply: Reply, started: int, scheme: str = "DPoP") -> Token:
    """Read a token response. Raises Distrusted when it is not a token of this scheme that fits in a header."""
    check_digest(reply)
    document = parsed(reply.content) or {}
    value, kind, seconds = (document.get(name) for name in ("access_token", "token_type", "expires_in"))
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise Distrusted(f"{sent.url}: no access token in the response")
    if not isinstance(kind, str) or kind.lower() != scheme.lower():
        bound = "the DPoP key" if scheme == "DPoP" else "the certificate"
        raise Distrusted(f"{sent.url}: the token is of type {kind!r}, not bound to {bound}")
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds <= 0:
        seconds = _DEFAULT_SECONDS
    lifetime = seconds * SECOND
    renew = started + lifetime - min(RENEW_EARLY, lifetime // 2)
    return Token(value, started + lifetime, renew, str(document.get("scope", "")))


def refused_token(sent: Send, reply: Reply, now: int) -> Exception:
    """The exception for a token endpoint's error: an RFC 6749 one, a problem document, or neither."""
    document = parsed(reply.content) or {}
    error, retry_after = document.get("error"), retry_after_of(reply.headers, now)
    if isinstance(error, str):
        description = without_nik(str(document.get("error_description", "")))
        return token_refused(error, description, reply.status, retry_after)
    if isinstance(document.get("type"), str):
        return refusal_of(document, reply.status, retry_after)
    return Distrusted(f"{sent.url}: {reply.status}, neither a token nor an OAuth error")


def origin(url: str) -> str:
    """Scheme, host and port of a URL: nonces belong to the server that gave them."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _names(document: Mapping[str, object], member: str) -> tuple[str, ...]:
    listed = document.get(member)
    return tuple(str(name) for name in listed) if isinstance(listed, list) else ()
