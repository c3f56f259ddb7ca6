"""Who is let in at the console, and who is not? On both databases, by a real authenticator's responses."""

from __future__ import annotations

from typing import Any

import pytest
from authenticator import PRESENT, Authenticator
from people import CLOCK, ORIGIN, Console, refused, run
from sqlalchemy import select, update

from gateway.administration.login_challenges import LIFE
from gateway.administration.sign_in import csrf_of, digest
from gateway.clock import DAY, HOUR, SECOND
from gateway.errors import Cause, Refused
from gateway.store.staff.sign_in import MOST_ALIKE
from gateway.store.staff.tables import ceremonies, invitations, members, sessions

IDLE, WHOLE = 30 * 60 * SECOND, 8 * HOUR  # what a session lasts unused, and at most


def change(console: Console, table: Any, **values: Any) -> None:
    """Rows of a table as if time had passed, or somebody had written in the database."""
    with console.database.sealing() as (connection, _):
        connection.execute(update(table).values(**values))


def test_somebody_who_was_invited_enrols_and_logs_in(console: Console) -> None:
    """A link gives a passkey and a session; from then on the passkey alone, without a name, on whichever worker."""
    member = console.member("Ayu", "registrar", "auditor")
    key, admission = console.enrol(member)
    session = run(console.worker().session(admission.cookie))
    assert session == admission.session
    assert (session.member, session.person, session.partner) == (member, "Ayu", "")
    assert session.roles == {"registrar", "auditor"}
    again = console.log_in(key, console.worker())
    assert again.cookie != admission.cookie
    assert run(console.sign_in.session(again.cookie)).id == again.session.id
    assert console.changes() == ["approve_member", "invite", "enrol", "login"]


def test_entries_tell_who_was_let_in_with_which_key(console: Console) -> None:
    """The actor of the entry is the member's client; the private part names passkey, session and address, no secret."""
    member = console.member()
    key, _ = console.enrol(member)
    admission = console.log_in(key)
    leaf, private = console.entries()[-1]
    assert (leaf["kind"], leaf["actor"]) == ("staff", f"dukcapil/console.{member}")
    passkey = console.view("me", client=f"console.{member}")["passkeys"][0]["id"]
    assert private == {
        "change": "login", "person": "Ayu", "member": member, "passkey": passkey,
        "session": admission.session.id, "address": "192.0.2.1",
    }  # fmt: skip
    _, enrolled = console.entries()[-2]
    assert enrolled["before"] != enrolled["after"]


def test_a_link_works_once_until_its_end_and_the_newest_alone(console: Console) -> None:
    """Used, expired, replaced and invented links are all not found, in the same words."""
    member = console.member()
    old = console.token(member)
    new = console.token(member)
    told = [refused(console.sign_in.invited(token)) for token in (old, "x" * 43, "")]
    assert run(console.sign_in.invited(new)).person == "Ayu"
    change(console, invitations, expires=1)
    told.append(refused(console.sign_in.begin_enrolment(new)))
    console.enrol(member)
    told.append(refused(console.sign_in.invited(new)))
    assert {each.refusal.cause for each in told} == {Cause.NOT_FOUND}
    assert len({str(each.refusal.facts) for each in told}) == 1
    assert console.counted["not-found"] == len(told)


def test_no_second_enrolment_is_finished_on_one_link(console: Console) -> None:
    """Two who began with the same link: one is enrolled, the other finds nothing."""
    token = console.token(console.member())
    one, other = Authenticator(ORIGIN), Authenticator(ORIGIN)
    first, second = (run(console.sign_in.begin_enrolment(token)) for _ in range(2))
    run(console.sign_in.finish_enrolment(token, first.id, one.create(first.options), "", ""))
    late = refused(console.sign_in.finish_enrolment(token, second.id, other.create(second.options), "", ""))
    assert late.refusal.cause is Cause.NOT_FOUND


