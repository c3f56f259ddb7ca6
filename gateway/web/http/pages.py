"""How is a public page sent to a browser, and what do `/`, `/docs` and the lists say to people? Everybody else gets JSON."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from html import escape
from importlib import resources
from typing import Any

from litestar import Request, Response

from gateway.web.http.problems import LANGUAGES, STYLE_SHA256, Text, page_of, prose

CACHED = {"cache-control": "public, max-age=3600", "vary": "accept"}
_SAID: Mapping[str, Any] = tomllib.loads(resources.files("gateway.web.http").joinpath("front.toml").read_text("utf-8"))
TOKEN_ERRORS: Mapping[str, Text] = _SAID["token_error"]
"""What every error of the token endpoint means, by its code."""


def wants_html(request: Request[Any, Any, Any]) -> bool:
    """Whether whoever asks is a browser."""
    return "text/html" in request.headers.get("accept", "")


def html(text: str) -> Response[Any]:
    """A page that is complete in itself."""
    policy = (
        f"default-src 'none'; style-src 'sha256-{STYLE_SHA256}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers: Mapping[str, str] = {**CACHED, "content-security-policy": policy}
    return Response(text, media_type="text/html; charset=utf-8", headers=dict(headers))


def front(issuer: str) -> dict[str, Any]:
    """What `/` says as JSON: what this is, and where everything else stands."""
    links = [{"href": issuer + path, "title": dict(text)} for path, text in _SAID["links"].items()]
    return {"issuer": issuer, "title": dict(_SAID["title"]), "what": dict(_SAID["what"]), "links": links}


def docs(issuer: str) -> dict[str, Any]:
    """What `/docs` says as JSON: the steps of a first call, and every error of the token endpoint."""
    steps = [_filled(step, issuer) for step in _SAID["step"]]
    errors = [{"error": error, "meaning": _filled(text, issuer)} for error, text in TOKEN_ERRORS.items()]
    return {"issuer": issuer, "title": dict(_SAID["docs"]), "steps": steps, "token_errors": errors}


@lru_cache(maxsize=4)
def front_html(issuer: str) -> str:
    """`/` for people."""
    sections = ""
    for language in LANGUAGES:
        items = "".join(
            f'<li><a href="{escape(path)}">{escape(text[language])}</a></li>' for path, text in _SAID["links"].items()
        )
        sections += (
            f'<section lang="{language}"><h2>{escape(_SAID["title"][language])}</h2>'
            f"<p>{escape(_SAID['what'][language])}</p><ul>{items}</ul></section>"
        )
    return page_of(_SAID["title"], issuer, sections)


@lru_cache(maxsize=4)
def docs_html(issuer: str) -> str:
    """`/docs` for people; each error of the token endpoint has an anchor, which `error_uri` leads to."""
    shown = docs(issuer)
    sections = ""
    for language in LANGUAGES:
        steps = "".join(f"<li>{prose(step[language])}</li>" for step in shown["steps"])
        sections += f'<section lang="{language}"><h2>{escape(_SAID["docs"][language])}</h2><ol>{steps}</ol></section>'
    heading = f'{escape(_SAID["errors"]["id"])} · <span lang="en">{escape(_SAID["errors"]["en"])}</span>'
    told = "".join(
        f'<section id="{error}"><h3><code>{error}</code></h3><p lang="id">{prose(meaning["id"])}</p>'
        f'<p lang="en">{prose(meaning["en"])}</p></section>'
        for error, meaning in ((each["error"], each["meaning"]) for each in shown["token_errors"])
    )
    return page_of(_SAID["docs"], issuer, f"{sections}<h2>{heading}</h2>{told}")


def list_html(path: str, issuer: str, rows: Iterable[tuple[str, Text]]) -> str:
    """`/problems` or `/reasons` for people: every slug with its title, leading to its page."""
    items = "".join(
        f'<li><a href="{path}/{slug}">{escape(title["id"])}</a> · <span lang="en">{escape(title["en"])}</span> '
        f"<code>{slug}</code></li>"
        for slug, title in rows
    )
    return page_of(_SAID["links"][path], issuer, f"<ul>{items}</ul>")


def _filled(text: Text, issuer: str) -> dict[str, str]:
    return {language: text[language].replace("{issuer}", issuer) for language in LANGUAGES}
