"""Is a directory of policies refused when anything in it is wrong?"""

from __future__ import annotations

from pathlib import Path
from shutil import copy

import pytest

from gateway.errors import Misconfigured
from gateway.policy.policies import PURPOSES, SCHEMA, _digest, check, load
from gateway.policy.rules import REFUSALS, read_rules

REFUSED = Path(__file__).parents[2] / "policies" / "refused"
BROKEN = sorted(path.name for path in REFUSED.iterdir() if path.name != "README.md")
RULE = '@id("{}") forbid (principal, action == Action::"verify", resource) when {{ principal.kind == "telecom" }};\n'


def test_house_policies_are_sound() -> None:
    """The policies that the house ships have no fault and tell every cause."""
    directory = REFUSED.parent
    assert check(directory) == []
    told = {rule.refusal for rule in load(directory).rules.values() if rule.effect == "forbid"}
    assert told >= REFUSALS


def test_house_rules_advise_in_both_languages() -> None:
    """Every rule of the house advises in Indonesian and in English."""
    for rule in load(REFUSED.parent).rules.values():
        assert rule.advice_id, rule.id
        assert rule.advice_en, rule.id


def test_every_kind_of_fault_is_known() -> None:
    """The folder of broken examples is not empty, so the test below tests something."""
    assert len(BROKEN) > 20


@pytest.mark.parametrize("name", BROKEN)
def test_broken_example_is_refused_by_name(name: str, directory: Path) -> None:
    """Every file of policies/refused is refused, and the message names its file and its fault."""
    target = {"toml": PURPOSES, "cedarschema": SCHEMA}.get(name.rpartition(".")[2], name)
    copy(REFUSED / name, directory / target)
    with pytest.raises(Misconfigured) as caught:
        load(directory)
    kind = name.partition(".")[0].partition("-")[0]
    # A broken schema leaves nothing to hold the policies against: its own fault is the only one.
    assert [fault for fault in check(directory) if fault.kind != kind] == []
    assert any(fault.startswith(target) and f": {kind}: " in fault for fault in caught.value.faults)
    assert all(" — " in fault for fault in caught.value.faults)


def test_syntax_error_names_the_rule_at_fault(directory: Path) -> None:
    """A syntax error is told with the line on which the broken rule begins, not that of the file."""
    copy(REFUSED / "syntax_error.cedar", directory)
    assert [(fault.file, fault.line) for fault in check(directory)] == [("syntax_error.cedar", 6)]


def test_type_error_names_its_line(directory: Path) -> None:
    """A rule that does not fit the schema is told with its line, whatever comments and texts stand before it."""
    text = f'// a; comment\n{RULE.format("one")}@id("two")\n@advice_en("a; b // c \\" d")\n' + RULE.format(
        "x"
    ).removeprefix('@id("x") ')
    (directory / "own.cedar").write_text(
        text + '\n@id("three") forbid (principal, action, resource) when { context.foo };'
    )
    faults = check(directory)
    assert [(fault.file, fault.line, fault.kind) for fault in faults] == [("own.cedar", 7, "unknown_attribute")]


def test_all_faults_are_told_at_once(directory: Path) -> None:
    """Faults of several files are listed together."""
    for name in ("no_id.cedar", "unknown_attribute.cedar", "template.cedar"):
        copy(REFUSED / name, directory)
    assert {fault.kind for fault in check(directory)} == {"no_id", "unknown_attribute", "template"}


@pytest.mark.parametrize("slug", sorted(REFUSALS))
def test_refusal_that_no_rule_tells_is_a_fault(slug: str, directory: Path) -> None:
    """A set of policies in which a cause of refusal was lost is not loaded."""
    for path in directory.glob("*.cedar"):
        path.write_text(path.read_text("utf-8").replace(f'@refusal("{slug}")', ""), "utf-8")
    assert [(fault.kind, slug in fault.what) for fault in check(directory)] == [("missing_refusal", True)]


def test_rule_that_must_stand_and_does_not_is_a_fault(directory: Path) -> None:
    """A set of policies that no longer asks for an agreement's certificates is not loaded."""
    (directory / "certificate.cedar").unlink()
    assert [fault.kind for fault in check(directory)] == ["missing_rule"]


def test_set_without_permit_is_a_fault(directory: Path) -> None:
    """A set of policies that permits nothing at all is not loaded."""
    (directory / "agreement.cedar").unlink()
    assert [fault.kind for fault in check(directory)] == ["no_permit"]


@pytest.mark.parametrize("name", [SCHEMA, PURPOSES])
def test_missing_file_is_a_fault(name: str, directory: Path) -> None:
    """Neither the schema nor the list of purposes may be absent."""
    (directory / name).unlink()
    assert [(fault.file, fault.kind) for fault in check(directory)] == [(name, "missing_file")]


def test_directory_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    """A directory that cannot be read is named."""
    assert [fault.kind for fault in check(tmp_path / "nowhere")] == ["unreadable"]


def test_permit_may_say_more_and_in_any_order(directory: Path) -> None:
    """A permit that hangs on the agreement and on more besides is accepted, however it is written."""
    (directory / "own.cedar").write_text(
        '@id("own") permit (principal, action == Action::"verify", resource)'
        ' when { principal.kind == "bank" && ("in_force" == context.agreement.state && context.address_allowed) }'
        " when { principal == context.agreement.partner };"
    )
    assert check(directory) == []


@pytest.mark.parametrize("change", ["name", "bytes", "purposes", "schema"])
def test_digest_covers_names_and_bytes_of_all_files(change: str, directory: Path) -> None:
    """The digest changes with the name or a byte of any file, and with nothing else."""
    before = load(directory).digest
    assert before == load(directory).digest
    if change == "name":
        (directory / "address.cedar").rename(directory / "addresses.cedar")
    else:
        name = {"bytes": "address.cedar", "purposes": PURPOSES, "schema": SCHEMA}[change]
        path = directory / name
        path.write_bytes(path.read_bytes() + b"\n")
    after = load(directory).digest
    assert after != before
    assert len(after) == 43


def test_readme_and_refused_are_not_policies(directory: Path) -> None:
    """A README and the folder of broken examples neither load nor count for the digest."""
    before = load(directory).digest
    (directory / "README.md").write_text("words")
    (directory / "refused").mkdir()
    copy(REFUSED / "no_id.cedar", directory / "refused")
    assert load(directory).digest == before


def test_rules_keep_their_order_past_ten() -> None:
    """Rules are numbered as they stand, so that the eleventh is pointed at and not the second."""
    text = "".join(RULE.format(f"rule-{number}") for number in range(12))
    _, rules, faults = read_rules(text, "many.cedar", None)
    assert faults == []
    assert [(rule.id, rule.line) for rule in rules] == [(f"rule-{number}", number + 1) for number in range(12)]


def test_files_that_run_together_have_digests_of_their_own() -> None:
    """A letter that moves from a name to a content, or from a file to the next, is another set of policies."""
    sets = ({"ab": b"c"}, {"a": b"bc"}, {"a": b"b", "c": b""}, {"a": b"", "bc": b""}, {"abc": b""})
    assert len({_digest(files) for files in sets}) == len(sets)
