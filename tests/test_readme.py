"""Does a stranger who follows README see what it says? Its commands and code run against the demo that it starts."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from gateway.web.openapi import document as openapi
from nik_gateway_client import GatewayClient, Refusal

HOUSE = Path(__file__).parent.parent
README = (HOUSE / "README.md").read_text("utf-8")
PATIENCE = 60  # seconds for a demo to be built and to answer


def _blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Shown:
    """A folder in which README's first command was run, and what that printed."""

    folder: Path
    output: str


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(HOUSE), "COLUMNS": "200"}


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """What `make run` runs, in a folder of its own, until it has shown its question and answer."""
    folder = tmp_path_factory.mktemp("readme")
    log = folder / "output"
    words = ["demo", "var/demo", "--residents", "1000", "--port", str(_free_port())]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", *words],
            cwd=folder, env=_environment(), stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + PATIENCE
        while "Ctrl+C" not in log.read_text("utf-8"):
            assert process.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < deadline, log.read_text("utf-8")
            time.sleep(0.05)
        yield Shown(folder, log.read_text("utf-8"))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def _documents(text: str) -> list[dict[str, Any]]:
    """Every JSON object that begins a line."""
    return [json.loads(each) for each in re.findall(r"^\{\n.*?^\}", text, re.DOTALL | re.MULTILINE)]


def test_readme_shows_what_one_sees(demonstration: Shown) -> None:
    """Question and answer in README are those of `make run`, but for ids, instants and digests."""
    (shown,) = [block for block in _blocks("text") if "is answered" in block]
    of_the_moment = {"id", "as_of", "recheck_after", "subject", "answered_at", "nonce", "entry"}
    (asked, answered), (question, answer) = _documents(shown), _documents(demonstration.output)[-2:]
    assert asked == question
    assert list(answered) == list(answer)
    assert {name: told for name, told in answered.items() if name not in of_the_moment} == {
        name: told for name, told in answer.items() if name not in of_the_moment
    }


def test_readmes_first_call_runs(demonstration: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python example of README gets its answer from the demo."""
    monkeypatch.chdir(demonstration.folder)
    (code,) = _blocks("python")
    with redirect_stdout(io.StringIO()) as output:
        exec(compile(code, "README.md", "exec"), {})  # noqa: S102  our own page
    assert output.getvalue().startswith("not usable: biometric_not_recorded\nCome in person")


def test_readmes_commands_run(demonstration: Shown) -> None:
    """The commands of README are answered by the demo, with the NIK that README says to type."""
    (nik,) = re.findall(r"type `([0-9]{16})`", README)
    run = []
    for block in _blocks("sh"):
        for line in re.findall(r"^\.venv/bin/nik-gateway (.*)$", block.replace("\\\n", ""), re.MULTILINE):
            done = subprocess.run(
                [sys.executable, "-m", "gateway.cli", *shlex.split(line)],
                cwd=demonstration.folder, env=_environment(), input=nik, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            run.append(done.stdout)
    verified, checked, enrolled = run
    assert "\nUSABLE\n" in verified
    assert nik not in verified
    assert checked.startswith("sound: ")
    assert re.search(r"^http://localhost:\d+/console/enrol#[\w-]{43}$", enrolled, re.MULTILINE)


def test_what_is_sent_is_what_openapi_says(demonstration: Shown) -> None:
    """Answers of every disclosure, agreement, usage, a batch and a refusal fit the schemas of the OpenAPI document."""
    schemas = openapi.document()["components"]["schemas"]

    def fits(name: str, document: object) -> None:
        root = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
        jsonschema_rs.Draft202012Validator(root).validate(document)

    demo = demonstration.folder / "var" / "demo"
    people = json.loads((demo / "magic.json").read_text("utf-8"))
    for partner in json.loads((demo / "demo.json").read_text("utf-8"))["partners"]:
        purpose = partner["purposes"][0]
        named = {"on_behalf_of": partner["on_behalf_of"][0]} if "on_behalf_of" in partner else {}
        with GatewayClient(demo / "partners" / partner["client_id"] / "profile.toml") as client:
            for person in [*people["status"].values(), *people["reason"].values()]:
                claims = {name: person["claims"][name] for name in ("name", "birth_date")}
                fits("Answer", dict(client.verify(person["nik"], purpose, claims, **named).raw))
            fits(
                "Answer",
                dict(client.verify(people["status"]["active"]["nik"], purpose, {**claims, "name": "X"}, **named).raw),
            )
            fits("AgreementAnswer", dict(client.agreement()))
            fits("UsageAnswer", dict(client.usage()))
            with pytest.raises(Refusal) as refused:
                client.verify("1", purpose, claims)
            fits("Problem", dict(refused.value.raw))


def test_readmes_story_of_a_nik_that_works_again_runs(demonstration: Shown) -> None:
    """Line by line in a shell: blocked first, usable once the regency office has sent what mends it."""
    (story,) = _blocks("bash")
    commands = demonstration.folder / ".venv" / "bin"
    commands.mkdir(parents=True)
    (commands / "nik-gateway").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gateway.cli "$@"\n')
    (commands / "nik-gateway").chmod(0o755)
    done = subprocess.run(
        ["/bin/bash", "-euc", story],
        cwd=demonstration.folder,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    before, blocked, after = done.stdout.partition("NOT USABLE")
    assert before.startswith("3202: next ")
    assert blocked, done.stdout
    assert "batch 1: accepted: 2\n" in after
    assert re.search(r"^USABLE$.*^3202: next .*^sound: ", after, re.MULTILINE | re.DOTALL), after
