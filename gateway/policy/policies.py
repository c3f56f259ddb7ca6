"""Is this directory of policies fit to decide, and what is its digest?

A directory holds `*.cedar`, `schema.cedarschema` and `purposes.toml`; nothing else may lie there but a README and the
folder `refused` of broken examples. One fault anywhere and nothing is loaded.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cedarpy

from gateway.errors import Misconfigured
from gateway.partners.agreement import Agreement, AgreementInForce, AgreementState, Disclosure, Limits, PurposeTerms
from gateway.partners.purposes import PurposeCatalogue
from gateway.policy.inputs import Inputs, cedar_entities, cedar_request
from gateway.policy.rules import REFUSALS, REQUIRED, Fault, Rule, read_rules

SCHEMA = "schema.cedarschema"
PURPOSES = "purposes.toml"
SHIPPED = Path(__file__).with_name("files")
"""The policies that come with the program: `policies/` of the repository, which a wheel holds here."""
_BESIDE = frozenset({"README.md", "refused"})


@dataclass(frozen=True, slots=True)
class Policies:
    """Policies that passed every check. `digest` is SHA-256 in base64url over names and bytes of all their files."""

    digest: str
    rules: Mapping[str, Rule]
    purposes: PurposeCatalogue
    policy_set: cedarpy.PolicySet
    schema: cedarpy.Schema


def load(directory: Path) -> Policies:
    """The policies of a directory. Raises Misconfigured with every fault, each naming its file."""
    policies, faults = _read(directory)
    if policies is None:
        raise Misconfigured([str(fault) for fault in faults])
    return policies


def check(directory: Path) -> list[Fault]:
    """Everything that `load` would refuse; empty when the directory is fit."""
    return _read(directory)[1]


def _read(directory: Path) -> tuple[Policies | None, list[Fault]]:
    try:
        files = {
            path.name: path.read_bytes() if path.is_file() else None
            for path in sorted(directory.iterdir())
            if path.name not in _BESIDE
        }
    except OSError as error:
        return None, [Fault(str(directory), None, "unreadable", str(error), "point at a directory of policies")]
    faults: list[Fault] = []
    texts: dict[str, str] = {}
    for name, octets in files.items():
        if octets is None or (name not in {SCHEMA, PURPOSES} and not name.endswith(".cedar")):
            faults.append(Fault(name, None, "unexpected_file", "is no policy", "name it *.cedar or take it away"))
            continue
        try:
            texts[name] = octets.decode("utf-8")
        except UnicodeDecodeError as error:
            faults.append(Fault(name, None, "not_utf8", str(error), "save it as UTF-8"))
    schema = _read_schema(texts, faults)
    purposes = _read_purposes(texts, faults)
    documents: dict[str, Any] = {}
    rules: dict[str, Rule] = {}
    for name, text in texts.items():
        if name not in {SCHEMA, PURPOSES}:
            found, read, wrong = read_rules(text, name, schema)
            faults.extend(wrong)
            faults.extend(
                Fault(name, rule.line, "duplicate_id", f"`{rule.id}` stands in {rules[rule.id].file} too", "rename one")
                for rule in read
                if rule.id in rules
            )
            documents.update(found)
            rules.update({rule.id: rule for rule in read})
    faults.extend(_whole(directory, rules.values()))
    if faults or schema is None or purposes is None:
        return None, faults
    policy_set = cedarpy.PolicySet.from_json_str(
        json.dumps({"templates": {}, "staticPolicies": documents, "templateLinks": []})
    )
    policies = Policies(_digest(files), rules, purposes, policy_set, schema)
    if unfit := _try_out(policies):
        return None, [unfit]
    return policies, []


def _read_schema(texts: Mapping[str, str], faults: list[Fault]) -> cedarpy.Schema | None:
    if SCHEMA not in texts:
        faults.append(Fault(SCHEMA, None, "missing_file", "is not there", "policies are checked against it"))
        return None
    try:
        return cedarpy.Schema.from_str(texts[SCHEMA])
    except ValueError as error:
        faults.append(Fault(SCHEMA, None, "schema_syntax", str(error), "mend it: it describes what a policy can see"))
        return None


def _read_purposes(texts: Mapping[str, str], faults: list[Fault]) -> PurposeCatalogue | None:
    if PURPOSES not in texts:
        faults.append(Fault(PURPOSES, None, "missing_file", "is not there", "it is the closed list of purposes"))
        return None
    try:
        return PurposeCatalogue.parse(texts[PURPOSES], PURPOSES)
    except Misconfigured as error:
        for fault in error.faults:
            what = fault.removeprefix(f"{PURPOSES}: ")
            faults.append(Fault(PURPOSES, None, "purposes", what, "the head of the house's purposes.toml tells how"))
        return None


def _whole(directory: Path, rules: Iterable[Rule]) -> list[Fault]:
    """Faults of the set as a whole: a refusal that no rule tells, or no permit at all."""
    told = {rule.refusal for rule in rules if rule.effect == "forbid"}
    faults = [
        Fault(directory.name, None, "missing_refusal", f"no forbid has @refusal `{slug}`", "restore the rule")
        for slug in sorted(REFUSALS - told)
    ]
    faults += [
        Fault(directory.name, None, "missing_rule", f"no forbid has @id `{id}`", "restore the rule")
        for id in sorted(REQUIRED - {rule.id for rule in rules if rule.effect == "forbid"})
    ]
    if not any(rule.effect == "permit" for rule in rules):
        faults.append(Fault(directory.name, None, "no_permit", "nothing is ever permitted", "restore the permit"))
    return faults


def _digest(files: Mapping[str, bytes | None]) -> str:
    digest = hashlib.sha256()
    for name, octets in sorted(files.items()):
        # Lengths before contents: two sets of files never run together to the same bytes.
        for part in (name.encode(), octets or b""):
            digest.update(len(part).to_bytes(8))
            digest.update(part)
    return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()


def _try_out(policies: Policies) -> Fault | None:
    """A schema that does not take the gateway's own request would refuse every call: better refuse to start."""
    terms = PurposeTerms("trial", "public_task", ("name",), (), Disclosure.VERDICT)
    limits = Limits(1, 1, 1)
    agreement = Agreement("trial", "trial", 1, AgreementState.IN_FORCE, "", 0, 1, {"trial": terms}, limits, (), {})
    names = frozenset({"name"})
    inputs = Inputs(
        partner="trial",
        kind="bank",
        agreement=AgreementInForce(agreement),
        purpose="trial",
        claims=names,
        consent="",
        channel=False,
        operator=False,
        on_behalf_of=False,
        address_allowed=True,
        certificate_allowed=True,
        client_id="trial",
        sender_constraint="dpop",
        token_purposes=frozenset({"trial"}),
        token_claims=names,
    )
    answer = cedarpy.is_authorized(
        cedar_request(terms, inputs), policies.policy_set, cedar_entities(inputs), policies.schema
    )
    if answer.decision is cedarpy.Decision.NoDecision:
        what = "; ".join(answer.diagnostics.errors)
        return Fault(SCHEMA, None, "schema_does_not_fit", what, "describe the gateway's request as it is")
    return None
