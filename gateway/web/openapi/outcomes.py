"""What do answers, problems and readings look like? JSON Schema 2020-12, by disclosure and by cause."""

from __future__ import annotations

from gateway.claims import CLAIMS
from gateway.errors import Cause
from gateway.matching.bands import Band
from gateway.partners.agreement import AgreementState, Disclosure
from gateway.register.reasons import REASONS, Status
from gateway.web.http.problems import PROBLEMS
from gateway.web.openapi.samples import ISSUER
from gateway.web.openapi.shapes import BOTH, DIGEST, IDENTIFIER, INSTANT, MILLISECONDS, UUID, WHOLE, Schema, closed, ref


def outcomes() -> Schema:
    """Schemas of everything that the gateway sends to a partner."""
    return {**_answers(), **_problems(), **_readings()}


def _answers() -> Schema:
    verdict: Schema = {
        "id": UUID,
        "usable": {
            "type": "boolean",
            "description": "Every deciding claim matches and the status is active. Read this first.",
        },
        "answered_at": MILLISECONDS,
        "nonce": {**DIGEST, "description": "32 bytes, given to the asker alone: opens `request` of the leaf."},
        "entry": {**DIGEST, "description": "RFC 6962 hash of the leaf that was sealed before this answer left."},
        "billed": {"const": True},
    }
    status: Schema = {
        "match": {"const": True},
        "status": {"enum": [str(each) for each in Status]},
        "as_of": {**INSTANT, "description": "Until when the register is known complete for the resident's region."},
        "recheck_after": {**INSTANT, "description": "How long the answer may be relied on."},
        "subject": {
            "type": "string",
            "pattern": "^pair_[A-Za-z0-9_-]{22}$",
            "description": "Your own pseudonym for this resident.",
        },
        "changed": {"type": "boolean", "description": "Only with `previous`."},
    }
    reason: Schema = {"reason": {"enum": list(REASONS)}, "remedy": ref("Remedy")}
    bands = {
        "type": "object",
        "propertyNames": {"enum": list(CLAIMS)},
        "additionalProperties": {"enum": [str(b) for b in Band]},
    }
    levels: dict[Disclosure, tuple[Schema, list[str]]] = {
        Disclosure.STATUS: (status, ["changed"]),
        Disclosure.REASON: ({**status, **reason}, ["changed", "reason", "remedy"]),
        Disclosure.CLAIMS: ({**status, **reason, "claims": bands}, ["changed", "reason", "remedy"]),
    }
    told: Schema = {"Verdict": _open(verdict, [], "Disclosure `verdict`; its members are in every answer.")}
    told["NoMatch"] = _open(
        {**verdict, "usable": {"const": False}, "match": {"const": False}},
        [],
        "From disclosure `status` on, when a deciding claim does not match or there is no such NIK: both look alike.",
    )
    for level, (members, optional) in levels.items():
        told[f"With{level.value.title()}"] = _open({**verdict, **members}, optional, f"Disclosure `{level.value}`.")
    any_of = [ref(name) for name in told]
    item: Schema = {"type": "object", "properties": {"ref": dict(IDENTIFIER)}}
    answered = {**item, "anyOf": any_of, "unevaluatedProperties": False}
    return {
        **told,
        "Answer": {"type": "object", "anyOf": any_of, "unevaluatedProperties": False},
        "AnsweredItem": answered,
        "BatchAnswer": closed({"items": {"type": "array", "items": {"anyOf": [ref("AnsweredItem"), ref("Problem")]}}}),
        "Remedy": closed(
            {
                **{
                    name: {"enum": sorted({getattr(reason.remedy, name) for reason in REASONS.values()})}
                    for name in ("by", "where", "action")
                },
                "documents": {"type": "array", "items": {"type": "string"}},
                "text": BOTH,
                "regency": {
                    "type": "string",
                    "pattern": "^[0-9]{4}$",
                    "description": "Only when you sent it and it matched.",
                },
            },
            "regency",
            description="Who can mend it, where, by which action and with which documents.",
        ),
    }


def _open(members: Schema, optional: list[str], description: str) -> Schema:
    """An object that others may extend: what is left over is judged where it is used (`unevaluatedProperties`)."""
    required = [name for name in members if name not in optional]
    return {"type": "object", "description": description, "properties": members, "required": required}


