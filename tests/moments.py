"""Does the suite pass where a calendar turns? `python tests/moments.py [WORDS FOR PYTEST]` runs it at each such moment.

The calendar clock of every process of a run is moved alike, that of databases and browsers included (`moment.c`).
"""

from __future__ import annotations

import calendar
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from servers import open_place

HOUSE = Path(__file__).parents[1]
PARALLEL = ["-n", "3", "--dist", "loadscope"]


def moments(now: datetime) -> dict[str, datetime]:
    """What turns → the next instant after `now` at which it does (UTC; Jakarta is seven hours ahead)."""
    year, leap = now.year + 1, now.year + 1
    while not calendar.isleap(leap):
        leap += 1
    return {
        "the last minute of a year in Jakarta": datetime(now.year, 12, 31, 16, 59, tzinfo=UTC),
        "the last day of a month there, the noon of it": datetime(year, 4, 30, 5, tzinfo=UTC),
        "a new month there, the old one here": datetime(year, 1, 31, 17, 1, tzinfo=UTC),
        "the last minute of a month here": datetime(year, 9, 30, 23, 59, tzinfo=UTC),
        "29 February": datetime(leap, 2, 29, 0, 30, tzinfo=UTC),
    }


def compiled(folder: Path) -> Path:
    """`moment.c` as a library that any process can load first."""
    library = folder / "moment.so"
    command = ["cc", "-shared", "-fPIC", "-O2", "-o", library, Path(__file__).with_name("moment.c"), "-ldl"]
    subprocess.run(command, check=True)
    return library


def environment(moment: datetime, library: Path) -> dict[str, str]:
    """What makes it `moment` now for every process that inherits it; an offset, so that all of them agree."""
    now = time.time()
    told = {"MOMENT_AHEAD": int(moment.timestamp() - now), "MOMENT_SINCE": int(now)}
    return os.environ | {"LD_PRELOAD": str(library)} | {name: str(value) for name, value in told.items()}


def main(words: list[str]) -> int:
    """How many moments failed."""
    failed = []
    with tempfile.TemporaryDirectory(prefix="nik-moments-", dir=open_place()) as folder:
        Path(folder).chmod(0o755)  # the database runs as another user and loads it too
        library = compiled(Path(folder))
        for seed, (name, moment) in enumerate(moments(datetime.now(UTC) + timedelta(hours=1)).items(), 1):
            print(f"== {name}: {moment:%Y-%m-%d %H:%M} UTC, --shuffle {seed}", flush=True)  # noqa: T201  a command's words
            command = [sys.executable, "-m", "pytest", "-q", *PARALLEL, f"--shuffle={seed}", *words]
            if subprocess.run(command, cwd=HOUSE, env=environment(moment, library), check=False).returncode:
                failed.append(name)
    print(f"== failed: {', '.join(failed) or 'none'}", flush=True)  # noqa: T201
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["--ignore=tests/console"]))