def test_nothing_that_lets_in_lies_in_the_database(console: Console) -> None:
    """Links and cookies are kept as digests; the CSRF token of a session can be made of neither."""
    member = console.member()
    token = console.token(member)
    with console.database.reading() as connection:
        assert connection.execute(select(invitations.c.token)).scalars().all() == [digest(token)]
    _, admission = console.enrol(member)
    with console.database.reading() as connection:
        assert connection.execute(select(sessions.c.cookie)).scalars().all() == [digest(admission.cookie)]
    assert admission.session.csrf == csrf_of(admission.cookie) != digest(admission.cookie).hex()
    assert refused(console.sign_in.session(digest(admission.cookie).hex())).refusal.cause is Cause.INVALID_TOKEN


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: setattr(key, "origin", "https://evil.example"),
        lambda key: setattr(key, "flags", PRESENT),
        lambda key: setattr(key, "flags", 0x04),
        lambda key: setattr(key, "count", 0),
        lambda key: key.more.update(type="webauthn.create"),
        lambda key: key.more.update(crossOrigin=True),
        lambda key: key.more.update(challenge="AAAA"),
        lambda key: [setattr(each, "handle", bytes(16)) for each in key.keys.values()],
    ],
    ids=["origin", "no verification", "no presence", "count", "type", "frame", "challenge", "handle"],
)
def test_a_login_that_proves_something_else_is_refused_alike(console: Console, spoil: Any) -> None:
    """Whatever is wrong with a response, the answer is the same, counted, and the challenge used up."""
    key, _ = console.enrol(console.member())
    ceremony = run(console.sign_in.begin_login())
    good = key.get(ceremony.options)
    unknown = run(console.sign_in.begin_login())
    nobody = Authenticator(ORIGIN, keys={b"k" * 32: next(iter(key.keys.values()))})
    expected = console.fails(nobody.get(unknown.options), unknown.id)
    held = len(console.entries())
    spoil(key)
    told = console.fails(key.get(ceremony.options), ceremony.id)
    assert told.refusal == expected.refusal
    console.fails(good, ceremony.id)
    assert console.counted["invalid-token"] == 3
    assert len(console.entries()) == held


def test_another_site_cannot_use_a_passkey(console: Console) -> None:
    """A response that was made for another RP id is refused though the key signed it."""
    key, _ = console.enrol(console.member())
    ceremony = run(console.sign_in.begin_login())
    console.fails(key.get({**ceremony.options, "rpId": "evil.example"}), ceremony.id)


@pytest.mark.parametrize(
    "response", [{}, {"rawId": 1}, {"rawId": "AA", "response": {}}, {"rawId": "AA", "response": 7}]
)
def test_what_is_no_response_is_refused_as_any_other(console: Console, response: Any) -> None:
    """Neither a fault of the server nor another answer."""
    ceremony = run(console.sign_in.begin_login())
    console.fails(response, ceremony.id)


class Shifted:
    """The clock of a while ago, or of a while ahead."""

    def __init__(self, by: int) -> None:
        self._by = by

    def now(self) -> int:
        """The time, moved."""
        return CLOCK.now() + self._by


def test_a_challenge_is_for_one_use_one_purpose_and_its_time(console: Console) -> None:
    """Replayed on another worker, taken from a step-up, changed, of another time, or too late: refused."""
    key, admission = console.enrol(console.member())
    ceremony = run(console.sign_in.begin_login())
    response = key.get(ceremony.options)
    run(console.sign_in.finish_login(ceremony.id, response, ""))
    with pytest.raises(Refused):
        run(console.worker().finish_login(ceremony.id, response, ""))
    other = run(console.sign_in.begin_step_up(admission.session))
    console.fails(key.get(other.options), other.id)
    for by in (-LIFE, LIFE):
        strange = run(console.worker(Shifted(by)).begin_login())
        console.fails(key.get(strange.options), strange.id)
    good = run(console.sign_in.begin_login())
    console.fails(key.get(good.options), good.id[:20] + ("B" if good.id[20] == "A" else "A") + good.id[21:])
    late = run(console.sign_in.begin_step_up(admission.session))
    change(console, ceremonies, expires=1)
    with pytest.raises(Refused):
        run(console.sign_in.finish_step_up(admission.session, late.id, key.get(late.options)))


def test_strangers_who_begin_keep_nobody_waiting(console: Console) -> None:
    """No row is kept of a log-in that was begun; of one link only a few ceremonies wait, and others go on."""
    key, admission = console.enrol(console.member())
    for _ in range(50):
        run(console.sign_in.begin_login())
    with console.database.reading() as connection:
        assert connection.execute(select(ceremonies.c.id)).all() == []
    token = console.token(console.member("Ani"))
    for _ in range(MOST_ALIKE):
        run(console.sign_in.begin_enrolment(token))
    assert refused(console.sign_in.begin_enrolment(token)).refusal.cause is Cause.OVERLOADED
    run(console.sign_in.begin_step_up(admission.session))
    console.log_in(key)


def test_a_copied_authenticator_is_noticed(console: Console) -> None:
    """A signature count that does not go up is refused, on whichever of the two copies."""
    key, _ = console.enrol(console.member())
    copy = Authenticator(ORIGIN, count=key.count, keys=dict(key.keys))
    console.log_in(key)
    ceremony = run(console.sign_in.begin_login())
    console.fails(copy.get(ceremony.options), ceremony.id)
    console.log_in(key)