def _problems() -> Schema:
    facts: Schema = {}
    for problem in PROBLEMS.values():
        for name, fact in problem.example.items():
            kind = {str: "string", int: "integer", bool: "boolean"}.get(type(fact))
            facts[name] = {"type": kind} if kind else {"type": "array", "items": {"type": "string"}}
    facts["expected"] = {
        "type": "array",
        "description": "The form of each of `members`, and where there is one an example.",
        "items": closed({"member": {"type": "string"}, "form": {"type": "string"}, "example": {}}, "example"),
    }
    facts["did_you_mean"] = {"type": "array", "items": {"type": "string"}}
    facts["agreed"]["description"] = "Names of purposes or claims that may be asked for."
    facts["claims"]["description"] = "Names of claims, never values."
    facts["state"] = {"enum": [*(str(state) for state in AgreementState), "none"]}
    facts["resets_at"] = dict(INSTANT)
    members: Schema = {
        "type": {"anyOf": [ref("ProblemType"), {"type": "string", "pattern": "/problems/[a-z-]+$"}]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "Indonesian or English. Never holds a NIK or a claim."},
        "instance": {"type": "string", "pattern": "^urn:uuid:"},
        "retryable": {"type": "boolean", "description": "The very same question, asked later, may be answered."},
        "billed": {
            "type": ["boolean", "null"],
            "description": "`false`; `null`: not known, ask again with the same Idempotency-Key.",
        },
        "id": {**UUID, "description": "For an identified caller."},
        "nonce": {**DIGEST, "description": "For an identified caller."},
        "entry": {**DIGEST, "description": "For an identified caller: a refusal is sealed as an answer is."},
        "ref": {**IDENTIFIER, "description": "In a batch."},
    }
    types = {
        f"{ISSUER}/problems/{cause.value}": f"{told.status}: {told.title['en']}" for cause, told in PROBLEMS.items()
    }
    required = ["type", "title", "status", "detail", "instance", "retryable", "billed"]
    return {
        "Problem": {
            "type": "object",
            "description": "RFC 9457. `type` decides; the members past the standard ones are those of its cause.",
            "properties": {**members, **facts},
            "required": required,
            "additionalProperties": False,
        },
        "ProblemType": {
            "type": "string",
            "description": "One for every cause there is today; a later version may know more.",
            "enum": list(types),
            "x-enum-varnames": [cause.name for cause in PROBLEMS],
            "x-enumDescriptions": types,
        },
        "ProblemSlug": {"enum": [cause.value for cause in Cause]},
        "ProblemPage": closed(
            {
                "slug": ref("ProblemSlug"),
                "status": {"type": "integer"},
                "retryable": {"type": "boolean"},
                "title": BOTH,
                "meaning": BOTH,
                "what_to_do": BOTH,
                "example": ref("Problem"),
            }
        ),
    }


def _readings() -> Schema:
    sealed: Schema = {
        "id": UUID,
        "answered_at": MILLISECONDS,
        "nonce": DIGEST,
        "entry": DIGEST,
        "billed": {"const": False},
    }
    names: Schema = {"type": "array", "items": {"enum": list(CLAIMS)}}
    purpose = closed(
        {
            "legal_basis": {"type": "string"},
            "decide": names,
            "inform": names,
            "disclosure": {"enum": [str(level) for level in Disclosure]},
            "attempts": WHOLE,
            "demands": {"type": "array", "items": {"enum": ["channel", "consent", "on_behalf_of", "operator"]}},
            "suspended": {"type": "boolean"},
        }
    )
    instrument = closed({"number": {"type": "string"}, "date": {"type": "string", "format": "date"}})
    agreement = closed(
        {
            "agreement": {"type": "string"},
            "version": {"type": "integer", "minimum": 1},
            "digest": DIGEST,
            "state": {"enum": [str(state) for state in AgreementState]},
            "term": closed({"starts": INSTANT, "ends": INSTANT}),
            "purposes": {"type": "object", "additionalProperties": purpose},
            "limits": closed({"burst": WHOLE, "day": WHOLE, "month": WHOLE, "per_nik": WHOLE}),
            "tariff": closed({"rupiah": WHOLE, "prepaid": {"type": "boolean"}}),
            "addresses": {"type": "array", "items": {"type": "string"}},
            "duties": {"type": "object", "additionalProperties": closed({"due": {"type": "string", "format": "date"}})},
            "pks": instrument,
            "mou": instrument,
            "access": {"type": "object"},
            "dpia": {"type": "object"},
            "on_behalf_of": {"type": "array", "items": {"type": "string"}},
            "restore": {"type": "array", "items": {"type": "string"}, "description": "What brings it back into force."},
        },
        "pks",
        "mou",
        "access",
        "dpia",
        "on_behalf_of",
        "restore",
    )
    partner = closed(
        {
            "id": {"type": "string"},
            "name": {"type": "string"},
            "class": {"type": "string"},
            "suspended": {"type": "boolean"},
        }
    )
    own: Schema = {
        "keys": {
            "type": "array",
            "items": closed({"kid": {"type": "string"}, "expires": {"anyOf": [INSTANT, {"type": "null"}]}}),
        },
        "seen_address": {
            "type": "string",
            "description": "The address that this call came from, as the gateway sees it.",
        },
    }
    limit = closed({"limit": WHOLE, "spent": WHOLE, "left": WHOLE, "resets_at": INSTANT})
    usage = closed(
        {
            "agreement": {"type": "string"},
            "state": {"enum": [str(state) for state in AgreementState]},
            "limits": closed({"burst": limit, "day": limit, "month": limit}),
            "tariff": WHOLE,
            "cost_month": WHOLE,
            "balance": WHOLE,
        },
        "balance",
    )
    return {
        "AgreementAnswer": closed(
            {**sealed, "partner": partner, "as_of": INSTANT, "agreements": {"type": "array", "items": agreement}, **own}
        ),
        "UsageAnswer": closed({**sealed, "agreements": {"type": "array", "items": usage}}),
    }
