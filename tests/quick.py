"""Which tests does the change at hand need at once? `python tests/quick.py [WORDS FOR PYTEST]` runs them.

The pure rooms always, for they take seconds; of the others the rooms that differ from `main`, committed or not.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

HOUSE = Path(__file__).parents[1]
PURE = ("matching", "allowance", "policy", "oauth", "partners", "register", "synthetic", "config")
ALWAYS = ("tests/test_house.py", "tests/test_nik.py", "tests/test_clock.py", *(f"tests/{room}" for room in PURE))
SLOW = ("http", "attacks", "durability", "bench", "console")
"""Folders whose tests serve whole gateways: of these only a file that was changed itself."""


def git(*words: str) -> list[str]:
    """The lines that git answers."""
    return subprocess.run(["git", *words], cwd=HOUSE, check=True, capture_output=True, text=True).stdout.splitlines()  # noqa: S607  the git of whoever works here


def changed() -> set[str]:
    """What differs from the branch `main` was left at, and what git does not know yet."""
    base = git("merge-base", "HEAD", "main")[0]
    return {*git("diff", "--name-only", base), *git("ls-files", "--others", "--exclude-standard")}


def wanted(paths: Iterable[str]) -> list[str]:
    """The tests of what was changed, and those that always run."""
    found = {path for path in ALWAYS if (HOUSE / path).exists()}
    for path in paths:
        top, *way = Path(path).with_suffix("").parts
        if path.endswith(".md"):
            found.add("tests/test_documents.py")
        elif top == "tests" and Path(path).name.startswith("test_"):
            found.add(path)
        elif top in {"gateway", "tests"} and way:
            found.update(_rooms(way))
        elif top == "policies":
            found.add("tests/policy")
    held = {path for path in found if (HOUSE / path).exists()}
    return sorted(path for path in held if not any(str(above) in held for above in Path(path).parents))


def _rooms(way: list[str]) -> set[str]:
    """The folder of tests, or the file, that mirrors a module: the nearest that there is."""
    for depth in range(len(way), 0, -1):
        folder, file = "/".join(way[:depth]), "/".join([*way[: depth - 1], f"test_{way[depth - 1]}.py"])
        for path in (f"tests/{folder}", f"tests/{file}"):
            if (HOUSE / path).exists():
                return set() if any(word in SLOW for word in way[:depth]) else {path}
    return set()


def run(tests: list[str], words: list[str]) -> int:
    """Run pytest; its exit code, and 0 where there is nothing to run."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadscope", *tests, *words]
    print("==", *tests, flush=True)  # noqa: T201  a command's words
    return subprocess.run(command, cwd=HOUSE, check=False).returncode if tests else 0


def main(words: list[str]) -> int:
    """0 when all is well. What drives a browser runs apart: no other test can start an event loop beside it."""
    tests = wanted(changed())
    pages = [path for path in tests if "console" in Path(path).parts]
    return run([path for path in tests if path not in pages], words) or run(pages, words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
