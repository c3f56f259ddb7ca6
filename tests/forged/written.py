"""Which file holds the forged logs for checkers of other houses? checker/refused.json; run as a script this writes it anew."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from forged import databases, exports, receipts

FILE = Path(__file__).parents[2] / "checker" / "refused.json"
ABOUT = [
    "Logs that a checker must refuse, each signed by the test key and whole but for the one fault that its name tells.",
    "`sound` are some that it must accept. See checker/README.md for the members.",
]


def document() -> dict[str, Any]:
    """What the file holds."""
    components = (receipts, exports, databases)
    return {
        "about": ABOUT,
        "series": {
            "leaf": databases.TEMPLATE,
            "number": databases.NUMBER,
            "private": databases.b64(databases.PRIVATE),
            "tile": databases.tile_hashes(),
        },
        "sound": [case for room in components for case in room.sound()],
        "refused": [case for room in components for case in room.refused()],
    }


def text() -> str:
    """The file, one case a line."""
    told = document()
    cases = {
        name: ",\n".join(f"  {json.dumps(case, ensure_ascii=False, separators=(',', ':'))}" for case in told[name])
        for name in ("sound", "refused")
    }
    lines = [f' "{name}": {json.dumps(told[name], ensure_ascii=False)}' for name in ("about", "series")]
    lines += [f' "{name}": [\n{rows}\n ]' for name, rows in cases.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
