"""How can a node be started a thousand times? Forked from a process that has loaded the program: loading is most of a start.

The processes are those of `nik-gateway serve` (workers, and with several the sealer) by the same commands; the watcher's part,
listening and starting them, is done here. Run as a program, it forks a node for each line that it reads.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from deployment import HOUSE, Deployment, _group_lives, wait_for


class ForgedDeployment(Deployment):
    """A deployment whose node is forked. `kill` and `start` again as often as you like."""

    def __init__(self, database: str = "", workers: int = 1) -> None:
        super().__init__(database, workers)
        metrics = self.directory / "metrics"
        metrics.mkdir()
        several = {"PROMETHEUS_MULTIPROC_DIR": str(metrics)} if workers > 1 else {}
        self._group = 0
        self._forge = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HOUSE,
            env=self.environment | several | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip

    def start(self) -> None:
        """Fork a node, and return when it is ready."""
        assert self._forge.stdin is not None
        assert self._forge.stdout is not None
        self.log.unlink(missing_ok=True)
        for stale in (self.directory / "metrics").iterdir():
            stale.unlink()
        order = [self.port, str(self.config), self.workers, str(self.log), str(self.directory / "sealer.sock")]
        self._forge.stdin.write(json.dumps(order) + "\n")
        self._forge.stdin.flush()
        self._group = int(self._forge.stdout.readline())
        wait_for("the node", self._stands)

    def _stands(self) -> bool:
        assert _group_lives(self._group), self.log.read_text()[-3000:]
        names = [event["event"] for event in self.events()]
        return names.count("started") >= self.workers and names.count("sealing") >= (self.workers > 1)

    def kill(self) -> None:
        """SIGKILL for every process of the node at once."""
        os.killpg(self._group, signal.SIGKILL)
        wait_for("the last of the node", lambda: not _group_lives(self._group))

    def close(self) -> None:
        """End the node and the forge, and remove everything."""
        with suppress(ProcessLookupError):
            if self._group:
                self.kill()
        self._forge.communicate()
        super().close()


def _forge() -> None:
    from gateway.cli.main import main  # noqa: PLC0415  what takes long, once

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what was killed
    parent = ["--parent", str(os.getpid())]
    for line in sys.stdin:
        port, config, workers, log, sealer = json.loads(line)
        Path(sealer).unlink(missing_ok=True)
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen(2048)
            seal = ["--socket", sealer] if workers > 1 else []
            common = ["--config", config, *parent, *seal]
            commands = [["worker-process", *common, "--listen", str(listener.fileno())]] * workers
            if workers > 1:
                commands.insert(0, ["sealer-process", *common])
            group = 0
            for words in commands:
                child = os.fork()
                if not child:
                    os.setpgid(0, group)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                    os.dup2(written, 1)
                    os.dup2(written, 2)
                    sys.argv = ["nik-gateway", *words]
                    main()
                    os._exit(0)
                group = group or child
                with suppress(PermissionError, ProcessLookupError):
                    os.setpgid(child, group)  # here as well, so that the group is whole when it is told
        print(group, flush=True)  # noqa: T201


if __name__ == "__main__":
    _forge()
