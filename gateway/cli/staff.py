"""Who works with the gateway? `nik-gateway staff …`: credentials of the API, each of one person, and people at the console."""

from __future__ import annotations

import json
from pathlib import Path

import rich_click as click

from gateway.administration.commands import Act, View
from gateway.administration.requests.partners import ApprovedDigest, NewAdministrator
from gateway.app import Deployment, open_to_append
from gateway.cli.output import COULD_NOT_RUN, FOUND_FAULT, config_option, json_option, say, settings_of, stop, table
from gateway.cli.staff_members import COMMANDS
from gateway.clock import SystemClock, SystemEntropy
from gateway.errors import Refused
from gateway.partners.approvals import require_other_person
from gateway.policy.decide import Decider
from gateway.policy.policies import load
from gateway.staff.member import PREFIX
from gateway.store.administration.performing import do
from gateway.store.administration.views import show
from gateway.store.commands.query import ReadContext


@click.group()
def staff() -> None:
    """People of the house: members of the console (enrol, members, invite, …) and credentials of the API (list, add).

    `dismiss` takes either away.
    """


def _open(config: Path) -> tuple[Deployment, Decider]:
    settings = settings_of(config)
    return open_to_append(settings, SystemClock(), SystemEntropy()), Decider(load(settings.policies))


@staff.command("list")
@config_option
@json_option
def list_staff(config: Path, as_json: bool) -> None:  # noqa: FBT001
    """Every credential of the house: client, person, scopes."""
    deployment, decider = _open(config)
    with deployment.database.reading() as connection:
        context = ReadContext(connection, deployment.clock.now(), decider.policies.purposes, decider)
        items = show(context, View("staff", query={"limit": "200"})).document["items"]
    deployment.database.close()
    say(
        as_json,
        {"staff": items},
        lambda: table(
            ("credential", "person", "scopes"),
            [(each["client_id"], each["person"], " ".join(each["scopes"])) for each in items],
            empty="Nobody. Give somebody one with: nik-gateway staff add",
        ),
    )


@staff.command()
@config_option
@click.argument("client_id")
@click.option("--person", required=True, help="Whose credential it is.")
@click.option("--scope", "scopes", multiple=True, required=True, help="What it may do; may be given several times.")
@click.option(
    "--key", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True, help="The public JWK, a file."
)
@click.option("--proposer", required=True, help="Who proposes this: one person.")
@click.option("--approver", required=True, help="Who approves it: another person, and not the one it is for.")
@json_option
def add(  # noqa: PLR0913, PLR0917  what a credential is made of
    config: Path,
    client_id: str,
    person: str,
    scopes: tuple[str, ...],
    key: Path,
    proposer: str,
    approver: str,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Give a person a credential of the API; takes a proposer, and an approver who is neither the proposer nor that person."""
    try:
        jwk = json.loads(key.read_text("utf-8"))
    except (OSError, ValueError) as fault:
        stop(COULD_NOT_RUN, f"nik-gateway: {key}: {fault}")
    deployment, decider = _open(config)
    try:
        require_other_person((proposer, person), approver)
        body = NewAdministrator(client_id, person, list(scopes), jwk)
        (proposed,) = do(
            deployment.database, deployment.entropy, decider, [Act("propose_administrator", {}, body, proposer)]
        )
        path, seen = {"id": proposed.answer["approval"]}, ApprovedDigest(proposed.answer["digest"])
        do(deployment.database, deployment.entropy, decider, [Act("approve", path, seen, approver)])
    except Refused as refused:
        told = refused.refusal.facts.get("fault") or refused.refusal.facts.get("members") or ""
        stop(FOUND_FAULT, f"nik-gateway: {refused.refusal.cause.value} {told}".rstrip())
    finally:
        deployment.database.close()
    say(as_json, {"client_id": client_id, "person": person}, lambda: f"{client_id}: a credential of {person}")


@staff.command()
@config_option
@click.argument("client_id")
@click.option("--by", "actor", required=True, help="Who does it; narrowing takes one person.")
@json_option
def dismiss(config: Path, client_id: str, actor: str, as_json: bool) -> None:  # noqa: FBT001
    """Take a credential, or a member (console.ID), away; holds from the next answer on, in every process."""
    deployment, decider = _open(config)
    act = Act("dismiss_administrator", {"client_id": client_id}, None, actor)
    if client_id.startswith(PREFIX):
        act = Act("dismiss_member", {"id": client_id.removeprefix(PREFIX)}, None, actor)
    try:
        do(deployment.database, deployment.entropy, decider, [act])
    except Refused:
        stop(FOUND_FAULT, f"nik-gateway: there is no {client_id!r}. See: nik-gateway staff list")
    finally:
        deployment.database.close()
    say(as_json, {"client_id": client_id, "dismissed": True}, lambda: f"{client_id}: dismissed")


for command in COMMANDS:
    staff.add_command(command)
