"""What does a refusal, or the agreement itself, say about a partner's set-up? Words and advice for `examination.py`.

A verdict is (check, state, what was found, what to do).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any, Literal, TypeAlias

from nik_gateway_client.clock import DAY, parse_rfc3339
from nik_gateway_client.refusals import Refusal, TokenRefused

Verdict: TypeAlias = tuple[str, Literal["ok", "warn", "fail", "skipped"], str, str]
EXPIRY_WARNS = 30 * DAY

_ASSERTION = (  # words of the error description, in the order in which they decide
    ("is suspended:", "token", "the key is right: ask the gateway's administration what brings the client back"),
    (
        "no such client, or it is suspended",
        "token",
        (
            "check that `client_id` is the registered one and that the public part of this key is registered for it with this "
            "kid; if both hold, ask the gateway's administration: more is told to nobody whose key has not signed"
        ),
    ),
    ("jti", "token", "give every assertion a jti of its own, retries included"),
    (
        "certificate",
        "token",
        "have this certificate (self-signed) or its name (of a known authority) registered; check that it is in its term",
    ),
    ("aud", "audience", "the assertion's aud must be the issuer, as a string: set `issuer` to what the metadata say"),
    ("expired", "token", "set this machine's clock by NTP: the assertion is too old when it arrives"),
    ("ahead", "token", "set this machine's clock by NTP: it runs ahead of the gateway's"),
    (
        "kid",
        "token",
        "check `client_id`, and that the public part of this key is registered with the same kid; or the client is suspended",
    ),
    ("", "token", "check that `client_id` is the registered one and that this key belongs to it"),
)


def complaint(error: TokenRefused, client_id: str) -> tuple[str, str]:
    """(check, advice) for what the token endpoint refused."""
    if error.error in ("invalid_dpop_proof", "use_dpop_nonce"):
        return "dpop", "set this machine's clock by NTP; issuer and resource must be the gateway's public URLs"
    if error.error == "invalid_scope":
        return "token", f"set `scope` to one that {client_id} was registered for"
    if error.error == "invalid_client":
        return next((check, advice) for word, check, advice in _ASSERTION if word in error.description.lower())
    return "token", "ask the gateway's operator, with the error's words"


def of_refusal(refusal: Refusal, at: str = "") -> Iterator[Verdict]:
    """Verdicts of a call that was refused. `at` names the check it stands for when the slug tells nothing better."""
    raw = refusal.raw
    found = str(refusal)
    match refusal.slug:
        case "invalid-token" | "invalid-dpop-proof" | "use-dpop-nonce":
            yield (
                "dpop",
                "fail",
                found,
                "set this machine's clock by NTP; issuer and resource must be the gateway's public URLs",
            )
        case "insufficient-scope":
            yield "dpop", "ok", "who calls was accepted", ""
            yield "token", "fail", found, "set `scope` to nik.verify"
        case "address-not-allowed":
            yield "dpop", "ok", "who calls was accepted", ""
            seen = raw.get("seen_address", "not told")
            advice = "call from an address of the agreement, or have this one added"
            yield "address", "fail", f"the gateway sees {seen}, which the agreement does not name", advice
        case "agreement-not-in-force":
            yield "dpop", "ok", "who calls was accepted", ""
            restore = raw.get("restore") or []
            advice = "; ".join(map(str, restore)) if isinstance(restore, Sequence) else str(restore)
            yield "agreement", "fail", f"{found} (state: {raw.get('state', 'not told')})", advice or _ASK
        case _:
            advice = "try again in a while" if refusal.retryable else _ASK
            yield at or "agreement", "fail", found, advice


_ASK = "ask the gateway's administration, and name the agreement"


def of_agreement(document: Mapping[str, Any], kid: str, own: str, now: int) -> Iterator[Verdict]:
    """Verdicts on what `GET /v1/agreement` told. `own` is this machine's address, `now` an instant."""
    agreements = mappings(document.get("agreements"))
    in_force = [agreement for agreement in agreements if agreement.get("state") == "in_force"]
    if not in_force:
        states = [f"{_name(agreement)} is {agreement.get('state')}" for agreement in agreements]
        restore = [str(slug) for agreement in agreements for slug in agreement.get("restore") or []]
        yield "agreement", "fail", "; ".join(states) or "there is none", ", ".join(restore) or _ASK
        return
    yield _term(in_force, now)
    purposes = [line for agreement in in_force for line in _purposes(agreement)]
    if purposes:
        yield "purposes", "ok", "; ".join(purposes), ""
    else:
        yield "purposes", "fail", "no purpose may be asked for now", _ASK
    yield _address(document, in_force, own)
    yield _expiry(document, kid, now)


