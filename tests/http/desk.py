"""What do administrators send? The fields of a whole agreement, and the steps that a test takes more than once."""

from __future__ import annotations

import itertools
import json
from typing import Any

from days import day
from partner import Partner, ProofKey

_numbers = itertools.count(1)
_SIGNED = {
    "date": "2025-11-01",
    "file_sha256": "0" * 64,
    "signatories": [
        {"name": "Budi Contoh", "office": "Direktur Jenderal", "side": "directorate"},
        {"name": "Sri Contoh", "office": "Direktur Utama", "side": "partner"},
    ],
}


def fields(**changes: Any) -> dict[str, Any]:
    """An agreement from which nothing is missing; a change that is None leaves its member out."""
    whole = {
        "supervising_ministry": "Otoritas Jasa Keuangan",
        "term": {"starts": "2026-01-01", "ends": "2036-01-01"},
        "mou": {"number": "MOU/1", **_SIGNED},
        "pks": {"number": "PKS/1", **_SIGNED},
        "dpia": {"reference": "DPIA/1", "date": "2026-10-01"},
        "purposes": {"account_opening": {"sector_law": "banking", "disclosure": "status"}},
        "access": {"method": "dpop", "addresses": ["127.0.0.0/8", "::1/128"]},
        "allowance": {"burst": 1000, "day": 5000, "month": 50_000, "tariff": 1000, "prepaid": False},
        "duties": {
            "return_data": {"due": "2035-01-31", "every_months": 1},
            "semester_report": {"due": "2035-07-31", "every_months": 6},
        },
        "data_protection_officers": [{"name": "Rina Contoh", "email": "pdp@bank.example"}],
        "breach_contact": {"name": "Pusat Insiden", "email": "insiden@bank.example"},
        "suspension": {"grounds": ["semester report three months late"]},
        "termination": {"grounds": ["end of term"], "notice_days": 30},
    }
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


def new_name() -> str:
    """The name of a partner that no other test registers."""
    return f"Bank Uji {next(_numbers):04d} {id(_numbers) % 9973}"


class Office:
    """The persons of one gateway: a registrar, and two who approve."""

    def __init__(self, gateway: Any) -> None:
        self.gateway = gateway
        self.registrar: Partner = gateway.partner("registrar")
        self.approver: Partner = gateway.partner("approver")
        self.second: Partner = gateway.partner("approver-2")

    def post(self, path: str, body: object = None, *, by: Partner | None = None, **headers: str) -> Any:
        """The reply to a POST, by the registrar unless somebody else is named."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return (by or self.registrar).call("POST", path, body, headers=named or None)

    def get(self, path: str, *, by: Partner | None = None) -> Any:
        """The reply to a GET; a query is no part of a proof."""
        who = by or self.registrar
        bare = path.partition("?")[0]
        return who.call("GET", path, proofs=[who.proof("GET", bare, who.token())])

    def register(self, **members: Any) -> str:
        """A new partner; its id."""
        reply = self.post("/v1/partners", {"name": new_name(), "class": "bank", **members})
        assert reply.status_code == 201, reply.text
        return str(reply.json()["id"])

    def draft(self, partner: str, **changes: Any) -> dict[str, Any]:
        """A draft of its first agreement, from which nothing is missing."""
        reply = self.post(f"/v1/partners/{partner}/agreements", fields(**changes))
        assert reply.status_code == 201, reply.text
        document: dict[str, Any] = reply.json()
        assert document["missing"] == [], document
        return document

    def propose(self, draft: dict[str, Any]) -> dict[str, Any]:
        """The proposal of a draft."""
        reply = self.post(f"/v1/agreements/{draft['agreement']}/versions/{draft['version']}/propose")
        assert reply.status_code == 202, reply.text
        document: dict[str, Any] = reply.json()
        return document

    def approve(self, proposed: dict[str, Any], by: Partner | None = None, **members: Any) -> Any:
        """The reply to an approval by another person."""
        body = {"digest": proposed["digest"], **members}
        return self.post(f"/v1/approvals/{proposed['approval']}/approve", body, by=by or self.approver)

    def agree(self, partner: str, **changes: Any) -> str:
        """An agreement in force; its id."""
        reply = self.approve(self.propose(self.draft(partner, **changes)))
        assert reply.status_code == 200, reply.text
        return str(reply.json()["agreement"])

    def bring_in(self, **changes: Any) -> tuple[str, str, Partner]:
        """(partner, agreement, its client) of a partner that is answered from now on."""
        partner = self.register()
        agreement = self.agree(partner, **changes)
        return partner, agreement, self.add_key(partner)

    def add_key(self, partner: str) -> Partner:
        """A new key of a partner, approved; whoever holds it."""
        key = ProofKey()
        kid = f"{partner[:40]}-{next(_numbers)}"
        public = {**key.jwk, "kid": kid, "alg": "ES256", "use": "sig"}
        proposed = self.post(f"/v1/partners/{partner}/keys", {"jwk": public})
        assert proposed.status_code == 202, proposed.text
        approved = self.approve(proposed.json())
        assert approved.status_code == 200, approved.text
        whole = {**key.private_jwk, "kid": kid, "alg": "ES256", "use": "sig"}
        return Partner(self.gateway.issuer, approved.json()["client_id"], whole, self.gateway.http)

    def assign(self, **changes: Any) -> Any:
        """The reply to a proposal of an assignment of the auditor over the first partner."""
        body = {
            "auditor": "Demo Auditor", "letter": "ST/17/2026", "partners": ["bpjs"], "since": day(-30), "until": day(1),
            "expires": day(30),
        }  # fmt: skip
        return self.post("/v1/assignments", body | changes)

    def assigned(self, **changes: Any) -> str:
        """Such an assignment in force; its id."""
        reply = self.approve(self.assign(**changes).json())
        assert reply.status_code == 200, reply.text
        return str(reply.json()["assignment"])

    def ask(self, partner: Partner, **members: Any) -> Any:
        """The reply to one verification of this partner."""
        question = self.gateway.question(
            partner.client_id, self.gateway.resident(), purpose="account_opening", **members
        )
        return partner.verify(question)


def slug(reply: Any) -> str:
    """The slug of a problem; empty for an answer."""
    return str(json.loads(reply.content).get("type", "")).rpartition("/")[2]
