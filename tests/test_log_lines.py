"""What does the program say of itself on standard error?"""

from __future__ import annotations

import json
import os
import subprocess
import sys

_SPEAK = """
import structlog
from gateway.app import configure_logging
configure_logging("info")
for number in range(20):
    structlog.get_logger("gateway").info("said", number=number, more="x" * 200)
"""


def test_every_line_is_written_in_one_piece() -> None:
    """The processes of a node share its standard error: none can come between a line of another and its end."""
    reader, writer = os.pipe2(os.O_DIRECT)  # such a pipe keeps every write apart
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen([sys.executable, "-c", _SPEAK], stderr=writer, env=environment) as speaking:
        os.close(writer)
        written = list(iter(lambda: os.read(reader, 65536), b""))
        os.close(reader)
    assert speaking.returncode == 0
    assert all(each.endswith(b"}\n") for each in written), written
    assert [json.loads(each)["number"] for each in written] == list(range(20))


_FAIL = """
import asyncio, logging, threading, warnings
import structlog
from gateway.app import configure_logging
configure_logging("info")
structlog.get_logger("gateway").info("ours")
try:
    raise OSError("server closed\\nthe connection")
except OSError:
    logging.getLogger("sqlalchemy.pool.impl.QueuePool").exception("Exception during reset")
logging.getLogger("uvicorn.error").info("Started server process")
warnings.warn("deprecated")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start(), thread.join()
async def lost():
    asyncio.get_running_loop().call_exception_handler({"message": "lost"})
asyncio.run(lost())
raise RuntimeError("at last")
"""


def test_what_libraries_say_is_one_line_as_well() -> None:
    """Tracebacks of the pool, warnings, lost tasks, ended threads, and what ends the process: each one JSON object a line."""
    spoken = subprocess.run([sys.executable, "-W", "always", "-c", _FAIL], check=False, capture_output=True, text=True)
    lines = [json.loads(line) for line in spoken.stderr.splitlines()]
    told = [(line["level"], line["event"].splitlines()[0].partition(":")[0]) for line in lines]
    assert told[0] == ("info", "ours")
    assert ("error", "Exception during reset") in told
    assert ("error", "lost") in told
    assert told[-1] == ("critical", "the process ends")
    assert "a thread has ended" in dict(map(reversed, told))
    assert "the connection" in next(line["exception"] for line in lines if "reset" in line["event"])
    assert not [line for line in lines if line.get("logger") == "uvicorn.error"], (
        "what is no news to an operator is not told"
    )
    assert all({"level", "timestamp", "event"} <= line.keys() for line in lines)
