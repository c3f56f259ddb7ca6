"""Does what the documents say hold? Examples run, and whatever they name exists: files, functions, tests, commands."""

from __future__ import annotations

import ast
import configparser
import csv
import io
import re
import shlex
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import rich_click as click

from gateway.cli.documents import DOCUMENTS
from gateway.cli.examples import EXAMPLES
from gateway.cli.main import group
from gateway.clock import parse_rfc3339
from gateway.config import SETTINGS, parse
from gateway.keyring.keys import b64u
from gateway.ledger.log.canonical import canonical
from gateway.ledger.log.entry import KINDS, Leaf, make_entry, request_digest
from gateway.ledger.log.members import MEANINGS
from gateway.oauth.client import SCOPES
from gateway.register.lines import CsvLines, parse_ndjson

HOUSE = Path(__file__).parent.parent
PAGES = sorted(
    [*HOUSE.glob("*.md"), *(HOUSE / "docs").rglob("*.md"), HOUSE / "keys.example" / "README.md"],
    key=lambda path: path.relative_to(HOUSE).as_posix(),
)
NAMES = [path.relative_to(HOUSE).as_posix() for path in PAGES]


def _text(name: str) -> str:
    return (HOUSE / name).read_text("utf-8")


def _blocks(name: str, language: str) -> list[str]:
    """The fenced blocks of one language on a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", _text(name), re.DOTALL | re.MULTILINE)


def _defined(path: Path) -> set[str]:
    """The functions, classes, methods and names that a file defines."""
    found: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
            inner = node.body if isinstance(node, ast.ClassDef) else []
            found |= {
                f"{node.name}.{each.name}" for each in inner if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
            }
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


# ------------------------------------------------------------------------------------------ generated pages


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_generated_document_is_that_of_the_code(name: str) -> None:
    """What the program writes stands in the repository; after a change run `make docs`."""
    assert _text(name) == DOCUMENTS[name]()


def test_every_kind_and_member_of_the_ledger_is_listed() -> None:
    """docs/ledger-entries.md has every member of a leaf, every kind of entry and every member of private parts."""
    listed = set(re.findall(r"^\| `([^`]+)`", _text("docs/ledger-entries.md"), re.MULTILINE))
    assert listed == {*Leaf.__struct_fields__, *(str(kind) for kind in KINDS), *MEANINGS}


# ------------------------------------------------------------------------------------------ what is named exists


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    """Every relative link of a page leads to a file, and every anchor to a heading."""
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", _text(name), flags=re.DOTALL)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        page = (HOUSE / name).parent / path if path else HOUSE / name
        assert page.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^a-z0-9 _-]", "", each.lower()).replace(" ", "-") for each in headings}, target


@pytest.mark.parametrize("name", NAMES)
def test_files_and_functions_that_a_page_names_exist(name: str) -> None:
    """Every path of the repository in backticks exists, and what stands after `::` is defined there."""
    roots = "gateway|tests|policies|docs|deploy|openapi|keys\\.example|bench"
    for path, function in re.findall(rf"`((?:{roots})(?:/[\w./-]*)?)(?:::([\w.]+))?`", _text(name)):
        assert (HOUSE / path).exists(), path
        assert not function or function in _defined(HOUSE / path), f"{path}::{function}"


@pytest.mark.parametrize("name", NAMES)
def test_settings_that_a_page_names_exist(name: str) -> None:
    """A setting that a page speaks of is one that the program reads."""
    sections = {setting.name.partition(".")[0] for setting in SETTINGS if "." in setting.name}
    named = set(re.findall(rf"`((?:{'|'.join(sections)})\.[a-z_]+)(?: = [^`]*)?`", _text(name)))
    files = {each for each in named if (HOUSE / each).suffix in {".py", ".md", ".toml"}}
    assert named - files - SCOPES.keys() <= {setting.name for setting in SETTINGS}


def _commands(name: str) -> Iterator[list[str]]:
    """The words of every `nik-gateway …` on a page, in blocks and in backticks."""
    text = _text(name).replace("\\\n", " ")
    for line in [
        *re.findall(r"^(?:\S*/)?nik-gateway (.*)$", text, re.MULTILINE),
        *re.findall(r"`nik-gateway ([^`]+)`", text),
    ]:
        yield shlex.split(line.partition(" #")[0].replace("…", ""))


@pytest.mark.parametrize("name", [*NAMES, "deploy/nik-gateway.service"])
def test_commands_that_a_page_names_exist(name: str) -> None:
    """Every command, subcommand and option on a page is one that the program has."""
    text = _text(name)
    if name.endswith(".service"):
        words = [shlex.split(line)[1:] for line in re.findall(r"^ExecStart(?:Pre)?=(.*)$", text, re.MULTILINE)]
    else:
        words = list(_commands(name))
    for line in words:
        command: click.Command = group
        for word in line:
            if isinstance(command, click.Group):
                assert word in command.commands, line
                command = command.commands[word]
            elif word.startswith("--"):
                options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
                assert word.partition("=")[0] in options, (line, word)


@pytest.mark.parametrize("name", NAMES)
def test_make_targets_that_a_page_names_exist(name: str) -> None:
    """Every `make …` on a page is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", _text("Makefile"), re.MULTILINE))
    named = re.findall(r"^make ([a-z-]+)", _text(name), re.MULTILINE) + re.findall(
        r"`make ([a-z-]+)[^`]*`", _text(name)
    )
    assert set(named) <= targets


