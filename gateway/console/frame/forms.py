"""How does a form become a body, and where was it wrong? Fields in, the struct of the act out; errors by field."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from gateway.console.frame.cells import member
from gateway.console.frame.page import Field
from gateway.errors import Cause, Refused
from gateway.verification.request import malformed


class Wrong(Exception):
    """A form that cannot be taken as it is: `errors` maps a field's name to the key of what is said beside it."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(", ".join(errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Filled:
    """A field as a page shows it: what it holds, and the key of what is wrong with it."""

    field: Field
    values: tuple[str, ...]
    error: str = ""

    @property
    def id(self) -> str:
        """Its id in the page."""
        return "f-" + re.sub(r"[^a-z0-9]+", "-", self.field.name.lower())

    @property
    def value(self) -> str:
        """What it holds, as one text."""
        return self.values[0] if self.values else ""


def fill(
    fields: Sequence[Field],
    given: Mapping[str, Sequence[str]] | None,
    document: Any,  # noqa: ANN401  any document
    errors: Mapping[str, str],
) -> list[Filled]:
    """The fields with what was typed, or (before that) with what the watched document holds."""
    filled = []
    for field in fields:
        # A box that nobody ticked is not sent; everything else that is not there was never on the page that is answered.
        started = field.value.startswith("=") and field.kind not in ("yes", "many")
        if given is not None and not (started and field.name not in given):
            values = tuple(given.get(field.name, ()))
        elif field.value.startswith("="):
            values = (field.value[1:],)
        else:
            held = member(document, field.value) if field.value and document is not None else None
            values = _texts(field, held)
        filled.append(Filled(field, values, errors.get(field.name, "")))
    return filled


def offering(fields: Sequence[Field], document: Any) -> list[Field]:  # noqa: ANN401  any document
    """The fields with the choices that the watched document holds."""
    return [
        replace(field, choices=tuple(dict.fromkeys(_found(document, field.among.split("."))))) if field.among else field
        for field in fields
    ]


def _found(held: Any, path: Sequence[str]) -> Iterator[str]:  # noqa: ANN401  any JSON
    if isinstance(held, list):
        for each in held:
            yield from _found(each, path)
    elif path and isinstance(held, Mapping):
        yield from _found(held.get(path[0]), path[1:])
    elif held is not None and not path:
        yield str(held)


def _texts(field: Field, held: Any) -> tuple[str, ...]:  # noqa: ANN401  any member
    if held is None:
        return ()
    if field.kind == "json":
        return (json.dumps(held, ensure_ascii=False, indent=2),)
    if isinstance(held, list):
        return tuple(str(each) for each in held)
    return ("yes" if held is True else "" if held is False else str(held),)


def body_of(fields: Sequence[Field], given: Mapping[str, Sequence[str]], struct: Any) -> Any:  # noqa: ANN401  a struct
    """The body of the act. Raises Wrong with every field at fault that can be told."""
    document: dict[str, Any] = {}
    errors: dict[str, str] = {}
    needed = {field.name.rpartition(".")[0] for field in fields if "." in field.name and _given(field, given)}
    for field in fields:
        texts = _given(field, given)
        group = field.name.rpartition(".")[0]
        if not texts:
            # A group of fields is asked for as a whole, or not at all.
            if field.required and field.kind != "yes" and (not group or group in needed):
                errors[field.name] = "error.required"
            if field.kind != "yes":
                continue
        try:
            _put(document, field.name, _value(field, texts))
        except ValueError:
            errors[field.name] = f"error.{field.kind}"
    if errors:
        raise Wrong(errors)
    if struct is None:
        return None
    try:
        return msgspec.convert(document, struct, strict=False)
    except msgspec.ValidationError as fault:
        raise Wrong(errors_of(fields, malformed(fault))) from fault


def errors_of(fields: Sequence[Field], refused: Refused) -> dict[str, str]:
    """The members that a MALFORMED_REQUEST names, by field; "" for what no field stands for. Raises others again."""
    if refused.refusal.cause != Cause.MALFORMED_REQUEST:
        raise refused
    named = refused.refusal.facts.get("members")
    return errors_at(fields, [str(each) for each in named] if isinstance(named, list) else [])


def errors_at(fields: Sequence[Field], members: Sequence[str]) -> dict[str, str]:
    """As `errors_of`, for members that an answer names."""
    errors: dict[str, str] = {}
    for each in members:
        found = next(
            (one.name for one in fields if each == one.name or each.startswith((f"{one.name}.", f"{one.name}["))), ""
        )
        errors[found] = "error.format" if found else "error.form"
    return errors or {"": "error.form"}


def _given(field: Field, given: Mapping[str, Sequence[str]]) -> list[str]:
    return [text.strip() for text in given.get(field.name, ()) if text.strip()]


def _value(field: Field, texts: list[str]) -> Any:  # noqa: ANN401  as the field's kind says
    if field.kind == "yes":
        return bool(texts)
    if field.kind == "many":
        return texts
    text = texts[0]
    if field.kind == "names":
        return [name for name in re.split(r"[\s,;]+", text) if name]
    if field.kind == "number":
        return int(re.sub(r"[ .,]", "", text.removeprefix("Rp")))
    if field.kind == "json":
        return json.loads(text)
    if field.kind == "choice" and not field.among and text not in field.choices:
        raise ValueError(text)
    return text


def _put(document: dict[str, Any], name: str, value: Any) -> None:  # noqa: ANN401  as the field's kind says
    *groups, last = name.split(".")
    for group in groups:
        document = document.setdefault(group, {})
    document[last] = value
