"""Is this NIK usable? `nik-gateway verify` asks a gateway as a partner does; the NIK never stands in the arguments."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import rich_click as click

from nik_gateway_client import Answer, GatewayClient, NoAnswer, NotAsked, ProfileFault, Refusal, TokenRefused
from nik_gateway_client.questions import Context
from nik_gateway_client.words import describe

REFUSED = 1
NOT_ASKED = 2
_SHOWN = 6  # the district code; the birth date behind it is not for a screen


@click.command(
    context_settings={"ignore_unknown_options": False, "allow_extra_args": True},
    epilog="Exit code: 0 answered, usable or not; 1 refused; 2 could not ask.",
)
@click.option("--profile", required=True, type=click.Path(path_type=Path), help="profile.toml of the partner.")
@click.option("--purpose", required=True, help="Why the question is asked, as the agreement names it.")
@click.option("--claim", "claims", multiple=True, metavar="NAME=VALUE", help="A claim to compare; may be repeated.")
@click.option(
    "--language", type=click.Choice(["id", "en"]), default="id", show_default=True, help="Language of what is shown."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words.")
@click.option("--consent-basis", help="Legal basis, when the purpose demands one (e.g. consent).")
@click.option("--consent-reference", help="Where the consent is filed.")
@click.option("--channel", help="Where the resident is served (e.g. branch).")
@click.option("--operator", help="Who serves, by a name that is no person's data.")
@click.option("--previous", help="Id of an earlier answer for the same NIK: tells what has changed since.")
@click.option("--idempotency-key", help="The same key and question give the same answer, counted once.")
@click.option("--evidence", type=click.Path(path_type=Path), help="Keep question and answer in this new file (0600).")
@click.pass_context
def verify(  # noqa: PLR0913  one argument for each option
    ctx: click.Context,
    /,
    *,
    profile: Path,
    purpose: str,
    claims: tuple[str, ...],
    language: str,
    as_json: bool,
    consent_basis: str | None,
    consent_reference: str | None,
    evidence: Path | None,
    **given: str | None,
) -> None:
    """Ask whether a NIK with these claims is a usable identity right now.

    The NIK is asked for, or read from standard input; it is never an argument, where other users of the machine see it.
    """
    if ctx.args:
        # click's own message would print what was given, which may be a NIK
        raise click.UsageError("no arguments are taken: the NIK is asked for, or comes on standard input")
    context = _context(language, consent_basis, consent_reference, given)
    asked = dict(_pair(claim) for claim in claims)
    try:
        with GatewayClient(profile) as client:
            nik = _nik(language)
            question = {"nik": masked(nik), "purpose": purpose, "claims": asked}
            if not as_json:
                _say_question(question, language)
            answer = client.verify(nik, purpose, asked, **context)
            receipt = f"{client.profile.endpoint}/receipts/{answer.id}"
    except (ProfileFault, NoAnswer) as error:
        _say_refusal(error, as_json=as_json)
        ctx.exit(REFUSED if isinstance(error, (Refusal, TokenRefused)) else NOT_ASKED)
    if evidence is not None:
        _keep(evidence, answer)
    if as_json:
        click.echo(
            json.dumps({"question": question, "answer": dict(answer.raw), "receipt": receipt}, ensure_ascii=False)
        )
    else:
        _say_answer(answer, language, receipt, evidence)


def masked(nik: str) -> str:
    """A NIK as it may be shown: its district code and dots."""
    return nik[:_SHOWN] + "•" * max(0, len(nik) - _SHOWN)


def _pair(claim: str) -> tuple[str, str]:
    name, separator, value = claim.partition("=")
    if not separator or not name:
        raise click.BadParameter("a claim is written NAME=VALUE", param_hint="--claim")
    return name, value


def _context(language: str, basis: str | None, reference: str | None, given: dict[str, str | None]) -> Context:
    if reference and not basis:
        raise click.UsageError("--consent-reference needs --consent-basis")
    context: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if basis:
        context["consent"] = {"basis": basis} | ({"reference": reference} if reference else {})
    context["language"] = language
    return context  # type: ignore[return-value]  # the options are named as the members are


def _nik(language: str) -> str:
    interactive = sys.stdin.isatty()
    text: str = click.prompt("NIK", hide_input=True, err=True) if interactive else sys.stdin.readline(64)
    nik = text.strip()
    if not nik:
        raise NotAsked("tidak ada NIK di masukan" if language == "id" else "no NIK came on standard input")
    return nik


def _say_question(question: dict[str, Any], language: str) -> None:
    claims = ", ".join(f"{name} = {value}" for name, value in question["claims"].items())
    about, why, what = ("About", "purpose", "claims") if language == "en" else ("Tentang", "tujuan", "elemen data")
    click.echo(f"{about} NIK {question['nik']}, {why} {question['purpose']}, {what}: {claims or '-'}")


def _say_answer(answer: Answer, language: str, receipt: str, evidence: Path | None) -> None:
    verdict, *rest = describe(answer, language)
    click.secho(verdict, bold=True, fg="green" if answer.usable else "yellow")
    for line in rest:
        click.echo(f"  {line}")
    english = language == "en"
    click.echo(f"{'Receipt' if english else 'Tanda terima'}: {receipt}")
    click.echo(f"  entry {answer.entry}")
    click.echo(f"  nonce {answer.nonce}")
    if evidence is not None:
        click.echo(
            f"{'Question and answer are kept in' if english else 'Pertanyaan dan jawaban disimpan di'} {evidence}"
        )


def _say_refusal(error: ProfileFault | NoAnswer, *, as_json: bool) -> None:
    if as_json:
        raw = dict(error.raw) if isinstance(error, Refusal) else {"error": type(error).__name__, "detail": str(error)}
        click.echo(json.dumps({"problem": raw, "usable": False}, ensure_ascii=False))
    else:
        click.secho(f"{type(error).__name__}: {error}", err=True, fg="red")


def _keep(path: Path, answer: Answer) -> None:
    try:
        # the file holds the NIK: for its owner alone, and never over another one
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        click.secho(f"{path}: {error.strerror}: not kept", err=True, fg="red")
        return
    with os.fdopen(opened, "w", encoding="utf-8") as file:
        json.dump(answer.evidence(), file, ensure_ascii=False)
