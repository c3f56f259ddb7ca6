"""Who may log in at the console? `nik-gateway staff enrol`, `members`, `invite`, `recover`, `recertify`, `suspend`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from gateway.administration.requests.partners import SuspensionReason
from gateway.administration.requests.staff import NewMember
from gateway.cli.acting import commands_of
from gateway.cli.output import config_option, json_option, say, table
from gateway.clock import rfc3339_seconds
from gateway.staff.member import SUSPENDED_FOR as MEMBER
from gateway.staff.roles import Role
from gateway.store.staff.first_person import found


def _say_link(as_json: bool, document: dict[str, Any], link: str) -> None:  # noqa: FBT001  --json itself
    document = {**document, "link": link}
    say(
        as_json,
        document,
        lambda: (
            f"{document['person']} is member {document['member']}. Give them this link; it works once, "
            f"until {document['expires']}:\n{link}"
        ),
    )


_BY = click.option("--by", "actor", required=True, help="Who does it.")
_PROPOSER = click.option("--proposer", help="Who proposes it: one person.")
_APPROVER = click.option("--approver", help="Who approves it: another person, and not the member.")
_MEMBER = click.argument("member")


@click.command()
@config_option
@click.option("--person", required=True, help="The person's name.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice([role.value for role in Role]),
    help="May be given several times.",
)
@click.option("--partner", default="", help="Whose engineer it is; without, the person is of the house.")
@_PROPOSER
@_APPROVER
@json_option
def enrol(  # noqa: PLR0913  what a member is made of
    config: Path,
    person: str,
    roles: tuple[str, ...],
    partner: str,
    proposer: str | None,
    approver: str | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Make a person a member of the console, and print the one-time link by which a passkey is enrolled.

    While the house has no enrolled registrar and approver, whoever runs this command is enough.
    """
    body = NewMember(person, list(roles), partner) if partner else NewMember(person, list(roles))
    with commands_of(config) as commands:
        if proposer and approver:
            member = commands.agree("propose_member", {}, (proposer, approver), body)["member"]
            made = commands.act("invite_member", {"id": member}, proposer)
            _say_link(
                as_json, {name: made[name] for name in ("member", "person", "expires")}, commands.link(made["token"])
            )
            return
        first = found(commands.deployment.database, commands.deployment.entropy, body, proposer or "command line")
        document = {"member": first.member, "person": person, "expires": rfc3339_seconds(first.expires)}
        _say_link(as_json, document, commands.link(first.token))


@click.command()
@config_option
@json_option
def members(config: Path, as_json: bool) -> None:  # noqa: FBT001
    """Every person at the console: state, roles, and until when they are certified."""
    with commands_of(config) as commands:
        rows = commands.rows()
    say(as_json, {"members": rows}, lambda: "\n\n".join(_tables(rows)))


def _tables(rows: list[dict[str, Any]]) -> list[str]:
    """People of the house, then those of partners."""
    header = ("member", "person", "roles", "state", "certified until", "certification")

    def line(row: dict[str, Any]) -> tuple[str, ...]:
        until = (row["certified_until"][:10], row["certification"])
        return (row["id"], row["person"], ", ".join(row["roles"]), row["state"], *until)

    own = [line(row) for row in rows if not row["partner"]]
    others = [(row["partner"], *line(row)) for row in rows if row["partner"]]
    return [
        table(header, own, empty="Nobody of the house. Begin with: nik-gateway staff enrol"),
        table(("partner", *header), others, empty="No partner's engineers."),
    ]


@click.command()
@config_option
@_MEMBER
@_BY
@json_option
def invite(config: Path, member: str, actor: str, as_json: bool) -> None:  # noqa: FBT001
    """Print a new one-time link for a MEMBER without a passkey; the links before it hold no more."""
    with commands_of(config) as commands:
        made = commands.act("invite_member", {"id": member}, actor)
        _say_link(as_json, {name: made[name] for name in ("member", "person", "expires")}, commands.link(made["token"]))


@click.command()
@config_option
@_MEMBER
@click.option("--proposer", required=True, help="Who proposes it: one person.")
@click.option("--approver", required=True, help="Who approves it: another person, and not the member.")
@json_option
def recover(config: Path, member: str, proposer: str, approver: str, as_json: bool) -> None:  # noqa: FBT001
    """Let a MEMBER who lost every passkey enrol anew: the old ones and all sessions go, and a link is printed."""
    with commands_of(config) as commands:
        commands.agree("propose_recovery", {"id": member}, (proposer, approver))
        made = commands.act("invite_member", {"id": member}, proposer)
        _say_link(as_json, {name: made[name] for name in ("member", "person", "expires")}, commands.link(made["token"]))


@click.command()
@config_option
@_MEMBER
@_BY
@json_option
def recertify(config: Path, member: str, actor: str, as_json: bool) -> None:  # noqa: FBT001
    """Say that a MEMBER still needs the roles, for 92 days more; another person says so."""
    with commands_of(config) as commands:
        done = commands.act("recertify_member", {"id": member}, actor)
    say(as_json, done, lambda: f"{done['person']}: certified until {done['certified_until']}")


@click.command()
@config_option
@_MEMBER
@_BY
@click.option("--reason", required=True, type=click.Choice(MEMBER), help="Why; stands in the ledger.")
@json_option
def suspend(config: Path, member: str, actor: str, reason: str, as_json: bool) -> None:  # noqa: FBT001
    """Suspend a MEMBER at once: every session ends."""
    with commands_of(config) as commands:
        done = commands.act("suspend_member", {"id": member}, actor, SuspensionReason(reason))
    say(as_json, done, lambda: f"{done['person']}: suspended")


COMMANDS: tuple[click.Command, ...] = (enrol, members, invite, recover, recertify, suspend)
