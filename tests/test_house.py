"""Does the house keep its own rules (CONTRIBUTING.md)?"""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

HOUSE = Path(__file__).parent.parent
EMPTY_WORDS = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "core",
    "manager",
    "managers",
    "service",
    "services",
    "misc",
}
EMPTY_VERBS = {"handle", "process", "manage"}
LOCKS = sorted(path.name for path in HOUSE.glob("requirements*.txt"))


def _modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (HOUSE / folder).rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(HOUSE).as_posix()


def _functions(path: Path, *, inherited: bool = True) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function in a file; without `inherited`, none of a class with a base, for the base names its methods."""
    nodes: list[ast.AST] = [ast.parse(path.read_text())]
    found: list[ast.FunctionDef | ast.AsyncFunctionDef] = []
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.ClassDef) and node.bases and not inherited:
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.append(node)
        nodes.extend(ast.iter_child_nodes(node))
    return found


def test_imports_go_down() -> None:
    """Every contract on which room may import which is kept."""
    assert lint_imports(config_filename=str(HOUSE / "pyproject.toml"), no_cache=True, no_logo=True) == 0


def test_no_folder_leads_back_to_itself() -> None:
    """No folder of the gateway reaches itself by way of others, and no file does."""
    files = {path: _dotted(path) for path in _modules("gateway") if "migrations" not in path.parts}
    names = {name: path for path, name in files.items()}
    by_file: dict[str, set[str]] = {name: set() for name in names}
    by_folder: dict[str, set[str]] = {}
    for path, name in files.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gateway"):
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    target = whole if whole in names else str(node.module)
                    by_file[name].add(target)
                    folders = _folder(path), _folder(names.get(target, path))
                    if folders[0] != folders[1]:
                        by_folder.setdefault(folders[0], set()).add(folders[1])
    assert _circles(by_file) == []
    assert _circles(by_folder) == []


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__")


def _folder(path: Path) -> str:
    """The folder of a file; a file at the root of the gateway is one by itself."""
    parts = path.relative_to(HOUSE).parts
    return "/".join(parts[:-1]) if len(parts) > 2 else "/".join(parts)


def _circles(arrows: dict[str, set[str]]) -> list[str]:
    """Whatever reaches itself."""
    found = []
    for start, others in arrows.items():
        seen: set[str] = set()
        waiting = list(others)
        while waiting:
            here = waiting.pop()
            if here not in seen:
                seen.add(here)
                waiting += arrows.get(here, ())
        if start in seen:
            found.append(start)
    return found


def test_no_name_stands_for_two_things() -> None:
    """No class name is defined twice in the gateway."""
    defined: dict[str, list[str]] = {}
    for path in _modules("gateway"):
        if "client" in path.parts:  # a package of its own, which a partner installs
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                defined.setdefault(node.name, []).append(_name(path))
    assert {name: places for name, places in defined.items() if len(places) > 1} == {}


def test_the_store_knows_no_http() -> None:
    """No path, no status and no header of HTTP stands in the store's code: what a caller is told is the web's."""
    http = re.compile(r"/v1/|\betag\b|\blocation\b|if-match|status_code|\bstatus=[1-5][0-9][0-9]\b", re.IGNORECASE)
    found = []
    for path in _modules("gateway/store"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and not _is_docstring(node):
                found += [f"{_name(path)}:{node.lineno}"] if http.search(node.value) else []
    assert found == []


def _is_docstring(node: ast.Constant) -> bool:
    return "\n" in str(node.value) or str(node.value)[-1:] in ".?" or "`" in str(node.value)


def test_no_word_says_nothing() -> None:
    """No folder or file is named by a word that could hold anything."""
    names = {_name(path): set(path.relative_to(HOUSE).with_suffix("").parts) for path in _modules("gateway", "tests")}
    assert [name for name, words in names.items() if words & EMPTY_WORDS] == []


def test_no_verb_says_nothing() -> None:
    """No function of the gateway is named handle, process or manage."""
    found = [
        f"{_name(path)}:{function.lineno} {function.name}"
        for path in _modules("gateway")
        for function in _functions(path, inherited=False)
        if function.name.lstrip("_").split("_")[0] in EMPTY_VERBS  # a later word is a noun: an operating-system process
    ]
    assert found == []


def test_every_module_says_which_question_it_answers() -> None:
    """A module that holds code begins with a docstring of a title and at most three lines more."""
    faults = []
    for path in _modules("gateway", "tests", "bench"):
        tree = ast.parse(path.read_text())
        lines = [line for line in (ast.get_docstring(tree) or "").splitlines() if line.strip()]
        if tree.body and not 1 <= len(lines) <= 4:
            faults.append(f"{_name(path)}: {len(lines)} lines")
    assert faults == []


def test_every_test_is_a_sentence() -> None:
    """Every test function says in one line which behaviour it holds."""
    faults = []
    for path in _modules("tests"):
        for function in _functions(path):
            sentence = ast.get_docstring(function) or ""
            if function.name.startswith("test_") and (not sentence or "\n\n" in sentence):
                faults.append(f"{_name(path)}:{function.lineno} {function.name}")
    assert faults == []


def test_no_import_hides_from_the_graph() -> None:
    """Nobody imports under TYPE_CHECKING: handlers' types are read at run time, and the graph shows every import."""
    hidden = "TYPE_" + "CHECKING"
    assert [_name(path) for path in _modules("gateway") if hidden in path.read_text()] == []


def test_no_test_is_switched_off() -> None:
    """No test is skipped or expected to fail, and nothing is mocked."""
    off = re.compile(r"pytest\.(skip|mark\.skip|mark\.xfail|xfail)|unittest|" + r"\bmock\b|import" + "orskip")
    here = Path(__file__)
    assert [_name(path) for path in _modules("tests") if path != here and off.search(path.read_text())] == []


def test_no_test_takes_a_day_from_the_machine() -> None:
    """A day is that of Jakarta (`days.day`): one of UTC is yesterday's from 17:00 to 24:00 UTC."""
    taken = re.compile(r"now\((dt\.)?UTC\).*(\.date\(\)|%Y-%m-%d\")|now\(\)\.date\(\)|today\(\)")
    found = [
        f"{_name(path)}:{number}"
        for path in _modules("tests", "bench")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if taken.search(line) and path.name != Path(__file__).name
    ]
    assert found == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_every_package_by_hash(lock: str) -> None:
    """Every line of a lock is an exact version with hashes; no host and no path of a machine stands in it."""
    text = (HOUSE / lock).read_text()
    pins = re.findall(
        r"^(\S.*?)(?: \\)?$((?:\n .*)*)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE
    )
    assert pins
    assert [head for head, body in pins if "==" not in head or "--hash=sha256:" not in body] == []
    assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links|^\s*# .*\s/", text, flags=re.MULTILINE)


def test_locks_agree() -> None:
    """A package has one version in every lock, and the run-time lock holds whatever pyproject.toml depends on."""
    pins = {
        lock: set(re.findall(r"^([a-z0-9-]+==\S+)", (HOUSE / lock).read_text(), flags=re.MULTILINE)) for lock in LOCKS
    }
    runtime = pins["requirements.txt"]
    assert runtime <= pins["requirements-test.txt"]
    assert runtime <= pins["requirements-bench.txt"]
    projects = [tomllib.loads((HOUSE / at / "pyproject.toml").read_text())["project"] for at in (".", "client")]
    needed = [requirement for project in projects for requirement in project["dependencies"]]
    wanted = {re.split(r"[\[><=]", requirement)[0] for requirement in needed} - {projects[1]["name"]}
    assert wanted <= {pin.split("==")[0] for pin in runtime}
