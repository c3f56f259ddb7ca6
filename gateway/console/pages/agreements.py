"""What does a registrar do about agreements? Versions and drafts, duties, imports; approvers read the first two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.administration.requests import partners as bodies
from gateway.console.frame.page import APPROVER, PAGED, REGISTRAR, Action, Ask, Column, Field, Page, TableSpec
from gateway.console.pages import duties_calendar, editor, imports
from gateway.partners.document import written_fields
from gateway.partners.suspension import BY_HAND

READ, WRITE = "partners.read", "partners.write"
DUTIES = ("return_data", "semester_report")
OF_AGREEMENTS = frozenset({REGISTRAR, APPROVER})
REASON = Field("reason", "choice", choices=BY_HAND)
_OWN = frozenset({REGISTRAR})


def _next_version(_: Any, watched: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401  a form
    """The fields of a draft that follows the version watched; of one that is a draft itself, they are as they were sent."""
    fields: dict[str, Any] = watched["fields"]
    return fields if watched["state"] in ("draft", "proposed") else written_fields(fields)


_AGREEMENT = Ask("agreement", "agreement", READ, path={"a": "a"})
AGREEMENT = Page(
    name="agreement",
    path="/console/agreements/{a}",
    roles=OF_AGREEMENTS,
    parent="partners",
    template="agreement.html",
    asks=(_AGREEMENT, Ask("deliveries", "deliveries", READ, path={"a": "a"}, query=PAGED)),
    facts=(
        Column("agreement", "code", label="id"),
        Column("partner", "code", link="/console/partners/{partner}"),
        Column("state", "state"),
        Column("version", "number", label="governing", link="/console/agreements/{agreement}/versions/{version}"),
        Column("suspension", "choice"),
        Column("suspended_purposes", "list"),
        Column("purposes", "list"),
    ),
    tables=(
        TableSpec(
            "versions",
            "agreement",
            (
                Column("version", "number", link="/console/agreements/{a}/versions/{version}"),
                Column("state", "state"),
                Column("digest", "code"),
            ),
            items="versions",
        ),
        TableSpec(
            "deliveries",
            "deliveries",
            (
                Column("duty", "choice"),
                Column("due", "day"),
                Column("reference", label="filing"),
                Column("person"),
                Column("delivered_at", "time"),
            ),
        ),
    ),
    actions=(
        Action(
            "deliver",
            _OWN,
            WRITE,
            bodies.Delivery,
            (Field("duty", "choice", choices=DUTIES), Field("reference", label="filing")),
            path={"a": "a"},
            watch="agreement",
            when={"state": ("in_force", "suspended", "approved")},
        ),
        Action(
            "propose_resume",
            _OWN,
            WRITE,
            bodies.Nothing,
            path={"a": "a"},
            watch="agreement",
            when={"state": ("in_force", "suspended")},
        ),
        Action(
            "suspend_agreement",
            _OWN,
            WRITE,
            bodies.Suspension,
            (Field("purpose", "choice", among="purposes", required=False, label="only_purpose"), REASON),
            path={"a": "a"},
            watch="agreement",
            grave=True,
            when={"state": ("in_force", "approved")},
        ),
        Action(
            "terminate_agreement",
            _OWN,
            WRITE,
            bodies.SuspensionReason,
            (REASON,),
            path={"a": "a"},
            watch="agreement",
            grave=True,
            when={"state": ("in_force", "suspended", "approved")},
        ),
    ),
)

_WITHDRAW = Action(
    "withdraw",
    _OWN,
    WRITE,
    bodies.Objection,
    (Field("approval", "hidden"), Field("reason")),
    path={"id": "field:approval"},
)
VERSION = Page(
    name="version",
    path="/console/agreements/{a}/versions/{v}",
    roles=OF_AGREEMENTS,
    parent="agreement",
    template="version.html",
    script="registrar.js",
    asks=(
        Ask("version", "version", READ, path={"a": "a", "v": "v"}),
        _AGREEMENT,
        Ask("purposes", "purposes", READ),
    ),
    actions=(
        Action(
            "propose_version",
            _OWN,
            WRITE,
            bodies.Nothing,
            path={"a": "a", "v": "v"},
            watch="version",
            when={"state": "draft", "missing": False, "faults": False},
        ),
        Action(
            "draft_version",
            _OWN,
            WRITE,
            bodies.Fields,
            path={"a": "a"},
            watch="version",
            guarded=False,
            compose=_next_version,
            after="/console/agreements/{agreement}/versions/{version}",
            when={"state": ("approved", "in_force", "suspended", "expired")},
        ),
        _WITHDRAW,
        Action(
            "discard_draft",
            _OWN,
            WRITE,
            path={"a": "a", "v": "v"},
            watch="version",
            after="/console/drafts",
            grave=True,
            when={"state": "draft"},
        ),
    ),
    made=editor.made,
    own=editor.edit,
    writers=_OWN,
)

DRAFTS = Page(
    name="drafts",
    path="/console/drafts",
    roles=_OWN,
    menu=True,
    template="drafts.html",
    asks=(Ask("drafts", "drafts", READ, query=("mine", *PAGED)),),
    tables=(
        TableSpec(
            "drafts",
            "drafts",
            (
                Column("partner_name", link="/console/agreements/{agreement}/versions/{version}"),
                Column("agreement", "code"),
                Column("version", "number"),
                Column("state", "state"),
                Column("lacks", "number"),
                Column("persons", "list"),
                Column("proposed_at", "time"),
            ),
        ),
    ),
    actions=(_WITHDRAW,),
)

CALENDAR = Page(
    name="duties",
    path="/console/duties",
    roles=_OWN,
    menu=True,
    template="duties.html",
    asks=(
        Ask("duties", "duties", READ, query=("partner", "until"), fixed={"limit": "200"}),
        Ask("delivered", "delivered", READ, query=("partner",)),
        Ask("partners", "partners", READ, fixed={"limit": "200"}),
    ),
    tables=(
        TableSpec(
            "duties",
            "duties",
            (
                Column("due", "day"),
                Column("partner", "code"),
                Column("agreement", "code"),
                Column("duty", "choice"),
                Column("about"),
                Column("state", "state"),
            ),
        ),
        TableSpec(
            "delivered",
            "delivered",
            (
                Column("duty", "choice"),
                Column("due", "day"),
                Column("partner", "code"),
                Column("agreement", "code"),
                Column("reference", label="filing"),
                Column("person"),
                Column("delivered_at", "time"),
            ),
        ),
    ),
    made=duties_calendar.made,
)

IMPORT = Page(
    name="agreement_import",
    path="/console/agreements/import",
    roles=_OWN,
    menu=True,
    template="agreement_import.html",
    script="registrar.js",
    made=imports.made,
    own=imports.bring,
)

PAGES: tuple[Page, ...] = (AGREEMENT, VERSION, DRAFTS, CALENDAR, IMPORT)
