"""On what does a decision depend, and how is it put to Cedar?

Everything that a policy can see stands in `policies/schema.cedarschema`; no value of a claim is among it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.partners.agreement import AgreementInForce, PurposeTerms


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that a decision depends on; equal inputs get equal decisions, so they are the key of the cache.

    `claims` are names. `consent` is the legal basis that the request names (one of `LEGAL_BASES`, with its reference),
    "" when it names none. `channel`, `operator` and `on_behalf_of` say whether the request carries them.
    `token_purposes` and `token_claims` are the bounds of the token's authorization_details, None without bounds.
    """

    partner: str
    kind: str
    agreement: AgreementInForce
    purpose: str
    claims: frozenset[str]
    consent: str
    channel: bool
    operator: bool
    on_behalf_of: bool
    address_allowed: bool
    certificate_allowed: bool
    client_id: str
    sender_constraint: str
    token_purposes: frozenset[str] | None = None
    token_claims: frozenset[str] | None = None

    def carries(self, member: str) -> bool:
        """Whether the request carries what an agreement may demand: channel, operator or on_behalf_of."""
        return {"channel": self.channel, "operator": self.operator, "on_behalf_of": self.on_behalf_of}[member]


def cedar_request(terms: PurposeTerms, inputs: Inputs) -> dict[str, Any]:
    """The request (principal, action, resource, context) that the schema describes."""
    agreement = inputs.agreement.agreement
    context: dict[str, Any] = {
        "agreement": {
            "id": agreement.id,
            "version": agreement.version,
            "digest": agreement.digest,
            # The type says it: only `in_force` makes an AgreementInForce.
            "state": "in_force",
            "partner": {"__entity": {"type": "Partner", "id": agreement.partner}},
        },
        "terms": {
            "purpose": terms.purpose,
            "legal_basis": terms.legal_basis,
            "decide": list(terms.decide),
            "claims": sorted(terms.claims),
            "demands": sorted(terms.demands),
            "disclosure": terms.disclosure.value,
            "attempts": terms.attempts,
        },
        "purpose": inputs.purpose,
        "claims": sorted(inputs.claims),
        "consent": inputs.consent,
        "channel": inputs.channel,
        "operator": inputs.operator,
        "on_behalf_of": inputs.on_behalf_of,
        "address_allowed": inputs.address_allowed,
        "certificate_allowed": inputs.certificate_allowed,
        "client": inputs.client_id,
        "sender_constraint": inputs.sender_constraint,
    }
    if inputs.token_purposes is not None:
        context["token_purposes"] = sorted(inputs.token_purposes)
    if inputs.token_claims is not None:
        context["token_claims"] = sorted(inputs.token_claims)
    return {
        "principal": {"type": "Partner", "id": inputs.partner},
        "action": {"type": "Action", "id": "verify"},
        "resource": {"type": "Purpose", "id": inputs.purpose},
        "context": context,
    }


def cedar_entities(inputs: Inputs) -> list[dict[str, Any]]:
    """The one entity with attributes: the partner that asks."""
    return [{"uid": {"type": "Partner", "id": inputs.partner}, "attrs": {"kind": inputs.kind}, "parents": []}]