def test_a_synced_passkey_that_never_counts_is_let_in(console: Console) -> None:
    """A count of zero stays zero (WebAuthn §6.1.1)."""
    member = console.member()
    token, key = console.token(member), Authenticator(ORIGIN, count=0)
    ceremony = run(console.sign_in.begin_enrolment(token))
    run(console.sign_in.finish_enrolment(token, ceremony.id, key.create(ceremony.options), "", ""))
    assert console.log_in(key).session.member == console.log_in(key).session.member == member


def test_what_is_registered_must_be_verified_and_ours(console: Console) -> None:
    """An enrolment without user verification, for another origin, or of a key that somebody has, is refused."""
    other, _ = console.enrol(console.member("Rina"))
    token = console.token(console.member())
    for key, cause in (
        (Authenticator(ORIGIN, PRESENT), Cause.INVALID_TOKEN),
        (Authenticator("https://evil.example"), Cause.INVALID_TOKEN),
        (Authenticator(ORIGIN, next_id=next(iter(other.keys))), Cause.NOT_FOUND),
    ):
        ceremony = run(console.sign_in.begin_enrolment(token))
        response = key.create(ceremony.options)
        told = refused(console.sign_in.finish_enrolment(token, ceremony.id, response, "", ""))
        assert told.refusal.cause is cause
    assert run(console.sign_in.invited(token)).person == "Ayu"


