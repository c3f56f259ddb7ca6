"""Who is it, by the word of an OpenID provider? Authorization code with PKCE (OpenID Connect Core 1.0 §3.1, RFC 7636).

Whoever the provider names is looked up by one claim that two persons have registered with the member.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import msgspec
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway.clock import SECOND, Clock
from gateway.errors import GatewayError
from gateway.strict import require_once

ALGORITHMS = ["ES256", "PS256", "RS256", "EdDSA", "Ed25519"]
REFRESH = 300 * SECOND  # how old metadata and keys may grow until they are fetched again
LEEWAY = 60  # seconds that the other clock may differ
_PATIENCE = 5.0  # seconds
_LARGEST = 256 * 1024  # bytes of a document
_OK = 200


class LoginFault(GatewayError):
    """The provider did not say who it is, or not so that it could be believed."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider, and how it knows us. `claim` names the member; `acr` and `amr` are demanded of every login."""

    issuer: str
    client_id: str
    secret: str
    claim: str = "sub"
    acr: Sequence[str] = ()
    amr: Sequence[str] = ()
    insecure: bool = False  # plain http, in a demonstration alone
    trust: SSLContext | None = None


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """What binds an answer to its question: state and nonce (RFC 6749 §10.12), the PKCE verifier, and when it was asked.

    `fresh`: the person has to prove anew who they are.
    """

    state: str
    nonce: str
    verifier: str
    at: int  # seconds
    fresh: bool = False


