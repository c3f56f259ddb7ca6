"""Who is let in by the word of an OpenID provider? Against one that speaks HTTP, on both databases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from people import CLOCK, ORIGIN, Console, refused, run
from provider import CLIENT, SECRET, OpenIdProvider, serving

from gateway.administration.requests.partners import ApprovedDigest, SuspensionReason
from gateway.administration.requests.staff import NewMember
from gateway.administration.sign_in import Admission, Session
from gateway.clock import SECOND
from gateway.errors import Cause
from gateway.oauth.login import Login, Provider


@pytest.fixture
def provider() -> Iterator[OpenIdProvider]:
    """An OpenID provider of this test's own."""
    with serving() as made:
        yield made


@pytest.fixture
def deployment(console: Console, provider: OpenIdProvider) -> Console:
    """A console whose settings name the provider, and Ayu whom it knows as ayu-1."""
    trust(console, provider)
    body = NewMember("Ayu", ["registrar"], external="ayu-1")
    console.agreed("propose_member", {}, body)
    return console


def trust(console: Console, provider: OpenIdProvider, **more: Any) -> None:
    """What the settings say of the provider."""
    known = replace(Provider(provider.issuer, CLIENT, SECRET, insecure=True), **more)
    console.sign_in.login = Login(known, f"{ORIGIN}/console/external", CLOCK)


def log_in(console: Console, provider: OpenIdProvider, session: Session | None = None, **told: str) -> Admission:
    """Out to the provider and back; `told` are parameters set over those of the redirect."""
    departure = run(console.sign_in.begin_external("/console/partners", session))
    params = provider.authorize(departure.url) | told
    return run(console.sign_in.finish_external(params, departure.cookie, "192.0.2.1"))


def fails(console: Console, provider: OpenIdProvider, session: Session | None = None, **told: str) -> None:
    """The login is refused in the words of every login, and nobody has a session of it."""
    departure = run(console.sign_in.begin_external("/console", session))
    params = provider.authorize(departure.url) | told
    held = len(console.entries())
    fault = refused(console.sign_in.finish_external(params, departure.cookie, ""))
    assert fault.refusal.cause is Cause.INVALID_TOKEN
    assert fault.refusal.facts == {"fault": "the passkey did not prove who is there"}
    assert len(console.entries()) == held


def test_whom_the_provider_names_is_let_in(deployment: Console, provider: OpenIdProvider) -> None:
    """The member whose registered name the ID token has, to where they wanted; a first login enrols."""
    admission = log_in(deployment, provider)
    assert (admission.session.person, admission.next) == ("Ayu", "/console/partners")
    assert run(deployment.sign_in.session(admission.cookie)).id == admission.session.id
    assert deployment.view("members")["items"][0]["state"] == "enrolled"
    _, private = deployment.entries()[-1]
    assert (private["change"], private["external"]) == ("login", "ayu-1")
    log_in(deployment, provider)
    assert deployment.changes() == ["approve_member", "login", "login"]


def test_nobody_else_is_let_in(deployment: Console, provider: OpenIdProvider) -> None:
    """Unknown to us, without a name, or suspended: the provider's word does not do."""
    for subject in ("somebody", ""):
        provider.subject = subject
        fails(deployment, provider)
    provider.subject = "ayu-1"
    (row,) = deployment.view("members")["items"]
    deployment.do("suspend_member", {"id": row["id"]}, SuspensionReason("leave"))
    fails(deployment, provider)


def test_one_name_at_the_provider_is_one_member(deployment: Console) -> None:
    """A second member of the same name there is refused when proposed, and when both were proposed before."""
    proposed = [
        deployment.do("propose_member", {}, NewMember(each, ["auditor"], external="x")) for each in ("Rina", "Tono")
    ]
    with pytest.raises(Exception, match="conflict"):
        deployment.do("propose_member", {}, NewMember("Dewi", ["auditor"], external="ayu-1"))
    deployment.do("approve", {"id": proposed[0]["approval"]}, ApprovedDigest(proposed[0]["digest"]), "Sri")
    with pytest.raises(Exception, match="conflict"):
        deployment.do("approve", {"id": proposed[1]["approval"]}, ApprovedDigest(proposed[1]["digest"]), "Sri")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": [CLIENT, "another"]},
        {"aud": "another", "azp": CLIENT},
        {"azp": "another"},
        {"nonce": "another"},
        {"nonce": ...},
        {"exp": int(time.time()) - 3600},
        {"iat": int(time.time()) - 3600},
        {"sub": ...},
    ],
    ids="-".join,  # not the value: every process makes its own
)
def test_an_id_token_that_is_not_for_this_login_is_refused(
    deployment: Console, provider: OpenIdProvider, claims: Any
) -> None:
    """OpenID Connect Core 1.0 §3.1.3.7, claim by claim."""
    provider.claims = claims
    fails(deployment, provider)


