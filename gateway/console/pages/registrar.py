"""What does a registrar see and do? Partners, their keys and their money; what is about agreements stands in agreements.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.administration.requests import partners as bodies
from gateway.console.frame.page import (
    APPROVER,
    KEY_OFFICER,
    PAGED,
    REGISTRAR,
    Action,
    Ask,
    Column,
    Field,
    Page,
    TableSpec,
)
from gateway.console.pages import agreements, key_paper
from gateway.console.pages.agreement_form import skeleton
from gateway.console.pages.agreements import OF_AGREEMENTS, REASON

READ, WRITE = "partners.read", "partners.write"
CLASSES = (
    "agency", "bank", "bpjs", "company", "cooperative", "finance_company", "insurer", "intermediary", "micro_business",
    "ministry", "public_hospital", "region", "telecom",
)  # fmt: skip
GROUNDS = ("bpjs_kesehatan", "cooperative", "micro_business", "ministry", "public_hospital", "region")
_READERS = frozenset({REGISTRAR, APPROVER, KEY_OFFICER})
_OWN = frozenset({REGISTRAR})
_KEYS = frozenset({REGISTRAR, KEY_OFFICER})
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
        TableSpec(
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
            bodies.NewPartner,
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
        Ask("usage", "usage", READ, path={"id": "id"}, roles=OF_AGREEMENTS),
        Ask("payments", "partner_payments", READ, path={"id": "id"}, query=PAGED, roles=OF_AGREEMENTS),
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
        TableSpec(
            "agreements",
            "partner",
            (Column("agreement", "code", link="/console/agreements/{agreement}"), Column("state", "state")),
            items="agreements",
        ),
        TableSpec("keys", "partner", _KEY_COLUMNS, items="keys"),
        TableSpec(
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
            bodies.Fields,
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
            bodies.Payment,
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
            "propose_exemption", _OWN, WRITE, bodies.Exemption, _EXEMPTION, path={"id": "id"}, watch="partner",
            when={"exemption": False},
        ),
        Action(
            "end_exemption", _OWN, WRITE, path={"id": "id"}, watch="partner", grave=True, when={"exemption": True},
        ),
        Action(
            "propose_partner_resume", _OWN, WRITE, bodies.Nothing, path={"id": "id"}, watch="partner", when={"suspended": True},
        ),
        Action(
            "suspend_partner", _OWN, WRITE, bodies.SuspensionReason, (REASON,), path={"id": "id"}, watch="partner", grave=True,
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
    tables=(TableSpec("keys", "partner", _KEY_COLUMNS, items="keys"),),
    actions=(
        Action(
            "propose_key",
            _KEYS,
            WRITE,
            bodies.NewKey,
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

PAGES: tuple[Page, ...] = (PARTNERS, PARTNER, KEYS, *agreements.PAGES)
