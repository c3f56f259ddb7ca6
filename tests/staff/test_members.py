"""How do people become members, stay so and cease to be? Every act on both databases, with its entry."""

from __future__ import annotations

from typing import Any

import pytest
from people import CLOCK, ENTROPY, Console, refused, run
from sqlalchemy import select, update

from gateway.administration.requests.partners import ApprovedDigest, NewKey, NewPartner, SuspensionReason
from gateway.administration.requests.staff import NewMember
from gateway.clock import DAY, HOUR
from gateway.errors import Cause, Refused
from gateway.ledger.log.entry import Kind
from gateway.staff.roles import Role
from gateway.store.administration.duties import Watch
from gateway.store.base.tables import epochs
from gateway.store.partners.standings import PartnersOf
from gateway.store.partners.tables import clients, persons
from gateway.store.staff.first_person import found, keep
from gateway.store.staff.tables import members


def cause(step: Any, *told: Any, **more: Any) -> Cause:
    """Why an act was refused."""
    with pytest.raises(Refused) as raised:
        step(*told, **more)
    return raised.value.refusal.cause


def epoch(console: Console, partner: str = "dukcapil") -> int:
    """How often the standing of a partner's clients has changed."""
    with console.database.reading() as connection:
        wanted = select(epochs.c.count).where(epochs.c.scope == f"partner:{partner}")
        return int(connection.execute(wanted).scalar() or 0)


def standing(console: Console, member: str) -> Any:
    """What stands behind a member's client."""
    with console.database.reading() as connection:
        return PartnersOf(console.database, ENTROPY).standing(connection, f"console.{member}")


def certify_until(console: Console, moment: int) -> None:
    """Every certification ends then."""
    with console.database.sealing() as (connection, _):
        connection.execute(update(members).values(certified_until=moment))


def watch(console: Console) -> int:
    """A round of what nobody has to be at a keyboard for."""
    return Watch(console.database, CLOCK, ENTROPY).round(0)


def test_a_member_is_made_by_two_others(console: Console) -> None:
    """Neither the proposer nor the member may approve; approved, it has a client of its roles' scopes and no key."""
    body = NewMember("Ayu", ["registrar", "auditor"])
    proposed = console.do("propose_member", {}, body)
    for person in ("Budi", "AYU "):
        assert (
            cause(console.do, "approve", {"id": proposed["approval"]}, ApprovedDigest(proposed["digest"]), person)
            is Cause.SAME_PERSON
        )
    assert console.view("members")["items"] == []
    before = epoch(console)
    made = console.do("approve", {"id": proposed["approval"]}, ApprovedDigest(proposed["digest"]), "Sri")
    assert epoch(console) == before + 1
    held = standing(console, made["member"])
    assert held.client.scopes == {"console", "partners.read", "partners.write", "audit.read", "audit.note"}
    assert (held.client.person, held.client.partner, held.client.keys) == ("Ayu", "dukcapil", {})
    leaf, private = console.entries()[-1]
    assert leaf["kind"] == Kind.STAFF
    assert (private["change"], private["before"]) == ("approve_member", "")
    assert private["after"]
    (row,) = console.view("members")["items"]
    assert (row["state"], row["certification"], row["roles"]) == ("invited", "valid", ["auditor", "registrar"])


@pytest.mark.parametrize(
    ("roles", "partner"),
    [
        (["engineer"], ""),
        (["registrar"], "bank"),
        (["engineer", "auditor"], "bank"),
        (["root"], ""),
        (["engineer"], "dukcapil"),
    ],
)
def test_roles_fit_whose_person_it_is(console: Console, roles: list[str], partner: str) -> None:
    """Engineers are of a partner, all others of the house, and no role is made up."""
    console.do("register_partner", {}, NewPartner("Bank", "bank"))
    body = NewMember("Ayu", roles, partner) if partner else NewMember("Ayu", roles)
    assert cause(console.do, "propose_member", {}, body) in {Cause.MALFORMED_REQUEST, Cause.NOT_FOUND}


