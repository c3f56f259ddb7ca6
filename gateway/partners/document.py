"""How is an agreement written down, so that it reads back the same and its digest names what was agreed?"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

import msgspec

from gateway.clock import jakarta_date
from gateway.partners.agreement import Agreement, AgreementState, Disclosure, Limits, PurposeTerms


def digest_of(agreement: Agreement) -> str:
    """SHA-256 in base64url (43 characters) over the canonical JSON of all that was agreed.

    What happens to a version later is left out (state, suspension), and so is its number: the store gives it.
    """
    document = to_document(agreement)
    for later in ("version", "state", "digest", "suspension", "suspended"):
        del document[later]
    digest = hashlib.sha256(msgspec.json.encode(document, order="sorted")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def to_document(agreement: Agreement) -> dict[str, object]:
    """The agreement as a JSON-able dict; `from_document` is its inverse."""
    limits = agreement.limits
    return {
        "id": agreement.id,
        "partner": agreement.partner,
        "version": agreement.version,
        "state": agreement.state.value,
        "digest": agreement.digest,
        "starts": agreement.starts,
        "ends": agreement.ends,
        "purposes": {name: _purpose_document(terms) for name, terms in agreement.purposes.items()},
        "limits": {
            "burst": limits.burst,
            "day": limits.day,
            "month": limits.month,
            "tariff": limits.tariff,
            "prepaid": limits.prepaid,
            "per_nik": limits.per_nik,
        },
        "networks": [str(network) for network in agreement.networks],
        "fields": dict(agreement.fields),
        "suspension": agreement.suspension,
        "suspended": sorted(agreement.suspended),
    }


def from_document(document: Mapping[str, Any]) -> Agreement:
    """The agreement that `to_document` wrote. Raises KeyError, TypeError or ValueError on any other dict."""
    return Agreement(
        id=document["id"],
        partner=document["partner"],
        version=document["version"],
        state=AgreementState(document["state"]),
        digest=document["digest"],
        starts=document["starts"],
        ends=document["ends"],
        purposes={name: _purpose_terms(terms) for name, terms in document["purposes"].items()},
        limits=Limits(**document["limits"]),
        networks=tuple(ip_network(network) for network in document["networks"]),
        fields=document["fields"],
        suspension=document["suspension"],
        suspended=frozenset(document["suspended"]),
    )


def written_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of docs/agreements.md that read as what `to_document` wrote: what a draft of the next version starts from.

    Without id, partner and version, which the path of a draft gives.
    """
    purposes = {
        name: {key: value for key, value in terms.items() if key != "purpose" and value not in ("", [])}
        for name, terms in document["purposes"].items()
    }
    starts, ends = (jakarta_date(document[name]).isoformat() for name in ("starts", "ends"))
    return {
        **{name: value for name, value in document["fields"].items() if name != "partner"},
        "term": {"starts": starts, "ends": ends},
        "purposes": purposes,
        "allowance": dict(document["limits"]),
    }


def _purpose_document(terms: PurposeTerms) -> dict[str, object]:
    return {
        "purpose": terms.purpose,
        "legal_basis": terms.legal_basis,
        "decide": list(terms.decide),
        "inform": list(terms.inform),
        "disclosure": terms.disclosure.value,
        "attempts": terms.attempts,
        "demands": sorted(terms.demands),
        "tells_order": terms.tells_order,
        "sector_law": terms.sector_law,
        "justification": terms.justification,
    }


def _purpose_terms(document: Mapping[str, Any]) -> PurposeTerms:
    members = dict(document)
    members["decide"] = tuple(members["decide"])
    members["inform"] = tuple(members["inform"])
    members["disclosure"] = Disclosure(members["disclosure"])
    members["demands"] = frozenset(members["demands"])
    return PurposeTerms(**members)
