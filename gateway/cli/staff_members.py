"""Who may log in at the console? `nik-gateway staff enrol`, `members`, `invite`, `recover`, `recertify`, `suspend`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rich_click as click

from gateway.app import House, open_to_append
from gateway.cli.output import FOUND_FAULT, config_option, json_option, say, settings_of, stop
from gateway.clock import SystemClock, SystemEntropy, rfc3339_seconds
from gateway.errors import Cause, Refused
from gateway.policy.decide import Decider
from gateway.policy.policies import load
from gateway.staff.member import link_of
from gateway.staff.roles import Role
from gateway.store.administration import do
from gateway.store.staff_first import found
from gateway.store.views import Sight, show
from gateway.verification.acts import Act, Reason, Seen, View
from gateway.verification.staff import NewMember

_TWO = "two persons are needed: --proposer, and --approver who is neither the proposer nor the member"


class Desk:
    """The members of one deployment, for one command."""

    def __init__(self, house: House, decider: Decider) -> None:
        self.house, self._decider = house, decider

    def act(self, name: str, path: dict[str, str], person: str, body: Any = None) -> dict[str, Any]:  # noqa: ANN401
        """What an act answers. Raises Refused."""
        (deed,) = do(self.house.database, self.house.entropy, self._decider, [Act(name, path, body, person)])
        return dict(deed.answer)

    def agree(self, name: str, path: dict[str, str], two: tuple[str, str], body: Any = None) -> dict[str, Any]:  # noqa: ANN401
        """What an act of two persons answers. Raises Refused."""
        proposed = self.act(name, path, two[0], body)
        return self.act("approve", {"id": proposed["approval"]}, two[1], Seen(proposed["digest"]))

    def rows(self) -> list[dict[str, Any]]:
        """Every member."""
        with self.house.database.reading() as connection:
            sight = Sight(connection, self.house.clock.now(), self._decider.policies.purposes, self._decider)
            items: list[dict[str, Any]] = []
            cursor: str | None = ""
            while cursor is not None:
                document = show(sight, View("members", query={"limit": "200", "cursor": cursor})).document
                items += document["items"]
                cursor = document["next"]
        return items

    def link(self, token: str) -> str:
        """The one-time link of a token."""
        settings = self.house.settings
        return link_of(settings.console_origin or settings.issuer, token)


@contextmanager
def _desk(config: Path) -> Iterator[Desk]:
    """A desk; whatever is refused ends the command, in words."""
    settings = settings_of(config)
    house = open_to_append(settings, SystemClock(), SystemEntropy())
    try:
        yield Desk(house, Decider(load(settings.policies)))
    except Refused as refused:
        told = refused.refusal.facts.get("fault") or refused.refusal.facts.get("members") or ""
        words = _TWO if refused.refusal.cause is Cause.SAME_PERSON else f"{refused.refusal.cause.value} {told}".rstrip()
        stop(FOUND_FAULT, f"nik-gateway: {words}")
    finally:
        house.database.close()


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
    with _desk(config) as desk:
        if proposer and approver:
            member = desk.agree("propose_member", {}, (proposer, approver), body)["member"]
            made = desk.act("invite_member", {"id": member}, proposer)
            _say_link(as_json, {name: made[name] for name in ("member", "person", "expires")}, desk.link(made["token"]))
            return
        first = found(desk.house.database, desk.house.entropy, body, proposer or "command line")
        document = {"member": first.member, "person": person, "expires": rfc3339_seconds(first.expires)}
        _say_link(as_json, document, desk.link(first.token))


@click.command()
@config_option
@json_option
def members(config: Path, as_json: bool) -> None:  # noqa: FBT001
    """Every person at the console: state, roles, and until when they are certified."""
    with _desk(config) as desk:
        rows = desk.rows()
    lines = [
        f"{row['id']}  {row['state']:9} {row['certification']:8} {row['certified_until'][:10]}  "
        f"{row['person']} ({', '.join(row['roles'])}{' of ' + row['partner'] if row['partner'] else ''})"
        for row in rows
    ]
    say(as_json, {"members": rows}, lambda: "\n".join(lines) or "Nobody. Begin with: nik-gateway staff enrol")


@click.command()
@config_option
@_MEMBER
@_BY
@json_option
def invite(config: Path, member: str, actor: str, as_json: bool) -> None:  # noqa: FBT001
    """Print a new one-time link for a MEMBER without a passkey; the links before it hold no more."""
    with _desk(config) as desk:
        made = desk.act("invite_member", {"id": member}, actor)
        _say_link(as_json, {name: made[name] for name in ("member", "person", "expires")}, desk.link(made["token"]))


@click.command()
@config_option
@_MEMBER
@click.option("--proposer", required=True, help="Who proposes it: one person.")
@click.option("--approver", required=True, help="Who approves it: another person, and not the member.")
@json_option
def recover(config: Path, member: str, proposer: str, approver: str, as_json: bool) -> None:  # noqa: FBT001
    """Let a MEMBER who lost every passkey enrol anew: the old ones and all sessions go, and a link is printed."""
    with _desk(config) as desk:
        desk.agree("propose_recovery", {"id": member}, (proposer, approver))
        made = desk.act("invite_member", {"id": member}, proposer)
        _say_link(as_json, {name: made[name] for name in ("member", "person", "expires")}, desk.link(made["token"]))


@click.command()
@config_option
@_MEMBER
@_BY
@json_option
def recertify(config: Path, member: str, actor: str, as_json: bool) -> None:  # noqa: FBT001
    """Say that a MEMBER still needs the roles, for 92 days more; another person says so."""
    with _desk(config) as desk:
        done = desk.act("recertify_member", {"id": member}, actor)
    say(as_json, done, lambda: f"{done['person']}: certified until {done['certified_until']}")


@click.command()
@config_option
@_MEMBER
@_BY
@click.option("--reason", required=True, help="Why: a word.")
@json_option
def suspend(config: Path, member: str, actor: str, reason: str, as_json: bool) -> None:  # noqa: FBT001
    """Suspend a MEMBER at once: every session ends."""
    with _desk(config) as desk:
        done = desk.act("suspend_member", {"id": member}, actor, Reason(reason))
    say(as_json, done, lambda: f"{done['person']}: suspended")


COMMANDS: tuple[click.Command, ...] = (enrol, members, invite, recover, recertify, suspend)
