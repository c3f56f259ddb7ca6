"""What does an operator have? A wheel in an environment of its own, an empty directory, and no rights but a user's."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import site
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import servers
from deployment import _FORKING, HOUSE, PATIENCE

BUILT = ("client", "gateway", "policies", "pyproject.toml", "README.md")


def _wheels(directory: Path) -> list[Path]:
    """The wheels of the repository, the client's among them, built apart from it."""
    source = directory / "source"
    source.mkdir()
    unwanted = shutil.ignore_patterns("__pycache__")
    for name in BUILT:
        if (HOUSE / name).is_dir():
            shutil.copytree(HOUSE / name, source / name, symlinks=True, ignore=unwanted)
        else:
            shutil.copy(HOUSE / name, source / name)
    words = [
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(directory),
        str(source / "client"),
        str(source),
    ]
    _pip(words)
    return sorted(directory.glob("*.whl"))


def _pip(words: list[str]) -> None:
    environment = os.environ | {"PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words], check=False, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr


def _interpreter(directory: Path) -> Path:
    """The tests' own Python; in a private home it would be hidden from other users."""
    python = Path(sys.executable).resolve()
    if servers._passable(python.parent):
        return python
    base = Path(sys.base_prefix)
    shared = _shared(base, directory / "python")
    return shared / python.relative_to(base)


def _shared(folder: Path, beside: Path) -> Path:
    """The same files under a path that others may pass."""

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)

    unwanted = shutil.ignore_patterns("test", "tests", "idlelib", "config-*", "site-packages", "__editable__*", "*.pth")
    shutil.copytree(folder, beside, symlinks=True, ignore=unwanted, copy_function=link)
    beside.chmod(0o755)
    return beside


class Installed:
    """The program as it is installed from a wheel; root's tests run it as `nobody`. `home` is empty and the user's own."""

    def __init__(self, directory: Path) -> None:
        directory.chmod(0o755)
        self.environment = directory / "venv"
        subprocess.run([_interpreter(directory), "-m", "venv", "--without-pip", str(self.environment)], check=True)
        python = self.environment / "bin" / "python"
        _pip(["--python", str(python), "install", "-q", "--no-deps", "--no-index", *map(str, _wheels(directory))])
        (own,) = self.environment.glob("lib/*/site-packages")
        # What the project needs is taken from the tests' environment, whose own copy of the project a .pth does not name.
        needed = [Path(each) for each in site.getsitepackages() if Path(each).is_dir()]
        needed = [each if servers._passable(each) else _shared(each, directory / "packages") for each in needed]
        (own / "needed.pth").write_text("\n".join(map(str, needed)) + "\n")
        self.home = directory / "home"
        self.home.mkdir()
        self.user: dict[str, Any] = {}
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.home, nobody.pw_uid, nobody.pw_gid)
            self.user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self._forking: subprocess.Popen[str] | None = None
        self._number = 0

    def begin(self, settings: Mapping[str, str]) -> None:
        """Run what follows with these variables and nothing of ours."""
        self.end()
        whole = {
            "PATH": f"{self.environment / 'bin'}:/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            **settings,
        }
        if (libraries := self.environment.parent / "python" / "lib").exists():
            whole["LD_LIBRARY_PATH"] = str(libraries)
        self._variables = whole
        self._forking = subprocess.Popen(
            [self.environment / "bin" / "python", "-c", _FORKING],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=self.home, env=whole, **self.user,
        )  # fmt: skip

    def run(self, *words: str) -> tuple[int, str]:
        """`nik-gateway` with these words: (exit code, what it printed)."""
        assert self._forking is not None
        assert self._forking.stdin is not None
        assert self._forking.stdout is not None
        self._number += 1
        printed = self.home / f".printed-{self._number}"
        printed.touch()
        printed.chmod(0o666)
        self._forking.stdin.write(json.dumps([words, str(printed)]) + "\n")
        self._forking.stdin.flush()
        code = int(self._forking.stdout.readline())
        return code, printed.read_text()

    def start(self, *words: str, log: Path) -> subprocess.Popen[bytes]:
        """`nik-gateway` with these words, as a process that stays."""
        with log.open("ab") as output:
            return subprocess.Popen(
                [self.environment / "bin" / "nik-gateway", *words],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.home, env=self._variables,
                start_new_session=True, **self.user,
            )  # fmt: skip

    def shell(self, line: str) -> tuple[int, str]:
        """One line of a shell: (exit code, what it printed)."""
        done = subprocess.run(
            ["/bin/sh", "-c", line], check=False, capture_output=True, text=True, cwd=self.home, env=self._variables,
            timeout=PATIENCE, **self.user,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def end(self) -> None:
        """End the process that commands are forked from."""
        if self._forking is not None:
            self._forking.communicate()
            self._forking = None


@contextlib.contextmanager
def installed() -> Iterator[Installed]:
    """An installation, for as long as the block lasts."""
    directory = Path(tempfile.mkdtemp(prefix="nik-installed-", dir=servers.open_place()))
    made = Installed(directory)
    try:
        yield made
    finally:
        made.end()
        shutil.rmtree(directory, ignore_errors=True)


def ended(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> int:
    """The exit code of a process that is asked to end."""
    if process.poll() is None:
        process.send_signal(how)
    return process.wait(PATIENCE)