def _options(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Parameter]]:
    for parameter in command.params:
        yield f"{name} {parameter.name}", parameter
    if isinstance(command, click.Group):
        for word, inner in command.commands.items():
            if not inner.hidden:
                yield from _options(inner, f"{name} {word}")


def test_every_command_and_option_says_what_it_is_for() -> None:
    """`--help` leaves nothing unexplained, and README lists every command."""
    shown = {word: command for word, command in group.commands.items() if not command.hidden}
    assert all(command.help for command in shown.values())
    mute = [name for name, option in _options(group) if isinstance(option, click.Option) and not option.help]
    assert mute == []
    assert set(re.findall(r"^\| `nik-gateway (\w+)`", _text("README.md"), re.MULTILINE)) == shown.keys()


def test_every_threat_names_the_test_that_holds_it() -> None:
    """Each row of SECURITY.md's threats ends in at least one test, and each of them exists."""
    threats = _text("SECURITY.md").partition("## Threats")[2].partition("## What is not")[0]
    rows = [
        row for row in re.findall(r"^\| (.*) \|$", threats, re.MULTILINE) if not row.startswith(("what could", "---"))
    ]
    assert len(rows) > 30
    for row in rows:
        held = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row.split(" | ")[2])
        assert held, row
        for path, function in held:
            assert function in _defined(HOUSE / path), f"{path}::{function}"


# ------------------------------------------------------------------------------------------ examples


def test_the_ledgers_worked_example_is_right() -> None:
    """The page's own code gives the page's own output, and the gateway hashes the same entry to the same bytes."""
    (code,), (told,) = _blocks("docs/ledger.md", "python"), _blocks("docs/ledger.md", "text")
    names: dict[str, Any] = {}
    with redirect_stdout(io.StringIO()) as output:
        exec(compile(code, "docs/ledger.md", "exec"), names)  # noqa: S102  our own page
    assert output.getvalue() == told
    leaf = names["leaf"]
    entry = make_entry(
        kind=leaf["kind"], id=leaf["id"], at=parse_rfc3339(leaf["at"]), actor=leaf["actor"],
        agreement=leaf["agreement"], purpose=leaf["purpose"], answer=names["sha256"](canonical(names["answer"])),
        request=request_digest(names["nonce"], canonical(names["request"])), private=names["private"],
    )  # fmt: skip
    assert entry.leaf == names["jcs"](leaf)
    assert b64u(entry.hash) in told


def test_import_examples_can_be_imported() -> None:
    """The lines of NDJSON and CSV in docs/operate.md are taken, and those told in both forms are the same residents."""
    today = date(2026, 11, 24)
    (lines,) = _blocks("docs/operate.md", "json")
    told = [parse_ndjson(line.encode(), today) for line in lines.splitlines()]
    header, *rows = csv.reader(io.StringIO(_blocks("docs/operate.md", "csv")[0]))
    tabled = [CsvLines(header, today).parse(row) for row in rows]
    assert [record.nik for record in tabled] == [record.nik for record in told[:2]]
    assert all(int(record.nik[12:]) >= 9000 for record in [*told, *tabled])


def test_the_production_example_is_read() -> None:
    """deploy/gateway.toml has no fault, tells every setting, and is no demo."""
    document = tomllib.loads(_text("deploy/gateway.toml"))
    settings = parse(document, HOUSE / "deploy" / "gateway.toml")
    assert not settings.demo
    assert settings.issuer.startswith("https://")
    told = {
        name if not isinstance(value, dict) else f"{name}.{inner}"
        for name, value in document.items()
        for inner in (value if isinstance(value, dict) else [""])
    }
    assert told == {setting.name for setting in SETTINGS} - {"demo"}


def test_the_unit_starts_what_the_example_configures() -> None:
    """The systemd unit reads as one, runs `serve` as its own user, and does not restart what is misconfigured."""
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(_text("deploy/nik-gateway.service"))
    service = unit["Service"]
    assert service["ExecStart"].endswith("serve --config /etc/nik-gateway/gateway.toml")
    assert service["User"] == "nik-gateway"
    assert service["RestartPreventExitStatus"] == "2"
    assert service["NoNewPrivileges"] == "yes"


def _leaves(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name.strip(), command
        return
    for word, inner in command.commands.items():
        if not inner.hidden:
            yield from _leaves(inner, f"{name} {word}")


def test_every_command_shows_an_example_that_it_takes() -> None:
    """`--help` of every command ends with an example whose words and options the command knows; all but servers have `--json`."""
    leaves = dict(_leaves(group))
    assert EXAMPLES.keys() == leaves.keys()
    for name, command in leaves.items():
        assert (command.epilog or "").endswith(f"Example: nik-gateway {EXAMPLES[name]}")
        words = shlex.split(EXAMPLES[name])
        assert words[: len(name.split())] == name.split()
        options = {option: each for each in command.params for option in each.opts if isinstance(each, click.Option)}
        given = [word for word in words if word.startswith("--")]
        assert set(given) <= options.keys(), name
        assert {each.opts[0] for each in options.values() if each.required} <= set(given), name
        chosen = [(options[word], value) for word, value in pairwise(words) if word in options]
        for option, value in chosen:
            if isinstance(option.type, click.Choice):
                assert value in option.type.choices, (name, value)
    assert {
        name for name, command in leaves.items() if "--json" not in {o for p in command.params for o in p.opts}
    } == {"serve"}
