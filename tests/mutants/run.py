"""Does a test turn red for every fault of the tables? `make mutants`: each is put into a copy of the tree, two at a time.

Words: rooms to look at (all by default), `--with TEXT` for faults with that in their file or meaning. Leaves with 1 when fewer
than 97 of a hundred are found or a survivor has no reason.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from table import HOUSE, Fault, faults

FOUND, LIVES, BROKEN = "found", "lives", "broken"
PATIENCE = 240  # seconds that the tests of one fault have; to go on for ever is to be noticed
WORKERS = 2
SHARE = 0.97
CHOSEN = ("-x", "-q", "--no-header", "-p", "no:xdist", "-p", "no:cacheprovider")


@dataclass(frozen=True)
class Outcome:
    """What became of a fault, and how many seconds it took."""

    fault: Fault
    verdict: str
    took: float
    told: str = ""


class Copy:
    """A copy of the tree in which faults are tried, one after another."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(listed, cwd=HOUSE, check=True, capture_output=True, text=True).stdout.split("\0")
        for name in filter(None, names):
            if (HOUSE / name).is_file():
                (directory / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(HOUSE / name, directory / name)
        (directory / ".venv").symlink_to(HOUSE / ".venv")

    def tests(self, words: Sequence[str]) -> tuple[int | None, str]:
        """(exit of pytest, its last words); None when its time was over."""
        command = [str(HOUSE / ".venv/bin/python"), "-m", "pytest", *CHOSEN, *words]
        environment = os.environ | {"PYTHONPATH": str(self.directory)}
        with subprocess.Popen(
            command, cwd=self.directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        ) as running:  # fmt: skip
            try:
                said, _ = running.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)  # its own servers too
                return None, "its time was over"
        return running.returncode, "\n".join(said.splitlines()[-6:])

    def tried(self, fault: Fault) -> Outcome:
        """Put the fault in, run its tests, take it out again."""
        begun, path = time.monotonic(), self.directory / fault.file
        before = path.read_text("utf-8")
        try:
            text = fault.applied(self.directory)
            compile(text, fault.file, "exec")
            put(path, text)
            code, said = self.tests(fault.tests)
        except (ValueError, SyntaxError) as wrong:
            code, said = 5, str(wrong)
        finally:
            put(path, before)
        verdict = {0: LIVES, 1: FOUND, 2: FOUND, None: FOUND}.get(code, BROKEN)
        return Outcome(fault, verdict, time.monotonic() - begun, said)


def put(path: Path, text: str) -> None:
    """Write a file so that no byte code of the text before is taken for it, whatever the clock says."""
    path.write_text(text, "utf-8")
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        compiled.unlink()


def sound(copy: Copy, chosen: Sequence[Fault]) -> bool:
    """Whether every test that a fault names is green without it."""
    words = sorted({word for fault in chosen for word in fault.tests if not word.startswith("-")})
    print(f"without any fault: {len(words)} files of tests", flush=True)
    command = [str(HOUSE / ".venv/bin/python"), "-m", "pytest", "-q", "-n", str(WORKERS), "--dist", "worksteal", *words]
    environment = os.environ | {"PYTHONPATH": str(copy.directory)}
    return subprocess.run(command, cwd=copy.directory, env=environment, check=False).returncode == 0


def run(chosen: Sequence[Fault], under: Path, *, first: bool) -> list[Outcome]:
    """What became of each, told as it comes."""
    free: SimpleQueue[Copy] = SimpleQueue()
    for number in range(WORKERS):
        free.put(Copy(under / str(number)))
    if first:
        copy = free.get()
        if not sound(copy, chosen):
            raise SystemExit("the tests are red without any fault")
        free.put(copy)

    def one(fault: Fault) -> Outcome:
        copy = free.get()
        try:
            return copy.tried(fault)
        finally:
            free.put(copy)

    outcomes = []
    with ThreadPoolExecutor(WORKERS) as threads:
        for done, outcome in enumerate(threads.map(one, chosen), 1):
            outcomes.append(outcome)
            fault = outcome.fault
            mark = outcome.verdict if outcome.verdict != LIVES or not fault.lives else "lives, as told"
            print(f"{done:4}/{len(chosen)} {outcome.took:5.1f}s {mark:14} {fault.file}: {fault.means}", flush=True)
    return outcomes


def report(outcomes: Sequence[Outcome]) -> int:
    """Print the table of rooms and every survivor; 0 when enough were found, each survivor has a reason, and all could be tried."""
    print("\nroom           faults  found")
    for room in sorted({each.fault.room for each in outcomes}):
        own = [each for each in outcomes if each.fault.room == room]
        print(f"{room:14} {len(own):6} {sum(each.verdict == FOUND for each in own):6}")
    found = sum(each.verdict == FOUND for each in outcomes)
    print(f"{'all':14} {len(outcomes):6} {found:6}  {found / max(len(outcomes), 1):.1%}\n")
    unexplained = 0
    for each in outcomes:
        fault = each.fault
        if each.verdict == FOUND and fault.lives:
            print(f"FOUND THOUGH IT SHOULD LIVE {fault.file}: {fault.means}: take the reason away")
        if each.verdict != FOUND:
            unexplained += not fault.lives or each.verdict == BROKEN
            print(f"{each.verdict.upper()} {fault.file}: {fault.means}\n  {fault.old!r} → {fault.new!r}")
            print(f"  {fault.lives or 'no reason'}" if each.verdict == LIVES else f"  {each.told}")
    return int(unexplained > 0 or found < SHARE * len(outcomes))


def main() -> int:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rooms", nargs="*")
    parser.add_argument("--with", action="append", dest="texts", metavar="TEXT")
    parser.add_argument("--unchecked", action="store_true", help="do not run the tests without any fault first")
    told = parser.parse_args()
    texts = told.texts or [""]
    chosen = [one for one in faults(*told.rooms) if any(text in f"{one.file}: {one.means}" for text in texts)]
    under = HOUSE / "var" / f"mutants.{os.getpid()}"
    begun = time.monotonic()
    try:
        outcomes = run(chosen, under, first=not told.unchecked)
    finally:
        shutil.rmtree(under, ignore_errors=True)
    code = report(outcomes)
    print(f"{time.monotonic() - begun:.0f} s")
    return code


if __name__ == "__main__":
    sys.exit(main())
