"""What does a registrar see and do? Partners, their keys and money, agreements and their versions, drafts, duties, imports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.partners.document import written_fields
from gateway.verification import acts
from gateway.web.console import duties_calendar, editor, imports, key_paper
from gateway.web.console.agreement_form import skeleton
from gateway.web.console.page import APPROVER, KEY_OFFICER, PAGED, REGISTRAR, Action, Ask, Column, Field, Page, Table

READ, WRITE = "partners.read", "partners.write"
CLASSES = (
    "agency", "bank", "bpjs", "company", "cooperative", "finance_company", "insurer", "intermediary", "micro_business",
    "ministry", "public_hospital", "region", "telecom",
)  # fmt: skip
GROUNDS = ("bpjs_kesehatan", "cooperative", "micro_business", "ministry", "public_hospital", "region")
WHY = ("breach", "incident", "dispute", "request", "dpia_outdated", "balance_exhausted", "by_law")
"""Why somebody suspends or ends: slugs that partners are told."""
DUTIES = ("return_data", "semester_report")
_READERS = frozenset({REGISTRAR, APPROVER, KEY_OFFICER})
_OF_AGREEMENTS = frozenset({REGISTRAR, APPROVER})
_OWN = frozenset({REGISTRAR})
_KEYS = frozenset({REGISTRAR, KEY_OFFICER})
_REASON = Field("reason", "choice", choices=WHY)
_PARTNER = Ask("partner", "partner", READ, path={"id": "id"})
_EXEMPTION = (
    Field("ground", "choice", choices=GROUNDS),
    Field("proof"),
    Field("until", "day", required=False, label="exempt_until"),
)

_KEY_COLUMNS = (
    Column("client_id", "code"),
    Column("kid", "code"),
    Column("kty", "code"),
    Column("auth_method", "choice"),
    Column("certificate", "code"),
    Column("expires", "time"),
)


def _next_version(_: Any, watched: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401  a form
    """The fields of a draft that follows the version watched; of one that is a draft itself, they are as they were sent."""
    fields: dict[str, Any] = watched["fields"]
    return fields if watched["state"] in ("draft", "proposed") else written_fields(fields)


def _first_version(given: Mapping[str, Any], _: Any) -> dict[str, Any]:  # noqa: ANN401  no document
    """The fields of a draft in which nothing stands yet."""
    id = next(iter(given.get("id", ())), "").strip()
    return {**skeleton(), **({"id": id} if id else {})}


PARTNERS = Page(
    name="partners",
    path="/console/partners",
    roles=_READERS,
    menu=True,
    asks=(Ask("partners", "partners", READ, query=("text", "class", "state", *PAGED)),),
    filters=(
        Field("text", required=False),
        Field("class", "choice", choices=CLASSES, required=False),
        Field("state", "choice", choices=("active", "suspended"), required=False),
    ),
    tables=(
        Table(
            "partners",
            "partners",
            (
                Column("name", link="/console/partners/{id}"),
                Column("id", "code"),
                Column("class", "choice"),
                Column("suspended", "state", label="state"),
            ),
        ),
    ),
    actions=(
        Action(
            "register_partner",
            _OWN,
            WRITE,
            acts.NewPartner,
            (
                Field("name"),
                Field("class", "choice", choices=CLASSES),
                Field("exemption.ground", "choice", choices=GROUNDS, required=False),
                Field("exemption.proof", required=False),
                Field("exemption.until", "day", required=False),
            ),
            after="/console/partners/{id}",
        ),
    ),
)

PARTNER = Page(
    name="partner",
    path="/console/partners/{id}",
    roles=_READERS,
    parent="partners",
    template="partner.html",
    asks=(
        _PARTNER,
        Ask("usage", "usage", READ, path={"id": "id"}, roles=_OF_AGREEMENTS),
        Ask("payments", "partner_payments", READ, path={"id": "id"}, query=PAGED, roles=_OF_AGREEMENTS),
    ),
    facts=(
        Column("id", "code"),
        Column("class", "choice"),
        Column("suspended", "state", label="state"),
        Column("exemption.ground", "choice", label="exemption"),
        Column("exemption.proof"),
        Column("exemption.until", "day"),
    ),
    tables=(
        Table(
            "agreements",
            "partner",
            (Column("agreement", "code", link="/console/agreements/{agreement}"), Column("state", "state")),
            items="agreements",
        ),
        Table("keys", "partner", _KEY_COLUMNS, items="keys"),
        Table(
            "payments",
            "payments",
            (
                Column("reference", label="filing"),
                Column("agreement", "code"),
                Column("amount", "money"),
                Column("balance", "money"),
                Column("credited_at", "time"),
            ),
        ),
    ),
    actions=(
        Action(
            "draft_agreement",
            _OWN,
            WRITE,
            acts.Fields,
            (Field("id", required=False),),
            path={"id": "id"},
            watch="partner",
            guarded=False,
            compose=_first_version,
            after="/console/agreements/{agreement}/versions/{version}",
        ),
        Action(
            "propose_payment",
            _OWN,
            WRITE,
            acts.Payment,
            (
                Field("agreement", "choice", among="agreements.agreement"),
                Field("amount", "number"),
                Field("reference", label="filing"),
            ),
            path={"id": "id"},
            watch="partner",
            when={"agreements": True},
        ),
        Action(
            "propose_exemption", _OWN, WRITE, acts.Exemption, _EXEMPTION, path={"id": "id"}, watch="partner",
            when={"exemption": False},
        ),
        Action(
            "end_exemption", _OWN, WRITE, path={"id": "id"}, watch="partner", grave=True, when={"exemption": True},
        ),
        Action(
            "propose_partner_resume", _OWN, WRITE, acts.Nothing, path={"id": "id"}, watch="partner", when={"suspended": True},
        ),
        Action(
            "suspend_partner", _OWN, WRITE, acts.Reason, (_REASON,), path={"id": "id"}, watch="partner", grave=True,
            when={"suspended": False},
        ),
    ),
)  # fmt: skip

KEYS = Page(
    name="partner_keys",
    path="/console/partners/{id}/keys",
    roles=_READERS,
    parent="partner",
    template="partner_keys.html",
    asks=(_PARTNER,),
    tables=(Table("keys", "partner", _KEY_COLUMNS, items="keys"),),
    actions=(
        Action(
            "propose_key",
            _KEYS,
            WRITE,
            acts.NewKey,
            (
                Field("key", "area"),
                Field("client_id", required=False),
                Field("expires", "day", required=False, label="key_expires"),
            ),
            path={"id": "id"},
            watch="partner",
            compose=key_paper.body,
            preview=key_paper.understood,
        ),
        Action(
            "remove_key",
            _KEYS,
            WRITE,
            fields=(Field("kid", "hidden"),),
            path={"id": "id", "kid": "field:kid"},
            watch="partner",
            grave=True,
        ),
    ),
)

_AGREEMENT = Ask("agreement", "agreement", READ, path={"a": "a"})
AGREEMENT = Page(
    name="agreement",
    path="/console/agreements/{a}",
    roles=_OF_AGREEMENTS,
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
        Table(
            "versions",
            "agreement",
            (
                Column("version", "number", link="/console/agreements/{a}/versions/{version}"),
                Column("state", "state"),
                Column("digest", "code"),
            ),
            items="versions",
        ),
        Table(
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
            acts.Delivery,
            (Field("duty", "choice", choices=DUTIES), Field("reference", label="filing")),
            path={"a": "a"},
            watch="agreement",
            when={"state": ("in_force", "suspended", "approved")},
        ),
        Action(
            "propose_resume",
            _OWN,
            WRITE,
            acts.Nothing,
            path={"a": "a"},
            watch="agreement",
            when={"state": ("in_force", "suspended")},
        ),
        Action(
            "suspend_agreement",
            _OWN,
            WRITE,
            acts.Suspension,
            (Field("purpose", "choice", among="purposes", required=False, label="only_purpose"), _REASON),
            path={"a": "a"},
            watch="agreement",
            grave=True,
            when={"state": ("in_force", "approved")},
        ),
        Action(
            "terminate_agreement",
            _OWN,
            WRITE,
            acts.Reason,
            (_REASON,),
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
    acts.Objection,
    (Field("approval", "hidden"), Field("reason")),
    path={"id": "field:approval"},
)
VERSION = Page(
    name="version",
    path="/console/agreements/{a}/versions/{v}",
    roles=_OF_AGREEMENTS,
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
            acts.Nothing,
            path={"a": "a", "v": "v"},
            watch="version",
            when={"state": "draft", "missing": False, "faults": False},
        ),
        Action(
            "draft_version",
            _OWN,
            WRITE,
            acts.Fields,
            path={"a": "a"},
            watch="version",
            guarded=False,
            compose=_next_version,
            after="/console/agreements/{agreement}/versions/{version}",
            when={"state": ("approved", "in_force", "suspended", "expired")},
        ),
        _WITHDRAW,
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
        Table(
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
        Table(
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
        Table(
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

PAGES: tuple[Page, ...] = (PARTNERS, PARTNER, KEYS, AGREEMENT, VERSION, DRAFTS, CALENDAR, IMPORT)
