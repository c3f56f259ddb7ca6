"""What does one say and hear? The examples of the OpenAPI document; nobody in them is a person."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.errors import Cause
from gateway.register.reasons import REASONS
from gateway.web.http.problems import PROBLEMS, page
from gateway.web.openapi.shapes import Schema

ISSUER = "https://nik.example.go.id"
_NIK = "7402154505909001"  # synthetic: real serials of a day and district do not reach 9000
_CLAIMS = {"name": "SITI AMINAH", "birth_date": "1990-05-05"}


def problem_example(cause: Cause) -> Schema:
    """The example document of one cause."""
    return {"summary": PROBLEMS[cause].title["en"], "value": page(cause, ISSUER)["example"]}


def question_examples() -> Schema:
    """Questions, by name."""
    question = {"nik": _NIK, "purpose": "account_opening", "claims": _CLAIMS}
    return {
        "least": {"summary": "What is required of everybody", "value": question},
        "consent": {
            "summary": "With consent and context",
            "value": {
                **question,
                "purpose": "credit_application",
                "consent": {"basis": "consent", "reference": "CIF-2026-000123"},
                "channel": "branch",
                "operator": "teller-17",
            },
        },
        "newborn": {
            "summary": "A newborn without a NIK: refused with nik-not-yet-issued, unbilled",
            "value": {**question, "nik": None, "newborn": True},
        },
    }


def batch_question() -> Schema:
    """A batch of two."""
    items = [{"ref": f"row-{number}", "nik": _NIK, "claims": _CLAIMS} for number in (1, 2)]
    return {"purpose": "account_opening", "items": items}


def answer_examples() -> Schema:
    """One answer for every disclosure; the digests are of one length, and of nothing."""
    sealed = {
        "answered_at": "2026-11-24T02:11:09.123Z",
        "nonce": "q2zqNRPvyZ4DvZyOqzJ8nH0vUuR1bM7n3m0b2m6sV1E",
        "billed": True,
        "entry": "F9x0Y3bq1oK9Zc0a7QmM2p3yV5b1t8LwRkHnXsJdUfA",
    }
    id = "019ab9a3-5c21-7d04-8f11-3c5b7e9a1d20"
    reason = "biometric_not_recorded"
    status = {
        "match": True,
        "status": "blocked",
        "as_of": "2026-11-24T01:00:00Z",
        "recheck_after": "2026-11-25T01:00:00Z",
        "subject": "pair_UpQ_GLGv5MYugFNSckQ4_g",
    }
    why = {"reason": reason, "remedy": REASONS[reason].remedy.document()}
    bands = {"claims": {"name": "close", "birth_date": "match"}}
    told: Mapping[str, Schema] = {
        "verdict": {"usable": True},
        "no-match": {"usable": False, "match": False},
        "status": {"usable": False, **status},
        "reason": {"usable": False, **status, **why},
        "claims": {"usable": False, **status, **why, **bands},
    }
    return {
        name: {"summary": f"{name.replace('-', ' ')}".capitalize(), "value": {"id": id, **members, **sealed}}
        for name, members in told.items()
    }


def batch_examples() -> Schema:
    """Answers to batches, by name."""
    answer = answer_examples()["verdict"]["value"]
    refused = {"ref": "row-2", **page(Cause.ATTEMPTS_EXHAUSTED, ISSUER)["example"]}
    return {
        "mixed": {"summary": "One answered, one refused", "value": {"items": [{"ref": "row-1", **answer}, refused]}}
    }