class Login:
    """Logins by one provider; what it publishes is kept for five minutes."""

    def __init__(self, provider: Provider, redirect_uri: str, clock: Clock) -> None:
        self._provider = provider
        self._redirect_uri = redirect_uri
        self._clock = clock
        self._metadata: Mapping[str, Any] = {}
        self._keys: Mapping[str, Any] = {}
        self._fetched = -REFRESH

    async def url(self, asked: LoginRequest) -> str:
        """Where to send the browser. Raises LoginFault."""
        metadata = await self._known()
        more = [
            ("redirect_uri", self._redirect_uri),
            ("scope", "openid email" if self._provider.claim == "email" else "openid"),
            ("state", asked.state),
            ("nonce", asked.nonce),
            ("code_challenge", create_s256_code_challenge(asked.verifier)),
            ("code_challenge_method", "S256"),
        ]
        if self._provider.acr:
            more.append(("acr_values", " ".join(self._provider.acr)))
        if asked.fresh:
            more += [("prompt", "login"), ("max_age", "0")]
        uri: str = prepare_grant_uri(
            self._endpoint(metadata, "authorization_endpoint"), self._provider.client_id, "code", **dict(more)
        )
        return uri

    async def subject(self, asked: LoginRequest, told: Mapping[str, str]) -> str:
        """Whom the provider names in answer to `asked`. Raises LoginFault."""
        metadata = await self._known()
        if told.get("state") != asked.state or not told.get("code"):
            raise LoginFault(f"no code for this state ({told.get('error', 'another answer')})")
        named = told.get("iss")
        if named is not None or metadata.get("authorization_response_iss_parameter_supported"):
            _require(named == self._provider.issuer, "the answer is of another issuer")  # RFC 9207
        form = {
            "grant_type": "authorization_code",
            "code": told["code"],
            "redirect_uri": self._redirect_uri,
            "code_verifier": asked.verifier,
        }
        reply = await self._fetch("POST", self._endpoint(metadata, "token_endpoint"), form)
        claims = await self._verified(str(reply.get("id_token", "")))
        self._check(claims, asked)
        subject = claims.get(self._provider.claim)
        if self._provider.claim == "email":
            _require(claims.get("email_verified") is True, "the provider has not verified the address")
        if not isinstance(subject, str) or not subject:
            raise LoginFault(f"no {self._provider.claim} is told")
        return subject

    def _check(self, claims: Mapping[str, Any], asked: LoginRequest) -> None:
        """OpenID Connect Core 1.0 §3.1.3.7, and what is demanded of the login itself. Raises LoginFault."""
        provider, now = self._provider, self._clock.now() // SECOND
        audience = claims.get("aud")
        audience = [audience] if isinstance(audience, str) else audience
        _require(claims.get("iss") == provider.issuer, "issued by somebody else")
        _require(isinstance(audience, list) and provider.client_id in audience, "issued for somebody else")
        _require(claims.get("azp", provider.client_id) == provider.client_id, "issued to somebody else")
        _require(audience == [provider.client_id] or "azp" in claims, "issued for several, to nobody")
        _require(claims.get("nonce") == asked.nonce, "of another login")
        _require(_whole(claims, "exp") > now - LEEWAY, "expired")
        _require(now - 600 <= _whole(claims, "iat") <= now + LEEWAY, "not of now")
        if asked.fresh:
            _require(_whole(claims, "auth_time") >= asked.at - LEEWAY, "the person was not asked anew")
        if provider.acr:
            _require(claims.get("acr") in provider.acr, "the login is weaker than demanded (acr)")
        methods = claims.get("amr")
        _require(set(provider.amr) <= set(methods if isinstance(methods, list) else ()), "weaker than demanded (amr)")

    async def _verified(self, token: str) -> Mapping[str, Any]:
        """The claims of an ID token that a key of the provider has signed; its keys are fetched anew once."""
        for last in (False, True):
            try:
                keys = KeySet.import_key_set({"keys": [each for each in self._keys.get("keys", ()) if _signs(each)]})
                found: Mapping[str, Any] = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
            except (JoseError, ValueError, TypeError, KeyError) as fault:
                if last:
                    msg = f"the ID token is not the provider's ({type(fault).__name__})"
                    raise LoginFault(msg) from fault
                await self._refresh()
            else:
                return found
        raise AssertionError

    async def _known(self) -> Mapping[str, Any]:
        if self._clock.now() - self._fetched >= REFRESH:
            await self._refresh()
        return self._metadata

    async def _refresh(self) -> None:
        issuer = self._provider.issuer
        metadata = await self._fetch("GET", issuer.rstrip("/") + "/.well-known/openid-configuration")
        _require(metadata.get("issuer") == issuer, "its metadata name another issuer")
        keys = await self._fetch("GET", self._endpoint(metadata, "jwks_uri"))
        self._metadata, self._keys, self._fetched = metadata, keys, self._clock.now()

    def _endpoint(self, metadata: Mapping[str, Any], name: str) -> str:
        url = str(metadata.get(name, ""))
        _require(urlsplit(url).scheme == "https" or self._provider.insecure, f"{name}: must be https")
        return url

    async def _fetch(self, method: str, url: str, form: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        provider = self._provider
        credentials = (
            httpx.BasicAuth(quote(provider.client_id, ""), quote(provider.secret, "")) if form is not None else None
        )
        trust = True if provider.trust is None else provider.trust
        try:
            async with (
                httpx.AsyncClient(trust_env=False, timeout=_PATIENCE, verify=trust) as http,
                http.stream(method, url, data=form, auth=credentials, headers={"accept": "application/json"}) as reply,
            ):
                body = b""
                async for part in reply.aiter_bytes():
                    body += part
                    _require(len(body) <= _LARGEST, f"{url}: too much")
                _require(reply.status_code == _OK, f"{url}: status {reply.status_code}")
            document: Mapping[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
            require_once(body, document)
        except (httpx.HTTPError, httpx.InvalidURL, msgspec.MsgspecError, UnicodeError) as fault:
            msg = f"{url}: {type(fault).__name__}"
            raise LoginFault(msg) from fault
        return document


def _signs(jwk: object) -> bool:
    """Whether a key of the provider's set may be one that it signs with."""
    return isinstance(jwk, dict) and jwk.get("kty") in {"EC", "RSA", "OKP"} and jwk.get("use", "sig") == "sig"


def _require(holds: bool, fault: str) -> None:  # noqa: FBT001  the condition itself
    """Raises LoginFault unless it holds."""
    if not holds:
        raise LoginFault(fault)


def _whole(claims: Mapping[str, Any], name: str) -> int:
    """A time of an ID token (seconds). Raises LoginFault."""
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise LoginFault(f"no {name} is told")
    return int(value)