def usable_purposes(document: Mapping[str, Any]) -> list[str]:
    """Names of the purposes that may be asked for now."""
    return [
        name
        for agreement in mappings(document.get("agreements"))
        if agreement.get("state") == "in_force"
        for name, terms in (agreement.get("purposes") or {}).items()
        if not terms.get("suspended")
    ]


def _term(agreements: Sequence[Mapping[str, Any]], now: int) -> Verdict:
    found = "; ".join(f"{_name(agreement)} until {_until(agreement)}" for agreement in agreements)
    if any(_left(_until(agreement), now) <= EXPIRY_WARNS for agreement in agreements):
        return "agreement", "warn", found, "renew it before its term ends"
    return "agreement", "ok", found, ""


def _purposes(agreement: Mapping[str, Any]) -> list[str]:
    purposes = agreement.get("purposes")
    lines = []
    for name, terms in purposes.items() if isinstance(purposes, Mapping) else ():
        if terms.get("suspended"):
            continue
        told = {word: ", ".join(map(str, terms.get(word) or [])) for word in ("decide", "inform", "demands")}
        words = {"decide": "decided by", "inform": "informed by", "demands": "demands"}
        lines.append(f"{name} ({'; '.join(f'{words[word]} {names}' for word, names in told.items() if names)})")
    return lines


def _address(document: Mapping[str, Any], agreements: Sequence[Mapping[str, Any]], own: str) -> Verdict:
    seen = document.get("seen_address")
    address = seen if isinstance(seen, str) else own
    networks = [str(network) for agreement in agreements for network in agreement.get("addresses") or []]
    if any(ip_address(address) in ip_network(network) for network in networks):
        return "address", "ok", f"{address} is one of {', '.join(networks)}", ""
    found = f"{address} is none of {', '.join(networks) or 'the agreement (it names no address)'}"
    advice = "call from an address of the agreement, or have this one added"
    if isinstance(seen, str) or ip_address(own).is_loopback:  # nothing translates addresses within one machine
        return "address", "fail", found, advice
    return "address", "warn", found, f"no matter when your calls leave by another address (NAT); else {advice}"


def _expiry(document: Mapping[str, Any], kid: str, now: int) -> Verdict:
    for key in mappings(document.get("keys")):
        until = key.get("expires")
        if key.get("kid") == kid and isinstance(until, str):
            left = _left(until, now)
            if left <= EXPIRY_WARNS:
                days = max(0, left // DAY)
                return "expiry", "warn", f"{kid} expires {until}, in {days} days", "rotate it with POST /v1/keys"
            return "expiry", "ok", f"{kid} expires {until}", ""
    return "expiry", "ok", f"no expiry is told for {kid}", ""


def _name(agreement: Mapping[str, Any]) -> str:
    return f"{agreement.get('agreement')} version {agreement.get('version')}"


def _until(agreement: Mapping[str, Any]) -> str:
    term = agreement.get("term")
    return str(term.get("ends")) if isinstance(term, Mapping) else ""


def _left(until: str, now: int) -> int:
    """Microseconds from `now` to an instant in RFC 3339; one that cannot be read is far away."""
    try:
        return parse_rfc3339(until) - now
    except ValueError:
        return 2 * EXPIRY_WARNS


def mappings(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list; of anything else none."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