def test_sessions_end_by_idleness_and_by_age(console: Console) -> None:
    """Half an hour without a call, eight hours in all; a call puts off the first, never the second."""
    key, _ = console.enrol(console.member())
    idle = console.log_in(key)
    now = run(console.sign_in.session(idle.cookie)).began
    change(console, sessions, seen=now - IDLE + 60 * SECOND)
    seen = run(console.sign_in.session(idle.cookie))
    assert seen.expires > now + IDLE - 60 * SECOND
    change(console, sessions, seen=now - IDLE - SECOND)
    assert refused(console.sign_in.session(idle.cookie)).refusal.cause is Cause.INVALID_TOKEN
    old = console.log_in(key)
    change(console, sessions, began=now - WHOLE + HOUR // 60)
    assert run(console.sign_in.session(old.cookie)).expires == now + HOUR // 60
    change(console, sessions, began=now - WHOLE - SECOND)
    assert refused(console.sign_in.session(old.cookie)).refusal.cause is Cause.INVALID_TOKEN


def test_a_step_up_is_of_this_session_and_person_for_five_minutes(console: Console) -> None:
    """Somebody else's passkey, another session's challenge and a used one do not do; the own one does."""
    key, admission = console.enrol(console.member())
    stranger, _ = console.enrol(console.member("Rina"))
    session, sign_in = admission.session, console.sign_in
    ceremony = run(sign_in.begin_step_up(session))
    assert [each["id"] for each in ceremony.options["allowCredentials"]]
    foreign = stranger.get(ceremony.options, next(iter(stranger.keys)))
    assert refused(sign_in.finish_step_up(session, ceremony.id, foreign)).refusal.cause is Cause.INVALID_TOKEN
    other = console.log_in(key).session
    ceremony = run(sign_in.begin_step_up(other))
    crossed = refused(sign_in.finish_step_up(session, ceremony.id, key.get(ceremony.options)))
    assert crossed.refusal.cause is Cause.INVALID_TOKEN
    assert run(sign_in.session(admission.cookie)).stepped_up_until == 0
    ceremony = run(sign_in.begin_step_up(session))
    response = key.get(ceremony.options)
    run(sign_in.finish_step_up(session, ceremony.id, response))
    refused(sign_in.finish_step_up(session, ceremony.id, response))
    held = run(sign_in.session(admission.cookie))
    assert 0 < held.stepped_up_until - held.began <= 600 * SECOND
    assert console.changes()[-1] == "step_up"


def test_a_stolen_session_makes_no_passkey(console: Console) -> None:
    """Without having shown the passkey in the last five minutes none is added: not begun, and not finished."""
    key, admission = console.enrol(console.member())
    assert refused(console.sign_in.begin_passkey(admission.session)).refusal.cause is Cause.INSUFFICIENT_SCOPE
    session = console.stepped_up(key, admission)
    ceremony = run(console.sign_in.begin_passkey(session))
    change(console, sessions, stepped_up_until=1)
    made = Authenticator(ORIGIN).create(ceremony.options)
    late = refused(console.sign_in.finish_passkey(session, ceremony.id, made, ""))
    assert late.refusal.cause is Cause.INVALID_TOKEN
    assert "add_passkey" not in console.changes()


def test_a_second_passkey_lets_in_and_the_last_cannot_be_removed(console: Console) -> None:
    """Removing one ends the sessions that were begun with it."""
    member = console.member()
    key, admission = console.enrol(member)
    client = f"console.{member}"
    session = console.stepped_up(key, admission)
    ceremony = run(console.sign_in.begin_passkey(session))
    assert ceremony.options["excludeCredentials"]
    spare = Authenticator(ORIGIN)
    made = spare.create(ceremony.options)
    run(console.sign_in.finish_passkey(session, ceremony.id, made, "Kunci \x00cadangan"))
    second = console.log_in(spare)
    shown = console.view("me", client=client, token=second.session.id)
    assert [each["label"] for each in shown["passkeys"]] == ["Laptop", "Kunci cadangan"]
    assert [each["current"] for each in shown["sessions"]] == [False, True]
    first = shown["passkeys"][0]["id"]
    console.do("remove_passkey", {"passkey": first}, client=client, person="Ayu")
    assert refused(console.sign_in.session(admission.cookie)).refusal.cause is Cause.INVALID_TOKEN
    assert run(console.sign_in.session(second.cookie)).member == member
    ceremony = run(console.sign_in.begin_login())
    console.fails(key.get(ceremony.options), ceremony.id)
    for path in ({"passkey": shown["passkeys"][1]["id"]}, {"passkey": first}):
        with pytest.raises(Exception, match=r"conflict|not-found"):
            console.do("remove_passkey", path, client=client, person="Ayu")
    assert "add_passkey" in console.changes()


def test_nobody_ends_or_removes_what_is_somebody_elses(console: Console) -> None:
    """Passkeys and sessions of others are not found, nor are those of a client that is no member."""
    mine, theirs = console.member("Ayu"), console.member("Rina")
    console.enrol(mine)
    _, other = console.enrol(theirs)
    passkey = console.view("me", client=f"console.{theirs}")["passkeys"][0]["id"]
    for client in (f"console.{mine}", "registrar"):
        for name, path in (("remove_passkey", {"passkey": passkey}), ("end_session", {"session": other.session.id})):
            with pytest.raises(Exception, match="not-found"):
                console.do(name, path, client=client, person="Ayu")
    console.do("end_session", {"session": other.session.id}, client=f"console.{theirs}", person="Rina")
    assert refused(console.sign_in.session(other.cookie)).refusal.cause is Cause.INVALID_TOKEN


def test_all_other_sessions_end_and_this_one_goes_on(console: Console) -> None:
    """Of the own sessions alone, but the one that is named; a session of somebody else is no name for that."""
    member, other = console.member("Ayu"), console.member("Rina")
    key, first = console.enrol(member)
    second, (_, theirs) = console.log_in(key), console.enrol(other)
    client = f"console.{member}"
    with pytest.raises(Exception, match="not-found"):
        console.do("end_other_sessions", {"session": theirs.session.id}, client=client, person="Ayu")
    done = console.do("end_other_sessions", {"session": second.session.id}, client=client, person="Ayu")
    assert done["ended"] == 1
    assert refused(console.sign_in.session(first.cookie)).refusal.cause is Cause.INVALID_TOKEN
    assert run(console.sign_in.session(second.cookie)).member == member
    assert run(console.sign_in.session(theirs.cookie)).member == other


def test_logging_out_holds_on_every_worker(console: Console) -> None:
    """The cookie stands for nobody from then on, and the end is an entry, once."""
    _, admission = console.enrol(console.member())
    run(console.sign_in.end(admission.session))
    run(console.sign_in.end(admission.session))
    assert refused(console.worker().session(admission.cookie)).refusal.cause is Cause.INVALID_TOKEN
    assert console.changes().count("logout") == 1


def test_a_lapsed_member_is_let_in_to_see_that_alone(console: Console) -> None:
    """The caller of a lapsed session has no scope of its roles left, only the own affairs."""
    key, _ = console.enrol(console.member())
    change(console, members, certified_until=1)
    session = console.log_in(key).session
    assert session.lapsed
    assert session.caller("partners.write", "::1").scopes == frozenset()
    assert session.caller("console", "::1").scopes == {"console"}
    change(console, members, certified_until=session.began + DAY)
    held = console.log_in(key).session
    assert held.caller("partners.write", "::1").scopes == {"partners.write"}
    assert held.caller("partners.approve", "::1").scopes == frozenset()
