"""Why does my call fail? Every cause in the order in which a call meets it, with what to do about each."""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx

from nik_gateway_client.clients import GatewayClient
from nik_gateway_client.clock import SECOND, LocalClock
from nik_gateway_client.conversation import Patience
from nik_gateway_client.keys import ALGORITHMS, PrivateKey
from nik_gateway_client.profile import PRIVATE_KEY_JWT, Profile, ProfileFault, is_loopback, subject_of
from nik_gateway_client.refusals import Distrusted, NikNotYetIssued, NoAnswer, Refusal, TokenRefused
from nik_gateway_client.spending import of_certificate, of_duties, of_failures, of_usage
from nik_gateway_client.tokens import Metadata
from nik_gateway_client.verdicts import complaint, of_agreement, of_refusal, usable_purposes

State = Literal["ok", "warn", "fail", "skipped"]
CHECKS = {
    "profile": "profile readable",
    "key": "key readable, private and of a good size",
    "reach": "gateway reachable",
    "tls": "certificate trusted",
    "clock": "clock agrees",
    "metadata": "metadata and issuer",
    "algorithm": "algorithms accepted",
    "audience": "audience accepted",
    "token": "token obtained",
    "dpop": "DPoP proof accepted",
    "agreement": "agreement in force",
    "purposes": "purposes and claims",
    "address": "address allowed",
    "expiry": "key not about to expire",
    "certificate": "certificate not about to expire",
    "duties": "duties due",
    "allowance": "allowance left",
    "balance": "balance left",
    "attempts": "guesses left",
    "answer": "a verification answered and signed",
}
SKEW_WARNS = 5.0
SKEW_FAILS = 50.0  # assertions and proofs are refused from 60 s on


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: `check` is a key of `CHECKS`, `advice` what to do, empty when there is nothing to do."""

    check: str
    state: State
    found: str
    advice: str = ""


@dataclass(slots=True)
class Examination:
    """One examination of one profile against its gateway. `findings` fills up while `run` is iterated."""

    path: Path
    clock: LocalClock
    timeout: float = 5.0
    findings: dict[str, Finding] = field(default_factory=dict)

    def run(self) -> Iterator[Finding]:
        """Every check of `CHECKS`, once and in order; those that a fault before them makes meaningless are skipped."""
        for finding in self._found():
            self.findings[finding.check] = finding
            yield finding
        for check in CHECKS:
            if check not in self.findings:
                self.findings[check] = Finding(
                    check, "skipped", "could not be looked at before the fault above is mended"
                )
                yield self.findings[check]

    def _found(self) -> Iterator[Finding]:
        try:
            profile = Profile.load(self.path)
        except ProfileFault as fault:
            yield Finding("profile", "fail", "; ".join(fault.faults), "write the profile as docs/integrate.md shows it")
            return
        yield Finding("profile", "ok", f"{profile.client_id} at {profile.base_url}")
        yield (key := _key(profile))
        if key.state == "fail":
            return
        yield from self._connected(profile)
        if any(self.findings[check].state == "fail" for check in ("reach", "tls") if check in self.findings):
            return
        with GatewayClient(profile, clock=self.clock, patience=Patience(attempts=1), timeout=self.timeout) as client:
            yield from self._accepted(profile, client)

    def _connected(self, profile: Profile) -> Iterator[Finding]:
        host = urlsplit(profile.base_url).hostname or ""
        before = self.clock.now()
        try:
            with httpx.Client(
                verify=profile.tls(), timeout=self.timeout, follow_redirects=False, trust_env=not is_loopback(host)
            ) as http:
                reply = http.get(profile.metadata_url)
        except ProfileFault as fault:
            yield Finding("tls", "fail", "; ".join(fault.faults), "put the gateway's authority there, in PEM")
            yield Finding("reach", "skipped", "not tried without the authority")
            return
        except httpx.TransportError as error:
            yield from _lost(profile, error)
            return
        yield Finding("reach", "ok", f"{profile.metadata_url} replied {reply.status_code}")
        yield _tls(profile)
        yield _skew(reply.headers.get("date"), (before + self.clock.now()) / 2 / SECOND)

    def _accepted(self, profile: Profile, client: GatewayClient) -> Iterator[Finding]:
        try:
            metadata = client.metadata()
        except NoAnswer as error:
            advice = "set `issuer` to exactly what the gateway calls itself, character by character, and check base_url"
            yield Finding("metadata", "fail", str(error), advice)
            return
        yield Finding("metadata", "ok", f"issuer {metadata.issuer}")
        yield (algorithm := _algorithms(profile, metadata))
        if algorithm.state == "fail":
            return
        try:
            token = client.token()
        except (TokenRefused, Refusal, NoAnswer) as error:
            yield from _no_token(profile, error)
            return
        yield Finding("audience", "ok", f"aud is {metadata.issuer!r}, a string and nothing else")
        yield Finding("token", "ok", f"scope {token.scope or profile.scope}")
        try:
            agreement = client.agreement()
        except Refusal as refusal:
            yield from (Finding(*verdict) for verdict in of_refusal(refusal))
            return
        except NoAnswer as error:
            yield Finding("dpop", "fail", str(error), "ask the gateway's operator what stands between it and you")
            return
        possession = "certificate" if profile.sender_constraint == "mtls" else "proof"
        yield Finding("dpop", "ok", f"a call with token and {possession} was let in")
        kid = PrivateKey.load(profile.key_file).kid if profile.key_file else ""
        own = _own_address(profile)
        yield from (Finding(*verdict) for verdict in of_agreement(agreement, kid, own, self.clock.now()))
        yield Finding(*of_certificate(profile.cert_file, self.clock.now()))
        yield Finding(*of_duties(agreement, self.clock.now()))
        try:
            yield from (Finding(*verdict) for verdict in of_usage(client.usage()))
            yield Finding(*of_failures(client.failures(), agreement, self.clock.now()))
        except NoAnswer as error:
            yield Finding("allowance", "fail", str(error), "ask the gateway's operator, with the error's words")
            return
        yield self._answered(profile, client, agreement)

    def _answered(self, profile: Profile, client: GatewayClient, agreement: Mapping[str, Any]) -> Finding:
        """One call the whole way: that a newborn has no NIK yet is sealed and signed like any answer, and costs nothing."""
        purposes = usable_purposes(agreement)
        if not purposes or self.findings["purposes"].state == "fail":
            return Finding("answer", "skipped", "there is no purpose to ask for")
        try:
            client.verify(None, purposes[0], {"name": "-", "birth_date": "2026-01-01"})
        except NikNotYetIssued as refusal:
            signed = "signed" if profile.signed_answers else "unsigned, as was agreed"
            return Finding("answer", "ok", f"{signed} and sealed as entry {refusal.entry}: a newborn, unbilled")
        except Refusal as refusal:
            (*_, (_, _, found, advice)) = of_refusal(refusal, at="answer")
            return Finding("answer", "fail", found, advice)
        except NoAnswer as error:
            return Finding("answer", "fail", str(error), "ask the operator what stands between you and the gateway")
        return Finding("answer", "fail", "a question without a NIK was answered", "ask the gateway's operator")


def _own_address(profile: Profile) -> str:
    """The address that this machine's calls to the gateway leave by; nothing is sent to find it out."""
    parts = urlsplit(profile.base_url)
    for family, kind, *_, target in socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_DGRAM):
        with socket.socket(family, kind) as probe:
            try:
                probe.connect(target)
            except OSError:
                continue
            return str(probe.getsockname()[0])
    return "0.0.0.0"  # noqa: S104  no address: it is told, not listened on


