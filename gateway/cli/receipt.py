"""Does a receipt prove this answer? `nik-gateway receipt check` needs neither a network nor the gateway; `get` fetches one."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import rich_click as click

from gateway.cli.output import COULD_NOT_RUN, FOUND_FAULT, give, json_option, say, stop
from nik_gateway_client import GatewayClient, NoAnswer, ProfileFault, ReceiptFault, check_receipt

_file = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def receipt() -> None:
    """Receipts of answers and refusals: get, check."""


@receipt.command()
@click.argument("id")
@click.option("--profile", required=True, type=_file, help="profile.toml of the partner.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="File instead of standard output.")
@json_option
def get(id: str, profile: Path, output: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """Fetch the receipt of the answer or refusal ID; waits until a checkpoint covers it."""
    try:
        with GatewayClient(profile) as client:
            text = client.receipt(id)
    except (ProfileFault, NoAnswer) as error:
        stop(COULD_NOT_RUN, f"nik-gateway: {error}")
        return
    give(as_json, "receipt", text, output)


@receipt.command()
@click.argument("file", metavar="RECEIPT", type=_file)
@click.option("--question", type=_file, help="What was asked, as JSON; or the evidence file of `verify --evidence`.")
@click.option("--answer", type=_file, help="The answer or the problem that came, as JSON; or the evidence file.")
@click.option("--evidence", type=_file, help="The evidence file, for both.")
@click.option(
    "--key", "keys", multiple=True, required=True, help="Verifier key of the log, or a file of them; may be repeated."
)
@click.option("--witness", "witnesses", multiple=True, help="Verifier key of a witness that must have cosigned.")
@json_option
def check(  # noqa: PLR0913  one argument for each option
    file: Path,
    question: Path | None,
    answer: Path | None,
    evidence: Path | None,
    keys: tuple[str, ...],
    witnesses: tuple[str, ...],
    as_json: bool,  # noqa: FBT001
) -> None:
    """Prove offline that this question got this answer at that time (exit 1: it does not)."""
    asked, told = question or evidence, answer or evidence
    if asked is not None and told is None:
        raise click.UsageError("--question needs --answer: the nonce of the question stands in the answer")
    try:
        document = _part(told, "answer") if told else None
        request = _question(asked) if asked else None
        if isinstance(document, bytes):
            raise ReceiptFault(f"{told}: not a JSON object")  # noqa: TRY301
        given = [line for key in keys for line in _lines(key)]
        others = [line for key in witnesses for line in _lines(key)]
        proven = check_receipt(file.read_text("utf-8"), given, request=request, answer=document, witnesses=others)
    except (ReceiptFault, UnicodeDecodeError) as fault:
        words = str(fault)
        say(as_json, {"proven": False, "fault": words}, lambda: f"NOT PROVEN: {words}")
        raise SystemExit(FOUND_FAULT) from None
    what = "this question got this answer" if request is not None else "this answer" if document else "entry"
    say(
        as_json,
        {"proven": True, **asdict(proven)},
        lambda: (
            f"proven: {what}; sealed {proven.at} as entry {proven.index} of {proven.size} in the log {proven.origin}"
            + "".join(f", cosigned by {name}" for name in proven.cosigned)
        ),
    )


def _lines(key: str) -> list[str]:
    if "+" not in key or Path(key).exists():
        try:
            return [line for line in Path(key).read_text("utf-8").splitlines() if line.strip()]
        except OSError as error:
            raise click.BadParameter(f"{key}: neither a verifier key nor a file of them", param_hint="--key") from error
    return [key]


def _part(path: Path, part: str) -> dict[str, Any] | bytes:
    """The JSON object in a file, or its `part` when it is an evidence file; the bytes when it is no JSON object.

    Raises ReceiptFault where the evidence does not name the nonce and the entry that its answer does.
    """
    raw = path.read_bytes()
    try:
        document = json.loads(raw)
    except ValueError:
        return raw
    if not isinstance(document, dict):
        return raw
    if {"request", "answer", "nonce", "entry"} <= document.keys():
        if any(document[name] != document["answer"].get(name, document[name]) for name in ("nonce", "entry")):
            raise ReceiptFault(f"{path}: nonce or entry is another than the answer's")
        found: dict[str, Any] = document[part]
        return found
    return document


def _question(path: Path) -> dict[str, Any] | bytes:
    return _part(path, "request")