def test_an_engineer_belongs_to_the_partner(console: Console) -> None:
    """The client is the partner's, with the partner's own scope; it is given no key, and is not the partner's client."""
    partner = console.do("register_partner", {}, NewPartner("Bank", "bank"))["id"]
    member = console.member("Ayu", "engineer", partner=partner)
    held = standing(console, member)
    assert (held.partner.id, held.client.scopes) == (partner, {"console", "nik.verify"})
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "one"}
    named = NewKey(jwk, client_id=f"console.{member}")
    assert cause(console.do, "propose_key", {"id": partner}, named) is Cause.CONFLICT
    assert console.agreed("propose_key", {"id": partner}, NewKey(jwk))["client_id"] == partner


def test_nobody_is_a_member_twice(console: Console) -> None:
    """A second member of the same name in the same house is refused, however the name is written."""
    console.member("Ayu Lestari")
    assert cause(console.do, "propose_member", {}, NewMember(" ayu  LESTARI", ["auditor"])) is Cause.CONFLICT


def test_the_credentials_of_the_api_stay_apart(console: Console) -> None:
    """Members are not listed with credentials, nor dismissed as one."""
    member = console.member()
    assert console.view("staff")["items"] == []
    path = {"client_id": f"console.{member}"}
    assert cause(console.do, "dismiss_administrator", path) is Cause.NOT_FOUND


def test_only_who_has_no_passkey_is_invited(console: Console) -> None:
    """An enrolled member gets no link, which would add a passkey beside theirs; nothing of a link is in its entry."""
    member = console.member()
    token = console.token(member)
    _, private = console.entries()[-1]
    assert private["change"] == "invite"
    assert token not in str(private)
    console.enrol(member)
    assert cause(console.do, "invite_member", {"id": member}) is Cause.CONFLICT


def test_a_suspended_member_is_out_on_every_worker(console: Console) -> None:
    """One person, at once: sessions end, passkeys let nobody in, and what was decided before is decided anew."""
    member = console.member()
    key, admission = console.enrol(member)
    before = epoch(console)
    console.do("suspend_member", {"id": member}, SuspensionReason("leave"))
    assert epoch(console) == before + 1
    assert refused(console.worker().session(admission.cookie)).refusal.cause is Cause.INVALID_TOKEN
    ceremony = run(console.sign_in.begin_login())
    console.fails(key.get(ceremony.options), ceremony.id)
    with pytest.raises(Refused):
        standing(console, member).validity.admit("", "", CLOCK.now())
    assert cause(console.do, "suspend_member", {"id": member}, SuspensionReason("leave")) is Cause.CONFLICT
    assert cause(console.do, "invite_member", {"id": member}) is Cause.CONFLICT
    proposed = console.do("propose_member_resume", {"id": member})
    assert (
        cause(console.do, "approve", {"id": proposed["approval"]}, ApprovedDigest(proposed["digest"]), "Ayu")
        is Cause.SAME_PERSON
    )
    console.do("approve", {"id": proposed["approval"]}, ApprovedDigest(proposed["digest"]), "Sri")
    session = console.log_in(key).session
    standing(console, member).validity.admit(session.id, "", session.began)
    assert refused(console.sign_in.session(admission.cookie)).refusal.cause is Cause.INVALID_TOKEN


def test_whoever_was_suspended_before_enrolling_is_invited_again(console: Console) -> None:
    """The link that was given before does not come back with the member."""
    member = console.member()
    token = console.token(member)
    console.do("suspend_member", {"id": member}, SuspensionReason("leave"))
    console.agreed("propose_member_resume", {"id": member})
    assert refused(console.sign_in.invited(token)).refusal.cause is Cause.NOT_FOUND
    console.enrol(member)


def test_a_dismissed_member_leaves_nothing_that_lets_in(console: Console) -> None:
    """Client, person, passkeys and sessions go; the name may be given again."""
    member = console.member()
    key, admission = console.enrol(member)
    console.do("dismiss_member", {"id": member})
    assert standing(console, member) is None
    assert refused(console.sign_in.session(admission.cookie)).refusal.cause is Cause.INVALID_TOKEN
    ceremony = run(console.sign_in.begin_login())
    console.fails(key.get(ceremony.options), ceremony.id)
    assert cause(console.do, "dismiss_member", {"id": member}) is Cause.NOT_FOUND
    with console.database.reading() as connection:
        assert (
            connection.execute(select(clients.c.client_id)).all()
            == connection.execute(select(persons.c.client_id)).all()
        )
    assert console.member() != member