def test_the_answer_belongs_to_the_question(deployment: Console, provider: OpenIdProvider) -> None:
    """Another state, another issuer, another browser's cookie, an answer twice, an error: refused."""
    fails(deployment, provider, state="another")
    fails(deployment, provider, iss="https://evil.example")
    fails(deployment, provider, code="")
    one, other = (run(deployment.sign_in.begin_external("/console")) for _ in range(2))
    params = provider.authorize(one.url)
    assert refused(deployment.sign_in.finish_external(params, other.cookie, "")).refusal.cause is Cause.INVALID_TOKEN
    assert refused(deployment.sign_in.finish_external(params, "invented", "")).refusal.cause is Cause.INVALID_TOKEN
    run(deployment.sign_in.finish_external(params, one.cookie, ""))
    assert refused(deployment.sign_in.finish_external(params, one.cookie, "")).refusal.cause is Cause.INVALID_TOKEN


def test_a_key_that_the_provider_does_not_publish_signs_nothing(deployment: Console, provider: OpenIdProvider) -> None:
    """A new key of its own is fetched; a key that is not among the published is no key."""
    log_in(deployment, provider)
    provider.rotate()
    log_in(deployment, provider)
    published = provider.documents()
    provider.rotate()
    provider.documents = lambda: published  # type: ignore[method-assign]  what it goes on publishing
    fails(deployment, provider)


def test_what_the_settings_demand_of_a_login(deployment: Console, provider: OpenIdProvider) -> None:
    """An acr among those listed and every amr; by e-mail a verified address."""
    trust(deployment, provider, acr=("high",), amr=("mfa",))
    for claims in ({}, {"acr": "low", "amr": ["mfa"]}, {"acr": "high"}, {"acr": "high", "amr": ["pwd"]}):
        provider.claims = claims
        fails(deployment, provider)
    provider.claims = {"acr": "high", "amr": ["pwd", "mfa"]}
    log_in(deployment, provider)
    trust(deployment, provider, claim="email")
    for claims in ({"email": "ayu-1"}, {"email": "ayu-1", "email_verified": False}, {"email_verified": True}):
        provider.claims = claims
        fails(deployment, provider)
    provider.claims = {"email": "ayu-1", "email_verified": True}
    log_in(deployment, provider)


def test_a_step_up_asks_the_person_anew(deployment: Console, provider: OpenIdProvider) -> None:
    """It is refused of an older login or another person, and gives a new cookie in place of the old one."""
    admission = log_in(deployment, provider)
    assert admission.session.stepped_up_until == 0
    provider.claims = {"auth_time": int(time.time()) - 600}
    fails(deployment, provider, admission.session)
    provider.claims = {}
    deployment.agreed("propose_member", {}, NewMember("Rina", ["registrar"], external="rina-1"))
    provider.subject = "rina-1"
    fails(deployment, provider, admission.session)
    provider.subject = "ayu-1"
    fresh = log_in(deployment, provider, admission.session)
    assert fresh.session.stepped_up_until > fresh.session.began + 200 * SECOND
    assert refused(deployment.sign_in.session(admission.cookie)).refusal.cause is Cause.INVALID_TOKEN
    assert deployment.changes()[-1] == "step_up"


def test_metadata_of_another_issuer_are_not_taken(deployment: Console, provider: OpenIdProvider) -> None:
    """What is published under an issuer's address has to name that issuer (OpenID Connect Discovery 1.0 §4.3)."""
    documents = provider.documents()
    documents["/.well-known/openid-configuration"] |= {"issuer": "https://evil.example"}
    provider.documents = lambda: documents  # type: ignore[method-assign]
    assert refused(deployment.sign_in.begin_external("/console")).refusal.cause is Cause.OVERLOADED


def test_without_a_provider_there_is_no_such_login(console: Console, provider: OpenIdProvider) -> None:
    """Not configured: not found. Configured and away: come again."""
    assert refused(console.sign_in.begin_external("/console")).refusal.cause is Cause.NOT_FOUND
    assert refused(console.sign_in.finish_external({}, "", "")).refusal.cause is Cause.NOT_FOUND
    trust(console, provider, issuer="http://127.0.0.1:9")
    assert refused(console.sign_in.begin_external("/console")).refusal.cause is Cause.OVERLOADED
    trust(console, provider, insecure=False)
    assert refused(console.sign_in.begin_external("/console")).refusal.cause is Cause.OVERLOADED
