"""Who asks, in which language, and did a page of ours send it? Cookies, the CSRF token, languages and themes."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from litestar import Request
from litestar.datastructures import Cookie

from gateway.administration.sign_in import Session
from gateway.console.frame.multipart import parts
from gateway.console.frame.words import Words
from gateway.errors import Cause, Refused
from gateway.web.api.components import Components
from gateway.web.http.cookies import cookie
from gateway.web.http.exchange import peer, read_body
from gateway.web.http.headers import address, parse_headers, preferred_language
from gateway.web.http.problems import LANGUAGES

COOKIE = "__Host-session"
START, LOGIN = "/console", "/console/login"
_YEAR = 31_536_000
MOST_FIELDS = 2_000  # of one form: an agreement has many
THEMES = ("light", "dark")
_ELSEWHERE = re.compile(r"/(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)  # what a browser resolves to another path
Asked = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a browser: what it brings, whose it is (None before login), how it wants to be answered."""

    request: Asked
    words: Words
    address: str
    theme: str
    id: str
    session: Session | None = None
    issuer: str = ""  # where the public pages of the ledger are, whatever the Host header says

    @property
    def member(self) -> Session:
        """Whose visit it is. Raises Refused(INVALID_TOKEN) before login."""
        if self.session is None:
            raise Refused(Cause.INVALID_TOKEN, fault="nobody is logged in")
        return self.session

    @property
    def smooth(self) -> bool:
        """Whether htmx asks."""
        return self.request.headers.get("hx-request") == "true"

    @property
    def path(self) -> str:
        """The path asked for."""
        return str(self.request.scope["path"])

    def query(self) -> dict[str, str]:
        """The parameters of the query, each once."""
        return dict(parse_qsl(bytes(self.request.scope["query_string"]).decode("latin-1"), keep_blank_values=True))


def visit_of(request: Asked, components: Components, id: str) -> Visit:
    """What a request tells of itself before anybody looks at its session."""
    headers = parse_headers(request.scope["headers"])
    language = cookie(request.scope["headers"], "console_lang")
    words = Words(language if language in LANGUAGES else preferred_language(headers.accept_language))
    theme = cookie(request.scope["headers"], "console_theme")
    return Visit(
        request,
        words,
        address(peer(request.scope), headers, components.proxies),
        theme if theme in THEMES else "",
        id,
        issuer=components.issuer,
    )


def require_own(visit: Visit, origin: str, token: str | None) -> None:
    """Raises Refused(INSUFFICIENT_SCOPE) unless a page of this console sent the request (with the session's own token)."""
    headers = visit.request.headers
    site, sender = headers.get("sec-fetch-site"), headers.get("origin")
    if sender == "null":  # what browsers say for a form of a page that sends no referrer
        sender = None
    foreign = (site is not None and site != "same-origin") or (sender is not None and sender != origin)
    if foreign or (site is None and sender is None and token is None):
        raise Refused(Cause.INSUFFICIENT_SCOPE, fault="the request was not sent by a page of the console")
    if token is not None and not hmac.compare_digest(token.encode(), visit.member.csrf.encode()):
        raise Refused(Cause.INSUFFICIENT_SCOPE, fault="the form is of another session")


async def form_of(visit: Visit) -> dict[str, list[str]]:
    """The fields of a posted form. Raises Refused(BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, MALFORMED_REQUEST)."""
    kind = visit.request.headers.get("content-type", "")
    plain = kind.startswith("application/x-www-form-urlencoded")
    if not plain and not kind.startswith("multipart/form-data;"):
        raise Refused(Cause.UNSUPPORTED_MEDIA_TYPE, accepted=["application/x-www-form-urlencoded"])
    length = visit.request.headers.get("content-length", "")
    raw = await read_body(visit.request.receive, int(length) if length.isdigit() else -1)
    fields: dict[str, list[str]] = {}
    try:
        pairs = (
            parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS) if plain else parts(kind, raw)
        )
        for name, value in pairs:
            fields.setdefault(name, []).append(value.replace("\r\n", "\n"))
    except ValueError as fault:
        raise Refused(Cause.MALFORMED_REQUEST, members=["body"]) from fault
    return fields


def session_cookie(value: str, max_age: int) -> Cookie:
    """The cookie that lets its bearer in; without a value, the one that ends it."""
    return Cookie(
        COOKIE, value=value, max_age=max_age if value else 0, secure=True, httponly=True, samesite="strict", path="/"
    )


def preference(visit: Visit) -> tuple[str, Cookie] | None:
    """(where to go, cookie) when a query chooses a language or a theme, else None."""
    query = visit.query()
    for name, known in (("lang", LANGUAGES), ("theme", (*THEMES, "auto"))):
        if query.get(name) in known:
            kept = {key: value for key, value in query.items() if key != name}
            target = visit.path + (f"?{urlencode(kept)}" if kept else "")
            return target, Cookie(
                f"console_{name}", value=query[name], max_age=_YEAR, path="/console", secure=True, httponly=True
            )
    return None


def safe_next(text: str) -> str:
    """Where to go after login: a path of the console, or its start."""
    parts = urlsplit(text)
    plain = not parts.scheme and not parts.netloc and "\\" not in text and text.isprintable()
    own = (parts.path == "/console" or parts.path.startswith("/console/")) and not _ELSEWHERE.search(parts.path)
    return text if plain and own and not parts.path.startswith(LOGIN) else START
