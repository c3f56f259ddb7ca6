"""Who works at the console, and with which credentials? Members, their invitations and certifications, machine credentials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.administration.requests import partners as bodies
from gateway.administration.requests import staff
from gateway.console.frame.page import APPROVER, PAGED, REGISTRAR, Action, Ask, Column, Field, Page, TableSpec
from gateway.console.frame.session import Visit
from gateway.partners.approvals import person as same
from gateway.staff.member import SUSPENDED_FOR
from gateway.staff.roles import Role

READ, WRITE, APPROVE = "partners.read", "partners.write", "partners.approve"
ROLES = tuple(role.value for role in Role)
STATES = ("invited", "enrolled", "suspended")
SCOPES = (
    "partners.read", "partners.write", "partners.approve", "audit.read", "audit.note", "register.feed", "register.diagnose",
)  # fmt: skip
_READERS = frozenset({REGISTRAR, APPROVER})
_OWN = frozenset({REGISTRAR})
_MEMBER = "/console/staff/members/{id}"
_PROPOSED = "/console/approvals/{approval}"
_SOLE = (
    Column("person", link=_MEMBER, label="member"),
    Column("roles", "list"),
    Column("partner", "code", label="member_partner"),
)


def _due(docs: Mapping[str, Any], visit: Visit, _: int) -> Mapping[str, Any]:
    """Which of them this person is, whom another has to certify."""
    person = same(visit.member.person)
    return {"mine": {each["id"] for each in docs["members"]["items"] if same(each["person"]) == person}}


def _one(docs: Mapping[str, Any], visit: Visit, _: int) -> Mapping[str, Any]:
    """Whether it is the reader, and what is to be done next."""
    member = docs["member"]
    step = ""
    if member["state"] == "invited":
        step = "invited" if member["invited_until"] else "invite"
    elif member["certification"] != "valid":
        step = member["certification"]
    elif member["state"] == "enrolled" and member["passkey_count"] == 1:
        step = "one_passkey"
    return {"step": step, "mine": same(member["person"]) == same(visit.member.person)}


STAFF = Page(
    name="staff",
    path="/console/staff",
    roles=_READERS,
    menu=True,
    template="staff.html",
    asks=(Ask("members", "members", READ, query=("text", "state", "role", *PAGED)),),
    filters=(
        Field("text", required=False),
        Field("state", "choice", choices=STATES, required=False),
        Field("role", "choice", choices=ROLES, required=False),
    ),
    tables=(
        TableSpec(
            "members",
            "members",
            (
                *_SOLE,
                Column("state", "state"),
                Column("certification", "state"),
                Column("certified_until", "time"),
                Column("passkey_count", "number"),
            ),
        ),
    ),
    actions=(
        Action(
            "propose_member",
            _OWN,
            WRITE,
            staff.NewMember,
            (
                Field("person"),
                Field("roles", "many", choices=ROLES),
                Field("partner", required=False, label="engineer_of"),
                Field("external", required=False),
            ),
            after=_PROPOSED,
        ),
    ),
)

_ON_MEMBER: Mapping[str, Any] = {"path": {"id": "id"}, "watch": "member"}
MEMBER = Page(
    name="member",
    path=_MEMBER,
    roles=_READERS,
    parent="staff",
    template="member.html",
    asks=(Ask("member", "member", READ, path={"id": "id"}),),
    facts=(
        Column("roles", "list"),
        Column("partner", "code", label="member_partner"),
        Column("state", "state"),
        Column("certification", "state"),
        Column("certified_until", "time"),
        Column("certified_at", "time"),
        Column("since", "time", label="member_since"),
        Column("invited_until", "time"),
        Column("open_sessions", "number"),
        Column("external", "code"),
        Column("client_id", "code"),
    ),
    tables=(TableSpec("member_passkeys", "member", (Column("label"), Column("created_at", "time")), items="passkeys"),),
    actions=(
        Action(
            "invite_member",
            _OWN,
            WRITE,
            bodies.Nothing,
            shows_once=True,
            step_up=True,
            when={"state": "invited"},
            **_ON_MEMBER,
        ),
        Action("recertify_member", _READERS, APPROVE, bodies.Nothing, also=WRITE, **_ON_MEMBER),
        Action(
            "propose_member_resume", _OWN, WRITE, bodies.Nothing, after=_PROPOSED, when={"state": "suspended"}, **_ON_MEMBER
        ),
        Action("propose_recovery", _OWN, WRITE, bodies.Nothing, after=_PROPOSED, when={"state": "enrolled"}, **_ON_MEMBER),
        Action("end_sessions", _OWN, WRITE, when={"open_sessions": True}, **_ON_MEMBER),
        Action(
            "suspend_member", _OWN, WRITE, bodies.SuspensionReason, (Field("reason", "choice", choices=SUSPENDED_FOR),), grave=True,
            when={"state": ("invited", "enrolled")}, **_ON_MEMBER,
        ),
        Action("dismiss_member", _OWN, WRITE, grave=True, after="/console/staff", **_ON_MEMBER),
    ),
    made=_one,
)  # fmt: skip

RECERTIFICATION = Page(
    name="recertification",
    path="/console/staff/certifications",
    roles=_READERS,
    parent="staff",
    template="recertification.html",
    asks=(Ask("members", "members", READ, query=PAGED, fixed={"due": "yes"}),),
    tables=(
        TableSpec(
            "due",
            "members",
            (*_SOLE, Column("certification", "state"), Column("certified_until", "time"), Column("state", "state")),
        ),
    ),
    made=_due,
)

CREDENTIALS = Page(
    name="credentials",
    path="/console/staff/credentials",
    roles=_READERS,
    parent="staff",
    template="credentials.html",
    asks=(Ask("staff", "staff", READ, query=PAGED),),
    tables=(
        TableSpec(
            "credentials",
            "staff",
            (Column("person", label="member"), Column("client_id", "code"), Column("scopes", "list")),
        ),
    ),
    actions=(
        Action(
            "propose_administrator",
            _OWN,
            WRITE,
            bodies.NewAdministrator,
            (
                Field("person"),
                Field("client_id", label="new_credential"),
                Field("scopes", "many", choices=SCOPES),
                Field("jwk", "json"),
            ),
            after=_PROPOSED,
        ),
        Action(
            "dismiss_administrator",
            _OWN,
            WRITE,
            fields=(Field("credential", "fixed"),),
            path={"client_id": "field:credential"},
            grave=True,
        ),
    ),
)

PAGES: tuple[Page, ...] = (STAFF, MEMBER, RECERTIFICATION, CREDENTIALS)
