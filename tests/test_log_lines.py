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
