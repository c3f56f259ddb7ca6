"""What did the gateway answer? The members of wire contract §3, checked for form before anyone reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nik_gateway_client.refusals import Distrusted

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HASH = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 bytes in base64url
_TYPES: Mapping[str, type] = {
    "match": bool,
    "status": str,
    "reason": str,
    "remedy": Mapping,
    "claims": Mapping,
    "as_of": str,
    "recheck_after": str,
    "changed": bool,
    "subject": str,
    "answered_at": str,
    "billed": bool,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One verification's answer. Read `usable` first; the rest is there as far as the agreement discloses it.

    `match`: every deciding claim matches. `status` is active, blocked or stale, `reason` a slug, `remedy` who can mend
    it and how (`by`, `where`, `action`, `documents`, `text` in both languages). `claims` maps names to match, close,
    different or not_recorded. `as_of`: until when the register is known complete; `recheck_after`: how long the answer
    may be relied on; `changed`: only with `previous`; all instants are RFC 3339 in UTC. What was not disclosed is None,
    or empty for `claims`. `raw` is the whole document and `ref` the item's name in a batch.
    """

    id: str
    usable: bool
    answered_at: str
    nonce: str = field(repr=False)
    entry: str
    billed: bool
    raw: Mapping[str, Any] = field(repr=False, compare=False)
    request: Mapping[str, Any] = field(repr=False, compare=False)
    match: bool | None = None
    status: str | None = None
    reason: str | None = None
    remedy: Mapping[str, Any] | None = None
    claims: Mapping[str, str] = field(default_factory=dict)
    as_of: str | None = None
    recheck_after: str | None = None
    changed: bool | None = None
    subject: str | None = None
    ref: str = ""

    def evidence(self) -> dict[str, Any]:
        """What to keep for an offline check: `request`, `answer`, `nonce` and `entry`.

        It holds the NIK and the claims as they were asked: keep it as you keep those.
        """
        return {"request": dict(self.request), "answer": dict(self.raw), "nonce": self.nonce, "entry": self.entry}


def answer_of(document: Mapping[str, Any], request: Mapping[str, Any], ref: str = "") -> Answer:
    """Read one answer to `request`. Raises Distrusted where a member is missing, ill-formed or contradicts `usable`."""
    check_receipt(document, required=True)
    usable = document.get("usable")
    if not isinstance(usable, bool):
        raise Distrusted("the answer's `usable` is not true or false")
    for name, kind in _TYPES.items():
        if document.get(name) is not None and not isinstance(document[name], kind):
            raise Distrusted(f"the answer's `{name}` is not of its type")
    if not all(isinstance(band, str) for band in (document.get("claims") or {}).values()):
        raise Distrusted("the answer's `claims` are not bands")
    if usable and (document.get("match") is False or document.get("status") not in (None, "active")):
        raise Distrusted("the answer says usable and contradicts it")
    return Answer(
        id=document["id"],
        usable=usable,
        answered_at=document.get("answered_at") or "",
        nonce=document["nonce"],
        entry=document["entry"],
        billed=bool(document.get("billed")),
        raw=document,
        request=request,
        match=document.get("match"),
        status=document.get("status"),
        reason=document.get("reason"),
        remedy=document.get("remedy"),
        claims=document.get("claims") or {},
        as_of=document.get("as_of"),
        recheck_after=document.get("recheck_after"),
        changed=document.get("changed"),
        subject=document.get("subject"),
        ref=ref,
    )


def check_receipt(document: Mapping[str, Any], *, required: bool) -> None:
    """`id`, `nonce` and `entry` are well-formed (and, when `required`, there). Raises Distrusted."""
    for name, form in (("id", _ID), ("nonce", _HASH), ("entry", _HASH)):
        value = document.get(name)
        if value is None and not required:
            continue
        if not isinstance(value, str) or not form.fullmatch(value):
            raise Distrusted(f"`{name}` is not well-formed")