def test_recovery_takes_two_and_forgets_what_was_lost(console: Console) -> None:
    """Until the second person agrees nothing changes; then old passkeys and sessions are gone and a link is given."""
    member = console.member()
    key, admission = console.enrol(member)
    proposed = console.do("propose_recovery", {"id": member})
    assert run(console.sign_in.session(admission.cookie)).member == member
    seen = ApprovedDigest(proposed["digest"])
    for person in ("Budi", "Ayu"):
        assert cause(console.do, "approve", {"id": proposed["approval"]}, seen, person) is Cause.SAME_PERSON
    console.do("approve", {"id": proposed["approval"]}, seen, "Sri")
    assert refused(console.sign_in.session(admission.cookie)).refusal.cause is Cause.INVALID_TOKEN
    ceremony = run(console.sign_in.begin_login())
    console.fails(key.get(ceremony.options), ceremony.id)
    new, _ = console.enrol(member)
    assert console.log_in(new).session.member == member
    assert console.changes()[-4:] == ["approve_recovery", "invite", "enrol", "login"]


def test_a_recovery_holds_for_what_its_approver_saw(console: Console) -> None:
    """When the member's passkeys have changed since it was proposed, nobody can approve it any more."""
    member = console.member()
    key, admission = console.enrol(member)
    proposed = console.do("propose_recovery", {"id": member})
    session = console.stepped_up(key, admission)
    ceremony = run(console.sign_in.begin_passkey(session))
    run(console.sign_in.finish_passkey(session, ceremony.id, key.create(ceremony.options), "Ponsel"))
    assert (
        cause(console.do, "approve", {"id": proposed["approval"]}, ApprovedDigest(proposed["digest"]), "Sri")
        is Cause.CONFLICT
    )


def test_a_certification_lapses_by_itself(console: Console) -> None:
    """Reminders first, then the roles' scopes go without anybody at a keyboard, once; another person gives them back."""
    member = console.member()
    certify_until(console, CLOCK.now() + 5 * DAY)
    assert watch(console) == 1
    assert watch(console) == 0
    (duty,) = console.view("duties")["items"]
    assert (duty["duty"], duty["about"], duty["state"]) == ("certification", member, "due")
    assert duty["person"] == "Ayu"
    certify_until(console, CLOCK.now() - HOUR)
    before = epoch(console)
    assert watch(console) == 1
    assert watch(console) == 0
    assert (epoch(console), console.changes()[-1]) == (before + 1, "lapse")
    assert standing(console, member).client.scopes == {"console"}
    assert console.view("member", {"id": member})["certification"] == "lapsed"
    assert cause(console.do, "recertify_member", {"id": member}, person="ayu") is Cause.SAME_PERSON
    console.do("recertify_member", {"id": member}, person="Sri")
    assert standing(console, member).client.scopes == {"console", "partners.read", "partners.write"}
    with console.database.reading() as connection:
        until = connection.execute(select(members.c.certified_until)).scalar_one()
    assert abs(until - CLOCK.now() - 92 * DAY) < HOUR
    assert watch(console) == 0


def test_a_list_of_people_is_narrowed(console: Console) -> None:
    """By part of the name, state, role and whose they are; a value that is none is refused by its name."""
    ayu, rina = console.member("Ayu"), console.member("Rina", "approver", "auditor")
    console.enrol(rina)
    for query, wanted in (
        ({"text": "AY"}, [ayu]),
        ({"state": "enrolled"}, [rina]),
        ({"role": "auditor"}, [rina]),
        ({"partner": "dukcapil"}, [ayu, rina]),
        ({"text": "ay", "role": "auditor"}, []),
        ({"due": "yes"}, []),
    ):
        assert [each["id"] for each in console.view("members", **query)["items"]] == wanted, query
    assert [each["passkey_count"] for each in console.view("members")["items"]] == [0, 1]
    for name in ("state", "role", "due"):
        assert cause(console.view, "members", **{name: "nothing"}) is Cause.MALFORMED_REQUEST


