"""Are the policies sound, and which rule decided? `nik-gateway policy …`."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from gateway.app import open_deployment
from gateway.cli.output import FOUND_FAULT, config_option, json_option, say, settings_of, stop
from gateway.clock import SystemClock, SystemEntropy
from gateway.errors import Refused
from gateway.partners.in_force import in_force
from gateway.policy.explain import explain as explain_decision
from gateway.policy.inputs import Inputs
from gateway.policy.policies import check as check_policies
from gateway.policy.policies import load
from gateway.policy.rules import Rule
from gateway.store.partners.standings import PartnersOf


@click.group()
def policy() -> None:
    """Cedar policies: check, explain."""


@policy.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path("policies"))
@json_option
def check(directory: Path, as_json: bool) -> None:  # noqa: FBT001
    """Validate every policy of a directory; a broken file is named with its fault (exit 1)."""
    faults = check_policies(directory)
    if faults:
        document = {
            "sound": False,
            "faults": [
                {"file": f.file, "line": f.line, "kind": f.kind, "what": f.what, "remedy": f.remedy} for f in faults
            ],
        }
        say(as_json, document, lambda: "\n".join(str(fault) for fault in faults))
        raise SystemExit(FOUND_FAULT)
    policies = load(directory)
    say(
        as_json,
        {"sound": True, "digest": policies.digest, "rules": sorted(policies.rules)},
        lambda: f"sound: {len(policies.rules)} rules, digest {policies.digest}",
    )


@policy.command()
@config_option
@click.option("--client", "client_id", required=True, help="The client that would ask.")
@click.option("--purpose", required=True, help="The purpose that it would name.")
@click.option("--claim", "claims", multiple=True, help="The name of a claim that would be sent; may be repeated.")
@click.option("--consent", default="", help="Legal basis that the request would name.")
@click.option(
    "--with",
    "members",
    multiple=True,
    type=click.Choice(["channel", "operator", "on_behalf_of"]),
    help="What else it would carry.",
)
@click.option("--outside", is_flag=True, help="As if the call came from an address outside the agreement.")
@click.option(
    "--uncertified", is_flag=True, help="As if it came with no certificate of those that the agreement lists."
)
@json_option
def explain(  # noqa: PLR0913, PLR0917  one argument for each option
    config: Path,
    client_id: str,
    purpose: str,
    claims: tuple[str, ...],
    consent: str,
    members: tuple[str, ...],
    outside: bool,  # noqa: FBT001
    uncertified: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Which rule decides a request of this kind, and why. Exit 1 when it would be refused."""
    settings = settings_of(config)
    policies = load(settings.policies)
    deployment = open_deployment(settings, SystemClock(), SystemEntropy())
    with deployment.database.reading() as connection:
        standing = PartnersOf(deployment.database, deployment.entropy).standing(connection, client_id)
    deployment.database.close()
    if standing is None:
        stop(FOUND_FAULT, f"nik-gateway: there is no client {client_id!r}")
        return
    try:
        agreed = in_force(standing.partner, purpose, deployment.clock.now())
    except Refused as refused:
        cause, facts = str(refused.refusal.cause), dict(refused.refusal.facts)
        told = f"refused before any policy: {cause} {facts}"
        say(as_json, {"decision": cause, **facts}, lambda: told)
        raise SystemExit(FOUND_FAULT) from None
    inputs = Inputs(
        partner=standing.partner.id,
        kind=standing.partner.kind,
        agreement=agreed,
        purpose=purpose,
        claims=frozenset(claims),
        consent=consent,
        channel="channel" in members,
        operator="operator" in members,
        on_behalf_of="on_behalf_of" in members,
        address_allowed=not outside,
        certificate_allowed=not uncertified,
        client_id=client_id,
        sender_constraint="dpop",
    )
    found = explain_decision(policies, agreed.agreement.purposes[purpose], inputs)
    rules = [
        {
            "id": rule.id,
            "effect": rule.effect,
            "file": rule.file,
            "line": rule.line,
            "advice": {"id": rule.advice_id, "en": rule.advice_en},
        }
        for rule in found.rules
    ]
    document = {
        "decision": found.decision,
        "cause": str(found.refusal.cause) if found.refusal else None,
        "facts": dict(found.refusal.facts) if found.refusal else {},
        "rules": rules,
        "errors": list(found.errors),
        "policy": found.policy,
    }
    say(
        as_json,
        document,
        lambda: "\n".join(
            [
                f"{found.decision}" + (f": {document['cause']} {document['facts'] or ''}" if found.refusal else ""),
                *(f"  {rule.effect} {rule.id} ({_place(rule)}): {rule.advice_en}" for rule in found.rules),
                *(f"  error: {error}" for error in found.errors),
                f"  policies {found.policy}",
            ]
        ),
    )
    if found.refusal is not None:
        raise SystemExit(FOUND_FAULT)


def _place(rule: Rule) -> str:
    """Where a rule stands."""
    return f"{rule.file}:{rule.line}" if rule.line else rule.file or "in the program"
