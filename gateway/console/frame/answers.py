"""Which headers does every page carry, and how do templates become pages? The only place that makes responses."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from hashlib import sha256
from importlib import resources
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response
from litestar.datastructures import Cookie

from gateway.console.frame import cells, differences
from gateway.console.frame.session import Visit

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
    "permissions-policy": "publickey-credentials-get=(self), publickey-credentials-create=(self)",
}
_KINDS = {
    ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8", ".md": "text/plain; charset=utf-8",
}  # fmt: skip


@cache
def assets() -> Mapping[str, tuple[bytes, str, str]]:
    """Name below static/ → (bytes, media type, digest). Read once; nothing else is ever served."""
    found: dict[str, tuple[bytes, str, str]] = {}
    root = resources.files("gateway.console").joinpath("static")
    for before, folder in (("", root), ("vendor/", root.joinpath("vendor"))):
        for file in folder.iterdir():
            kind = _KINDS.get(file.name[file.name.rfind(".") :])
            if file.is_file() and kind:
                held = file.read_bytes()
                found[before + file.name] = (held, kind, sha256(held).hexdigest()[:16])
    return found


def asset_url(name: str) -> str:
    """Where a file of static/ is found; another content has another URL."""
    return f"/console/static/{name}?v={assets()[name][2]}"


@cache
def environment() -> Environment:
    """The templates: escaped, and a name that is none is an error."""
    made = Environment(
        loader=PackageLoader("gateway.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        asset=asset_url, cell=cells.cell, heading=cells.heading, member=cells.member, path_of=cells.path_of,
        readable=differences.readable,
    )  # fmt: skip
    return made


def html(
    visit: Visit,
    template: str,
    status: int = 200,
    cookies: tuple[Cookie, ...] = (),
    **facts: Any,  # noqa: ANN401  of a template
) -> Response[bytes]:
    """A page made of a template."""
    text = (
        environment()
        .get_template(template)
        .render(t=visit.words, visit=visit, session=visit.session, url=partial(_url, visit), **facts)
    )
    return answer(text.encode(), "text/html; charset=utf-8", status, cookies)


def answer(
    body: bytes, kind: str, status: int = 200, cookies: tuple[Cookie, ...] = (), more: Mapping[str, str] | None = None
) -> Response[bytes]:
    """A response with the headers that all have."""
    headers = {**HEADERS, "vary": "cookie, accept-language, hx-request", **(more or {})}
    # Litestar says the charset of a text itself.
    media = kind.removesuffix("; charset=utf-8")
    return Response(body, status_code=status, media_type=media, headers=headers, cookies=list(cookies))


def told_of(document: Mapping[str, Any]) -> Mapping[str, str]:
    """What the headers say of a problem: when to come again, which methods there are (RFC 9110 §10.2.3, §10.2.1)."""
    found = {"retry-after": str(document["retry_after"])} if "retry_after" in document else {}
    return found | ({"allow": ", ".join(document["allowed"])} if "allowed" in document else {})


def go(visit: Visit, target: str, cookies: tuple[Cookie, ...] = ()) -> Response[bytes]:
    """303 to another page; htmx is told to load it as a whole."""
    if visit.smooth:
        return answer(b"", "text/plain; charset=utf-8", 204, cookies, {"hx-redirect": target})
    return answer(b"", "text/plain; charset=utf-8", 303, cookies, {"location": target})


def _url(visit: Visit, **changed: str | None) -> str:
    """The page that is shown, with these parameters of its query changed; None takes one away."""
    query = {name: value for name, value in {**visit.query(), "live": "", **changed}.items() if value}
    return visit.path + (f"?{urlencode(query)}" if query else "")
