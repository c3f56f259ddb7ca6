"""What does a registrar see and do? Partners: who they are, what they have agreed, and with which keys they come."""

from __future__ import annotations

from gateway.verification import acts
from gateway.web.console.page import APPROVER, PAGED, REGISTRAR, Action, Ask, Column, Field, Page, Table

READ, WRITE = "partners.read", "partners.write"
CLASSES = (
    "agency", "bank", "bpjs", "company", "cooperative", "finance_company", "insurer", "intermediary", "micro_business",
    "ministry", "public_hospital", "region", "telecom",
)  # fmt: skip
GROUNDS = ("bpjs_kesehatan", "cooperative", "micro_business", "ministry", "public_hospital", "region")
_READERS = frozenset({REGISTRAR, APPROVER})
_OWN = frozenset({REGISTRAR})

PAGES: tuple[Page, ...] = (
    Page(
        name="partners",
        path="/console/partners",
        roles=_READERS,
        menu=True,
        asks=(Ask("partners", "partners", READ, query=PAGED),),
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
                ),
                after="/console/partners/{id}",
            ),
        ),
    ),
    Page(
        name="partner",
        path="/console/partners/{id}",
        roles=_READERS,
        parent="partners",
        asks=(Ask("partner", "partner", READ, path={"id": "id"}),),
        facts=(
            Column("name"),
            Column("id", "code"),
            Column("class", "choice"),
            Column("suspended", "state", label="state"),
            Column("exemption.ground", "choice", label="exemption"),
            Column("exemption.proof"),
        ),
        tables=(
            Table("agreements", "partner", (Column("agreement", "code"), Column("state", "state")), items="agreements"),
            Table(
                "keys",
                "partner",
                (
                    Column("client_id", "code"),
                    Column("kid", "code"),
                    Column("kty", "code"),
                    Column("auth_method", "choice"),
                    Column("expires", "time"),
                ),
                items="keys",
            ),
        ),
        actions=(
            Action(
                "suspend_partner",
                _OWN,
                WRITE,
                acts.Reason,
                (Field("reason", "choice", choices=("breach", "incident", "request", "dispute")),),
                path={"id": "id"},
                watch="partner",
                grave=True,
                when={"suspended": False},
            ),
        ),
    ),
)