def test_who_is_to_be_certified_comes_the_soonest_first(console: Console) -> None:
    """Lapsed ones before those that end within 30 days; the list pages on, even where two end at one moment."""
    ids = [console.member(f"Orang {number}") for number in range(4)]
    now = CLOCK.now()
    with console.database.sealing() as (connection, _):
        for id, days in zip(ids, (20, -1, 20, 40), strict=True):
            connection.execute(update(members).where(members.c.id == id).values(certified_until=now + days * DAY))
    first = console.view("members", due="yes", limit="2")
    second = console.view("members", due="yes", limit="2", cursor=first["next"])
    assert [each["id"] for each in first["items"] + second["items"]] == [ids[1], ids[0], ids[2]]
    assert [each["certification"] for each in first["items"]] == ["lapsed", "due"]
    assert second["next"] is None


def test_proposals_tell_whose_hands_they_were_in_and_whether_they_still_stand(console: Console) -> None:
    """Newest first when asked for; decided ones apart; a recovery names its person, and falls when the passkeys have changed."""
    ayu, rina = console.member("Ayu"), console.member("Rina", "auditor")
    key, _ = console.enrol(ayu)
    assert key.keys
    first = console.do("propose_recovery", {"id": ayu})["approval"]
    second = console.do("propose_member", {}, NewMember("Tono", ["auditor"]))["approval"]
    waiting = console.view("approvals", state="open")["items"]
    assert [each["id"] for each in waiting] == [first, second]
    assert [(each["proposer"], each["persons"]) for each in waiting] == [
        ("Budi", ["Ayu", "Budi"]),
        ("Budi", ["Tono", "Budi"]),
    ]
    assert (waiting[0]["about"]["person"], waiting[1]["about"]["roles"]) == ("Ayu", ["auditor"])
    assert [each["id"] for each in console.view("approvals", kind="recovery")["items"]] == [first]
    decided = console.view("approvals", state="decided", order="newest")["items"]
    assert [each["about"]["member"] for each in decided] == [rina, ayu]
    page = console.view("approvals", order="newest", limit="1")
    assert [each["id"] for each in page["items"]] == [second]
    assert console.view("approvals", order="newest", limit="1", cursor=page["next"])["items"][0]["id"] == first
    assert cause(console.view, "approvals", kind="nothing") is Cause.MALFORMED_REQUEST
    assert console.view("approval", {"id": first})["stands"] is True
    console.do("suspend_member", {"id": ayu}, SuspensionReason("leave"))
    assert console.view("approval", {"id": first})["stands"] is False
    assert console.view("approval", {"id": decided[0]["id"]})["stands"] is None


def test_administrators_end_the_sessions_of_a_member(console: Console) -> None:
    """All of them, and the passkey goes on working."""
    member = console.member()
    key, admission = console.enrol(member)
    second = console.log_in(key)
    assert console.do("end_sessions", {"id": member})["ended"] == 2
    for each in (admission, second):
        assert refused(console.sign_in.session(each.cookie)).refusal.cause is Cause.INVALID_TOKEN
    console.log_in(key)


def test_the_first_people_are_let_in_by_one(console: Console) -> None:
    """Until a registrar and an approver have enrolled; one person who has both roles is not two."""
    both = found(console.database, ENTROPY, NewMember("Ayu", ["registrar", "approver"]), "installer")
    console.enrol(both.member)
    other = found(console.database, ENTROPY, NewMember("Rina", ["approver"]), "installer")
    assert run(console.sign_in.invited(other.token)).person == "Rina"
    console.enrol(other.member)
    late = NewMember("Tono", [Role.AUDITOR])
    assert cause(found, console.database, ENTROPY, late, "installer") is Cause.SAME_PERSON
    assert [row["person"] for row in console.view("members")["items"]] == ["Ayu", "Rina"]
    assert console.changes()[:2] == ["first_member", "invite"]


def test_a_demonstration_renews_links_that_nobody_used(console: Console) -> None:
    """The same member, a new link while there is no passkey, none afterwards."""
    body = NewMember("Ayu", ["registrar"])
    first, second = (keep(console.database, ENTROPY, body, "demo", DAY) for _ in range(2))
    assert first.member == second.member
    assert refused(console.sign_in.invited(first.token)).refusal.cause is Cause.NOT_FOUND
    assert run(console.sign_in.invited(second.token)).person == "Ayu"
    console.enrol(first.member)
    assert keep(console.database, ENTROPY, body, "demo", DAY).token == ""
