"""An auditor's export of a search or a sample: the published checker proves each line, and names the first that does not fit."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from logs import HOUSE, checker

from gateway.ledger.log.note import b64
from gateway.ledger.log.sampling import draws
from gateway.ledger.publication.export import SELECTION
from gateway.ledger.publication.published import SEED

CHECKER = checker()
VECTORS = json.loads((HOUSE / "checker" / "vectors.json").read_text("utf-8"))
SCHEMAS = json.loads((HOUSE / "checker" / "schema.json").read_text("utf-8"))["$defs"]
FORMS = ("selection", "sample")
Change = Callable[[list[str]], object]


def _check(path: Path, form: str, change: Change = lambda _: None, key: str = VECTORS["vkey"]) -> int:
    lines = VECTORS[form].splitlines(keepends=True)
    change(lines)
    path.write_text("".join(lines), "utf-8")
    return int(CHECKER.main(["export", str(path), *(["--key", key] if key else [])]))


def _edit(at: int, **members: Any) -> Change:
    """Other members of a line; a function makes the new one of the old one."""

    def change(lines: list[str]) -> None:
        told = json.loads(lines[at])
        new = {name: value(told[name]) if callable(value) else value for name, value in members.items()}
        lines[at] = json.dumps(told | new, ensure_ascii=False) + "\n"

    return change


def _without(at: int, name: str) -> Change:
    def change(lines: list[str]) -> None:
        told = json.loads(lines[at])
        del told[name]
        lines[at] = json.dumps(told, ensure_ascii=False) + "\n"

    return change


def _both(*changes: Change) -> Change:
    return lambda lines: [change(lines) for change in changes]


def _swap(lines: list[str]) -> None:
    lines[2], lines[3] = lines[3], lines[2]


def _of_another(name: str) -> Change:
    return lambda lines: _edit(2, **{name: json.loads(lines[1])[name]})(lines)


def _said_twice(lines: list[str]) -> None:
    """The member `index` stands there twice: one reader takes the first, another the last."""
    lines[2] = lines[2].replace('{"index":', '{"index":0,"index":', 1)


def _touched(text: str) -> str:
    return text[:20] + ("A" if text[20] != "A" else "B") + text[21:]


# what was changed → (how, the line that is named)
TAMPERINGS: dict[str, tuple[Change, int]] = {
    "a leaf reworded": (_edit(2, leaf=lambda leaf: leaf.replace("bank-1", "bank-2")), 3),
    "a space in a leaf": (_edit(2, leaf=lambda leaf: leaf.replace('{"', '{ "', 1)), 3),
    "another leaf": (_of_another("leaf"), 3),
    "a leaf that is none": (_edit(2, leaf=7), 3),
    "a byte of a private part": (_edit(3, private=_touched), 4),
    "another private part": (_edit(3, private="AAAA"), 4),
    "a private part with a character that counts for nothing": (_edit(3, private=lambda text: text[:8] + "!" + text[8:]), 4),
    "a private part that is no text": (_edit(3, private=7), 4),
    "a hash of a proof": (_edit(2, proof=lambda path: [b64(bytes(32)), *path[1:]]), 3),
    "less of a proof": (_edit(2, proof=lambda path: path[:-1]), 3),
    "more of a proof": (_edit(2, proof=lambda path: [*path, path[0]]), 3),
    "a proof's hashes in another order": (_edit(2, proof=lambda path: path[::-1]), 3),
    "no proof": (_without(2, "proof"), 3),
    "a proof of another entry": (_of_another("proof"), 3),
    "another index": (_edit(4, index=lambda index: index + 1), 5),
    "an index beyond the log": (_edit(4, index=400), 5),
    "an index below the log": (_edit(1, index=-1), 2),
    "an index that is no number": (_edit(1, index="2"), 2),
    "an index twice in one line": (_said_twice, 3),
    "a member that nothing proves": (_edit(2, remark="seen by the bank"), 3),
    "two lines swapped": (_swap, 4),
    "a line twice, in another's place": (lambda lines: lines.__setitem__(3, lines[2]), 4),
    "a line twice, one more": (lambda lines: lines.insert(3, lines[2]), 4),
    "a line twice, counted": (_both(lambda lines: lines.insert(3, lines[2]), _edit(0, count=5)), 4),
    "a line missing": (lambda lines: lines.pop(2), 5),
    "the last line missing": (lambda lines: lines.pop(), 5),
    "half a line": (lambda lines: lines.__setitem__(-1, lines[-1][:40]), 5),
    "an empty line": (lambda lines: lines.insert(2, "\n"), 3),
    "another count": (_edit(0, count=5), 6),
    "a count that is no number": (_edit(0, count="4"), 6),
    "a checkpoint of another size": (_edit(0, checkpoint=lambda note: note.replace("\n11\n", "\n12\n", 1)), 1),
    "a checkpoint of another root": (
        _edit(0, checkpoint=lambda note: note.replace(VECTORS["roots"][11], VECTORS["roots"][10], 1)), 1,
    ),
    "a checkpoint of another origin": (_edit(0, checkpoint=lambda note: "other" + note), 1),
    "a byte of the signature": (
        _edit(0, checkpoint=lambda note: re.sub(r"(vectors [\w+/]{20}).", lambda hit: hit[1] + "_", note)), 1,
    ),
    "a checkpoint not signed": (_edit(0, checkpoint=lambda note: note.partition("\n\n")[0] + "\n\n"), 1),
    "a checkpoint that is none": (_edit(0, checkpoint=7), 1),
    "no checkpoint": (_without(0, "checkpoint"), 1),
    "another format": (_edit(0, format=SELECTION[:-1] + "2"), 1),
    "no first line": (lambda lines: lines.pop(0), 1),
    "nothing": (lambda lines: lines.clear(), 1),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_it_is_sound_as_it_was_written(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the key that one trusts, and with the one that it brings, which is told; how many entries of how many."""
    assert _check(tmp_path / "file", form) == 0
    told = capsys.readouterr().out
    assert "sound: 4 entries of the first 11" in told
    assert (f"drawn by seed {json.dumps(SEED)} over 2 to 9" in told) == (form == "sample")
    assert ("1 private parts: destroyed" in told) == (form == "selection")
    assert _check(tmp_path / "file", form, key="") == 0
    assert "the key that the export itself brings" in capsys.readouterr().out


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", TAMPERINGS)
def test_the_first_line_that_does_not_fit_is_named(
    form: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever of leaf, private part, proof, checkpoint, index, order or number is another: exit 1, and which line."""
    change, line = TAMPERINGS[name]
    assert _check(tmp_path / "file", form, change) == 1
    assert re.match(rf"NOT SOUND: line {line}\b", capsys.readouterr().out)


@pytest.mark.parametrize("form", FORMS)
def test_every_byte_of_every_line_counts(form: str, tmp_path: Path) -> None:
    """One bit of any byte the other way: that line, or the one before where its end was taken away, does not fit."""
    whole = VECTORS[form].encode()
    begun = whole.index(b"\n") + 1
    for at in random.Random(7).sample(range(begun, len(whole) - 1), 150):  # noqa: S311  chance that comes again
        touched = bytearray(whole)
        touched[at] ^= 1
        (tmp_path / "file").write_bytes(touched)
        with pytest.raises(CHECKER.Fault) as fault:
            CHECKER.check_export(tmp_path / "file", [VECTORS["vkey"]])
        assert fault.value.line == whole[:at].count(b"\n") + 1, at


@pytest.mark.parametrize("form", FORMS)
def test_another_key_signs_nothing(form: str, tmp_path: Path) -> None:
    """The key given is the one that counts, whatever keys the file brings."""
    assert _check(tmp_path / "file", form, key=VECTORS["witness"]) == 1
    damaged = re.sub(r"\+[0-9a-f]{8}\+", "+00000000+", VECTORS["vkey"])
    assert _check(tmp_path / "file", form, key=damaged) == 1


SAMPLES: dict[str, Change] = {
    "another seed": lambda sample: {**sample, "seed": "chosen"},
    "another stretch": lambda sample: {**sample, "first": 1},
    "an end beyond the checkpoint": lambda sample: {**sample, "end": 12},
    "fewer draws": lambda sample: {**sample, "drawn": 3},
    "more draws than there are": lambda sample: {**sample, "drawn": 9},
    "no seed": lambda sample: {**sample, "seed": None},
    "a stretch that is none": lambda sample: {**sample, "first": 10, "end": 2},
    "nothing": lambda _: {},
    "a text": lambda _: "x",
}  # type: ignore[dict-item]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_of_another_seed_or_stretch_is_none(name: str, tmp_path: Path) -> None:
    """The seed draws these entries, in this order, with so many draws; any other way of choosing them is seen."""
    assert _check(tmp_path / "file", "sample", _edit(0, sample=SAMPLES[name])) == 1


def test_entries_that_were_chosen_are_no_sample(tmp_path: Path) -> None:
    """A sound selection that calls itself a sample is not drawn; a sample without its seed is out of order."""
    lot = json.loads(VECTORS["sample"].splitlines()[0])["sample"]
    assert _check(tmp_path / "file", "selection", _both(_edit(0, sample=lot), _edit(0, next=None))) == 1
    assert _check(tmp_path / "file", "sample", _without(0, "sample")) == 1


def test_a_file_that_goes_on_elsewhere_is_not_sound(tmp_path: Path) -> None:
    """The cursor of the file that follows is the last entry here; without one this is the end."""
    assert _check(tmp_path / "file", "selection", _edit(0, next=None)) == 0
    for following in ("8", "10", 9, ""):
        assert _check(tmp_path / "file", "selection", _edit(0, next=following)) == 1, following


def test_it_draws_as_the_gateway_does() -> None:
    """The same entries in the same order, over stretches of any length."""
    for first, end, most in ((0, 1, 1), (3, 40, 37), (10, 5_000, 400), (0, 2**40, 50)):
        ours = [index for index, _ in zip(draws("letter 7", first, end), range(most), strict=False)]
        assert list(CHECKER.draw("letter 7", first, end, most)) == ours


def test_the_lines_fit_the_schema() -> None:
    """Both forms are instances of the published schemas."""
    head, entry = (jsonschema_rs.Draft202012Validator(SCHEMAS[f"selection_{part}"]) for part in ("head", "entry"))
    for form in FORMS:
        first, *lines = VECTORS[form].splitlines()
        head.validate(json.loads(first))
        for line in lines:
            entry.validate(json.loads(line))
