"""How are a partner's programs stopped, and let in again? `nik-gateway partners …`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import rich_click as click

from gateway.app import open_to_append
from gateway.cli.output import FOUND_FAULT, config_option, json_option, say, settings_of, stop, table
from gateway.clock import SystemClock, SystemEntropy
from gateway.errors import Refused
from gateway.partners.suspension import CLIENT
from gateway.store.partners.clients import ClientRow, ClientsOf

_by = click.option("--by", "actor", required=True, help="Who does it; narrowing takes one person.")


@click.group()
def partners() -> None:
    """Partners' clients (programs) and their keys: list, suspend, resume, remove a key."""


@contextmanager
def _clients(config: Path) -> Iterator[ClientsOf]:
    """The clients of a deployment; whoever is named and is not there ends the command with 1."""
    deployment = open_to_append(settings_of(config), SystemClock(), SystemEntropy())
    try:
        yield ClientsOf(deployment.database, deployment.entropy)
    except LookupError as fault:
        stop(FOUND_FAULT, f"nik-gateway: there is no {fault.args[0]!r}. See: nik-gateway partners list")
    except Refused:
        stop(FOUND_FAULT, "nik-gateway: same-person: proposer and approver must be two persons")
    finally:
        deployment.database.close()


@partners.command("list")
@config_option
@json_option
def list_clients(config: Path, as_json: bool) -> None:  # noqa: FBT001
    """Every client with its partner, its state and the kids of its keys."""
    with _clients(config) as clients:
        rows = clients.rows()
    shown = [
        {
            "client": row.client_id,
            "partner": row.partner,
            "auth_method": row.auth_method,
            "scopes": list(row.scopes),
            "keys": [jwk.get("kid") for jwk in row.keys],
            "state": "suspended" if row.suspended else "active",
            **({"reason": row.reason} if row.suspended else {}),
        }
        for row in rows
    ]
    say(as_json, {"clients": shown}, _table(rows))


def _table(rows: list[ClientRow]) -> Callable[[], str]:
    return lambda: table(
        ("client", "partner", "state", "keys"),
        [
            (
                row.client_id,
                row.partner,
                f"suspended ({row.reason})" if row.suspended else "active",
                ", ".join(str(jwk.get("kid")) for jwk in row.keys) or "no keys",
            )
            for row in rows
        ],
        empty="No clients. They come with agreements: nik-gateway agreements import FILE",
    )


@partners.command("suspend-client")
@config_option
@click.argument("client")
@click.option("--reason", required=True, type=click.Choice(CLIENT), help="Why; stands in the ledger.")
@_by
@json_option
def suspend_client(config: Path, client: str, reason: str, actor: str, as_json: bool) -> None:  # noqa: FBT001
    """Stop a client: no more tokens, and those it has are refused from the next answer on, in every process."""
    with _clients(config) as clients:
        clients.suspend(client, actor=actor, reason=reason)
    say(as_json, {"client": client, "state": "suspended"}, lambda: f"{client}: suspended")


@partners.command("resume-client")
@config_option
@click.argument("client")
@click.option("--proposer", required=True, help="Who proposes this: one person.")
@click.option("--approver", required=True, help="Who approves it: another person.")
@json_option
def resume_client(config: Path, client: str, proposer: str, approver: str, as_json: bool) -> None:  # noqa: FBT001
    """Let a suspended client ask for tokens again; those from before stay void. Takes two persons."""
    with _clients(config) as clients:
        clients.resume(client, proposer=proposer, approver=approver)
    say(as_json, {"client": client, "state": "active"}, lambda: f"{client}: active")


@partners.command("remove-key")
@config_option
@click.argument("client")
@click.argument("kid")
@_by
@json_option
def remove_key(config: Path, client: str, kid: str, actor: str, as_json: bool) -> None:  # noqa: FBT001
    """Take a key from a client; tokens that were got with it are refused from the next answer on, in every process."""
    with _clients(config) as clients:
        left = clients.remove_key(client, kid, actor=actor)
    say(
        as_json,
        {"client": client, "removed": kid, "left": left},
        lambda: f"{client}: {kid} removed, {left} left" + ("" if left else "; it can ask for no more tokens"),
    )
