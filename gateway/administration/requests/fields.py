"""Which forms have the members of requests? Short texts in one line that never hold a run of 16 digits."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

_NO_NIK = r"^(?!.*[0-9]{16})"


Line = Annotated[str, Meta(min_length=1, max_length=200, pattern=_NO_NIK + r"[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$")]


Slug = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


Name = Annotated[str, Meta(pattern=_NO_NIK + r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$")]


Digest = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}$")]


Rupiah = Annotated[int, Meta(ge=1, le=1_000_000_000_000)]


Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


RegencyCode = Annotated[str, Meta(pattern=r"^[0-9]{4}$")]
