"""What has a partner paid in advance? `nik-gateway payments …`: credit a transfer that came in, list what was credited."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from gateway.administration.requests.partners import Payment
from gateway.cli.acting import OperatorCommands, commands_of
from gateway.cli.output import FOUND_FAULT, config_option, json_option, say, stop, table

MOST = 1_000_000_000_000  # rupiah of one transfer


@click.group()
def payments() -> None:
    """Prepayments: credit a transfer, list what was credited and what is left."""


def balances(commands: OperatorCommands, partner: str = "") -> list[dict[str, Any]]:
    """Every prepaid agreement in force, with its partner and balance in rupiah."""
    known = [each["id"] for each in commands.rows("partners")]
    return [
        {"agreement": one["agreement"], "partner": name, "balance": one["balance"]}
        for name in known
        if partner in ("", name)
        for one in commands.read("usage", {"id": name})["agreements"]
        if "balance" in one
    ]


@payments.command()
@config_option
@click.argument("agreement")
@click.option("--amount", required=True, type=click.IntRange(1, MOST), help="How many rupiah came in.")
@click.option("--reference", required=True, help="Number of the transfer; each is credited once.")
@click.option("--proposer", required=True, help="Who proposes it: one person.")
@click.option("--approver", required=True, help="Who approves it: another person.")
@json_option
def credit(  # noqa: PLR0913  what a payment is made of
    config: Path,
    agreement: str,
    amount: int,
    reference: str,
    proposer: str,
    approver: str,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Add a transfer that came in to the balance of a prepaid AGREEMENT; takes two persons."""
    with commands_of(config) as commands:
        partner = next((each["partner"] for each in balances(commands) if each["agreement"] == agreement), "")
        if not partner:
            stop(
                FOUND_FAULT,
                f"nik-gateway: {agreement!r} is no prepaid agreement in force. See: nik-gateway payments list",
            )
        body = Payment(agreement, amount, reference)
        done = commands.agree("propose_payment", {"id": partner}, (proposer, approver), body)
    say(as_json, done, lambda: f"{agreement}: {amount:,} rupiah credited, balance {done['balance']:,}")


@payments.command("list")
@config_option
@click.option("--partner", default="", help="Of this partner alone.")
@json_option
def list_payments(config: Path, partner: str, as_json: bool) -> None:  # noqa: FBT001
    """What was credited, and the balance of every prepaid agreement in force."""
    with commands_of(config) as commands:
        held = balances(commands, partner)
        names = sorted({each["partner"] for each in held} | ({partner} if partner else set()))
        credited = [row for name in names for row in commands.rows("partner_payments", {"id": name})]
    say(
        as_json,
        {"balances": held, "payments": credited},
        lambda: "\n\n".join(
            [
                table(
                    ("agreement", "partner", "balance in rupiah"),
                    [(each["agreement"], each["partner"], f"{each['balance']:,}") for each in held],
                    empty="No prepaid agreement is in force.",
                ),
                table(
                    ("credited at", "agreement", "amount", "balance then", "reference"),
                    [
                        (
                            row["credited_at"],
                            row["agreement"],
                            f"{row['amount']:,}",
                            f"{row['balance']:,}",
                            row["reference"],
                        )
                        for row in credited
                    ],
                    empty="Nothing was credited. Credit a transfer with: nik-gateway payments credit AGREEMENT",
                ),
            ]
        ),
    )
