"""Which rules does a Cedar file hold, and what is wrong with it?

Stricter than Cedar: every rule has an `@id`, annotations are a closed list, a permit hangs on the agreement, and there
are no templates.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import cedarpy

from gateway.errors import Cause

PRECEDENCE = (
    Cause.ADDRESS_NOT_ALLOWED,
    Cause.PURPOSE_NOT_AGREED,
    Cause.CLAIM_NOT_AGREED,
    Cause.CLAIMS_MISSING,
    Cause.CONSENT_MISSING,
    Cause.CONTEXT_MISSING,
    Cause.REFUSED_BY_POLICY,
)
"""Which cause is told when several rules forbid, first to last."""

REFUSALS = frozenset(cause.value for cause in PRECEDENCE[:-1])
"""Causes that a forbid can name in `@refusal`; each must be named by one rule at least."""

REQUIRED = frozenset({"certificate-not-agreed"})
"""Rules that no cause of their own is told for, and that must stand nevertheless: without them what was agreed is not held."""

DEFAULT_DENY = "default-deny"
TIER_3 = "tier-3"
_RESERVED = frozenset({DEFAULT_DENY, TIER_3})
_ANNOTATIONS = frozenset({"id", "refusal", "advice_id", "advice_en"})
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: in which file (and line, when known), of which kind, what, and what to do."""

    file: str
    line: int | None
    kind: str
    what: str
    remedy: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.kind}: {self.what} — {self.remedy}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy: `effect` is permit or forbid, `refusal` the cause that a forbid tells, advice a text for people."""

    id: str
    effect: str
    refusal: str
    advice_id: str
    advice_en: str
    file: str
    line: int | None


def read_rules(text: str, file: str, schema: cedarpy.Schema | None) -> tuple[dict[str, Any], list[Rule], list[Fault]]:
    """The rules of one file: Cedar JSON by id, the same as `Rule`s, and every fault.

    Without a schema types stay unchecked. Cedar's own parser decides what a policy is; lines are found beside it, to
    point at.
    """
    places = _statements(text)
    try:
        document = json.loads(cedarpy.policies_to_json_str(text))
    except ValueError as error:
        return {}, [], [_syntax_fault(text, file, places, error)]
    faults = []
    if document["templates"]:
        faults.append(
            Fault(file, None, "template", "a template permits nothing until linked", "write a policy without ?")
        )
    policies: dict[str, Any] = {}
    rules: list[Rule] = []
    parsed = document["staticPolicies"]
    count = len(parsed) + len(document["templates"])
    lines = [line for line, _ in places] if len(places) == count else [None] * count
    # Cedar names them policy0, policy1 … in the order of the text.
    for name in sorted(parsed, key=_position):
        policy = parsed[name]
        rule, found = _read_rule(policy, file, lines[_position(name)])
        faults.extend(found)
        if rule.id in policies:
            faults.append(
                Fault(file, rule.line, "duplicate_id", f"`{rule.id}` stands twice", "give each rule its own @id")
            )
        policies[rule.id] = policy
        rules.append(rule)
    if not parsed and not document["templates"]:
        faults.append(Fault(file, None, "no_rule", "holds no policy", "remove the file or write the rule"))
    if schema is not None:
        faults.extend(_type_faults(text, file, lines, schema))
    return policies, rules, faults


def _position(name: str) -> int:
    return int(name.removeprefix("policy"))


def _read_rule(policy: dict[str, Any], file: str, line: int | None) -> tuple[Rule, list[Fault]]:
    notes = {name: value or "" for name, value in policy.get("annotations", {}).items()}
    effect, rule_id, refusal = policy["effect"], notes.get("id", ""), notes.get("refusal", "")
    faults = []

    def fault(kind: str, what: str, remedy: str) -> None:
        faults.append(Fault(file, line, kind, what, remedy))

    if not rule_id:
        fault("no_id", "a policy has no @id", 'write @id("what-it-says") before it')
    elif not _ID.fullmatch(rule_id):
        fault("id_format", f"@id `{rule_id}` is not 1 to 64 of a-z, 0-9 and -", "choose another @id")
    elif rule_id in _RESERVED:
        fault("reserved_id", f"@id `{rule_id}` belongs to the program", "choose another @id")
    for name in sorted(notes.keys() - _ANNOTATIONS):
        fault("unknown_annotation", f"@{name} says nothing here", f"use {', '.join(sorted(_ANNOTATIONS))}")
    if effect == "permit" and "refusal" in notes:
        fault("refusal_on_permit", "a permit cannot name a @refusal", "make it a forbid or leave @refusal out")
    elif "refusal" in notes and refusal not in REFUSALS:
        fault("unknown_refusal", f"@refusal `{refusal}` is no cause", f"use one of {', '.join(sorted(REFUSALS))}")
    if effect == "permit" and not _hangs_on_agreement(policy):
        fault(
            "permits_everything",
            "a permit that does not hang on the agreement",
            'add when { context.agreement.state == "in_force" && context.agreement.partner == principal }',
        )
    return Rule(rule_id, effect, refusal, notes.get("advice_id", ""), notes.get("advice_en", ""), file, line), faults


def _attribute(name: str) -> dict[str, Any]:
    return {".": {"left": {".": {"left": {"Var": "context"}, "attr": "agreement"}}, "attr": name}}


_IN_FORCE = (_attribute("state"), {"Value": "in_force"})
_OWN = (_attribute("partner"), {"Var": "principal"})


def _hangs_on_agreement(policy: dict[str, Any]) -> bool:
    """Whether both conditions stand in the policy as conjuncts, so that it cannot hold without them."""
    bodies = [condition["body"] for condition in policy["conditions"] if condition["kind"] == "when"]
    equal = [tuple(part["=="].values()) for body in bodies for part in _conjuncts(body) if "==" in part]
    return all(wanted in equal or wanted[::-1] in equal for wanted in (_IN_FORCE, _OWN))


def _conjuncts(body: dict[str, Any]) -> list[dict[str, Any]]:
    if "&&" in body:
        return _conjuncts(body["&&"]["left"]) + _conjuncts(body["&&"]["right"])
    return [body]


_NOWHERE = "unable to find an applicable action"
_KINDS = (
    ("optional attribute", "unsafe_optional", "ask `context has …` first"),
    ("unrecognized action", "unknown_action", 'the one action is Action::"verify"'),
    ("unrecognized entity type", "unknown_entity", "the entities are Partner and Purpose"),
    ("attribute", "unknown_attribute", "schema.cedarschema lists what a policy can see"),
    (_NOWHERE, "never_applies", 'a rule is about Partner, Action::"verify" and Purpose'),
    ("", "wrong_type", "compare with schema.cedarschema"),
)


def _type_faults(text: str, file: str, lines: list[Any], schema: cedarpy.Schema) -> list[Fault]:
    result = cedarpy.validate_policies(text, schema)
    faults = []
    explained = {error.policy_id for error in result.errors if _NOWHERE not in error.error}
    for error in result.errors:
        if _NOWHERE in error.error and error.policy_id in explained:
            # Follows from the other fault of the same rule.
            continue
        kind, remedy = next((kind, remedy) for mark, kind, remedy in _KINDS if mark in error.error)
        line = lines[_position(error.policy_id)] if error.policy_id else None
        what = error.error.removeprefix(f"for policy `{error.policy_id}`, ")
        faults.append(Fault(file, line, kind, what, remedy))
    if not result.validation_passed and not faults:
        faults.append(Fault(file, None, "wrong_type", "does not fit the schema", "compare with schema.cedarschema"))
    return faults


def _syntax_fault(text: str, file: str, places: list[tuple[int, str]], error: ValueError) -> Fault:
    remedy = "mend it: nothing of a file that cannot be read counts"
    for line, statement in places:
        try:
            cedarpy.PolicySet.from_str(statement)
        except ValueError as found:
            return Fault(file, line, "syntax_error", str(found), remedy)
    return Fault(file, text.count("\n") + 1, "syntax_error", str(error), remedy)


_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|;|\S', re.DOTALL)


def _statements(text: str) -> list[tuple[int, str]]:
    """The text cut at every `;` outside texts and comments: (line of its first word, statement)."""
    found = []
    start: int | None = None
    for token in _TOKEN.finditer(text):
        if token[0].startswith("//"):
            continue
        if start is None:
            start = token.start()
        if token[0] == ";":
            found.append((text.count("\n", 0, start) + 1, text[start : token.end()]))
            start = None
    if start is not None:
        found.append((text.count("\n", 0, start) + 1, text[start:]))
    return found