def _key(profile: Profile) -> Finding:
    loose = []
    shown = []
    try:
        for path in (profile.key_file, profile.dpop_key_file):
            if path is not None:
                key = PrivateKey.load(path)
                shown.append(f"{path.name}: {key.alg}, kid {key.kid}")
        if profile.cert_file is not None:
            profile.tls()
            shown.append(f"{profile.cert_file.name}: {subject_of(profile.cert_file)}")
        secret = (profile.key_file, profile.dpop_key_file, profile.cert_key_file or profile.cert_file)
        loose += [str(path) for path in secret if path and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
    except ProfileFault as fault:
        return Finding(
            "key",
            "fail",
            "; ".join(fault.faults),
            f"use a private JWK for {', '.join(ALGORITHMS)}, and a certificate with its key in PEM",
        )
    if loose:
        return Finding("key", "warn", f"others may read {', '.join(loose)}", f"chmod 600 {' '.join(loose)}")
    return Finding("key", "ok", "; ".join(shown))


def _lost(profile: Profile, error: httpx.TransportError) -> Iterator[Finding]:
    text = f"{type(error).__name__}: {error}"
    if "CERTIFICATE_VERIFY_FAILED" in text or "SSL" in text:
        yield Finding("reach", "ok", "something listens there")
        advice = "set `ca_file` to the authority of the gateway's certificate and use the name it is made out to; "
        yield Finding("tls", "fail", text, advice + "never switch the check off")
        return
    advice = "check base_url, name resolution and firewalls, and that the gateway runs"
    yield Finding("reach", "fail", f"{profile.metadata_url}: {text}", advice)


def _tls(profile: Profile) -> Finding:
    if urlsplit(profile.base_url).scheme == "https":
        return Finding("tls", "ok", f"checked against {profile.ca_file or 'the public authorities'}")
    return Finding("tls", "ok", "plain http to this machine: a demo", "")


def _skew(date: str | None, local: float) -> Finding:
    try:
        served = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return Finding("clock", "warn", "the gateway's reply has no Date", "keep this machine's clock on NTP")
    skew = local - served - 0.5  # Date tells whole seconds
    shown = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the gateway"
    if abs(skew) > SKEW_FAILS:
        return Finding("clock", "fail", shown, "set this machine's clock by NTP: assertions and proofs will be refused")
    if abs(skew) > SKEW_WARNS:
        return Finding("clock", "warn", shown, "set this machine's clock by NTP: from 60 s on every call is refused")
    return Finding("clock", "ok", shown)


def _algorithms(profile: Profile, metadata: Metadata) -> Finding:
    faults = []
    own = PrivateKey.load(profile.key_file).named_as(metadata.assertion_algorithms).alg if profile.key_file else ""
    assertion = own if profile.auth_method == PRIVATE_KEY_JWT else ""
    dpop_key = PrivateKey.load(profile.dpop_key_file) if profile.dpop_key_file else None
    dpop = dpop_key.named_as(metadata.dpop_algorithms).alg if dpop_key else "ES256"
    for what, alg, accepted in (
        ("client assertions", assertion, metadata.assertion_algorithms),
        ("DPoP proofs", "" if profile.sender_constraint == "mtls" else dpop, metadata.dpop_algorithms),
    ):
        if alg and accepted and alg not in accepted:
            faults.append(f"{alg} is not accepted for {what}: {', '.join(accepted)}")
    if faults:
        return Finding("algorithm", "fail", "; ".join(faults), "make a key for one of these and have it registered")
    who = f"{assertion} for assertions" if assertion else f"{profile.auth_method} by the certificate"
    bound = "tokens bound to the certificate" if profile.sender_constraint == "mtls" else f"{dpop} for proofs"
    return Finding("algorithm", "ok", f"{who}, {bound}")


def _no_token(profile: Profile, error: NoAnswer) -> Iterator[Finding]:
    if isinstance(error, TokenRefused):
        check, advice = complaint(error, profile.client_id)
        if check != "audience":
            yield Finding("audience", "ok", f"nothing was said against aud {profile.issuer!r}")
        if check == "dpop":
            yield Finding("token", "skipped", "the proof was refused")
        yield Finding(check, "fail", str(error), advice)
    elif isinstance(error, Refusal):
        yield from (Finding(*verdict) for verdict in of_refusal(error, at="token"))
    else:
        advice = (
            "the token endpoint's reply must be a token bound as the profile says"
            if isinstance(error, Distrusted)
            else "try again"
        )
        yield Finding("token", "fail", str(error), advice)
