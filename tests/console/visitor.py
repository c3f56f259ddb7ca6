"""Who comes to the console without a browser? A person with a passkey in software, who sends over HTTP what console.js would."""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

sys.path.append(str(Path(__file__).parents[1] / "staff"))  # pytest's importlib mode puts no test folder on the path

from authenticator import Authenticator

OWN = {"sec-fetch-site": "same-origin"}


@dataclass
class Visitor:
    """One person in one browser: `cookie` is empty while nobody is logged in. `address`: any of 127.0.0.0/8."""

    origin: str
    address: str = "127.0.0.1"
    key: Authenticator = field(init=False)
    cookie: str = ""

    def __post_init__(self) -> None:
        self.key = Authenticator(self.origin)
        # No connection is kept: of several workers any may answer.
        transport = httpx.HTTPTransport(local_address=self.address, limits=httpx.Limits(max_keepalive_connections=0))
        base = self.origin.replace("localhost", "127.0.0.1")
        self._http = httpx.Client(transport=transport, base_url=base, timeout=30, trust_env=False)
        self._host = self.origin.partition("://")[2]

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, **more: Any) -> httpx.Response:
        """One request with the cookie of the session, if there is one."""
        cookie = {"cookie": f"__Host-session={self.cookie}"} if self.cookie else {}
        given = {"host": self._host, "accept-language": "id", **cookie, **(headers or {})}
        return self._http.request(method, path, headers=given, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        """A page."""
        return self.ask("GET", path, **more)

    def step(self, path: str, said: Mapping[str, Any]) -> httpx.Response:
        """A step of a ceremony."""
        token = {"x-csrf-token": self.csrf()} if self.cookie else {}
        return self.ask("POST", f"/console/{path}", {**OWN, "origin": self.origin, **token}, json=dict(said))

    def enrol(self, token: str) -> httpx.Response:
        """Follow a one-time link; whoever is let in is logged in."""
        begun = self.step("enrol/begin", {"token": token})
        if begun.status_code != httpx.codes.OK:
            return begun
        document = begun.json()
        response = self.key.create(document["options"])
        return self._in(
            self.step("enrol/finish", {"token": token, "ceremony": document["ceremony"], "response": response})
        )

    def challenge(self, kind: str) -> tuple[str, dict[str, Any]]:
        """(ceremony, the response of the own passkey) of a `login` or a `step-up` that was begun."""
        document = self.step(f"{kind}/begin", {}).json()
        return document["ceremony"], self.key.get(document["options"])

    def log_in(self) -> httpx.Response:
        """Log in by the passkey."""
        self.cookie = ""
        ceremony, response = self.challenge("login")
        return self._in(self.step("login/finish", {"ceremony": ceremony, "response": response}))

    def step_up(self) -> httpx.Response:
        """Show once more who is there."""
        ceremony, response = self.challenge("step-up")
        return self.step("step-up/finish", {"ceremony": ceremony, "response": response})

    def csrf(self) -> str:
        """The token of the session's forms."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.get("/console/me").text)
        return found.group(1) if found else ""

    def hidden(self, path: str) -> dict[str, str]:
        """What the form of an action holds that nobody types."""
        form = self.get(path).text
        found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
        return {name: html.unescape(value) for name, value in found}

    def post(self, path: str, fields: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Fill in the form at `path` and send it, as a page of the console does."""
        return self.send(path, self.hidden(path) | dict(fields), headers)

    def send(self, path: str, fields: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Send these fields and nothing else."""
        return self.ask("POST", path, {**OWN, "origin": self.origin, **(headers or {})}, data=dict(fields))

    def close(self) -> None:
        """Leave the browser; the session stays."""
        self._http.close()

    def _in(self, reply: httpx.Response) -> httpx.Response:
        self.cookie = reply.cookies.get("__Host-session", "") or self.cookie
        return reply
