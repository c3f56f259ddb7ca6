"""Which paths does a walk over PAGES take? The parameters of a page are found on the pages that lead to it."""

from __future__ import annotations

import re
import sys
from base64 import b64encode
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Page as Tab

sys.path.append(str(Path(__file__).parents[1] / "staff"))  # pytest's importlib mode puts no test folder on the path

from authenticator import Authenticator

from gateway.console.frame.page import Page
from gateway.console.pages import PAGES
from gateway.staff.roles import Role

SAMPLES: dict[str, str] = {"/console/own/statements/{date}": "/console/own/statements/2026-01-01"}
"""Path template → a concrete path, for pages that no page of the table leads to."""


def openable() -> frozenset[Role]:
    """The roles that have pages beside their own account."""
    return frozenset(Role)


def pattern(page: Page) -> str:
    """A regular expression for the paths of a page."""
    return re.sub(r"\\{[a-z_]+\\}", "[^/?#]+", re.escape(page.path))


def concrete(page: Page, client: httpx.Client) -> list[str]:
    """At most one path of a page that this person can get to: its own, a sample, or the first link to it on another page."""
    if "{" not in page.path:
        return [page.path]
    if page.path in SAMPLES:
        return [SAMPLES[page.path]]
    for other in PAGES:
        if other.name != page.name and (other.name == page.parent or "{" not in other.path):
            for path in concrete(other, client):
                for href in re.findall(r'href="([^"?#]+)"', client.get(path).text):
                    if re.fullmatch(pattern(page), href) and "/do/" not in href:
                        return [href]
    return []


def give_authenticator(page: Tab, key: Authenticator | None = None) -> None:
    """A virtual authenticator for one tab, by the protocol of the developer tools; it verifies its user by itself.

    It holds the passkeys of `key` from the start.
    """
    protocol = page.context.new_cdp_session(page)
    protocol.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    made = protocol.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    for id, held in key.keys.items() if key else ():
        private = held.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        credential = {
            "credentialId": b64encode(id).decode(), "isResidentCredential": True, "rpId": held.rp_id, "signCount": key.count,
            "privateKey": b64encode(private).decode(), "userHandle": b64encode(held.handle).decode(),
        }  # fmt: skip
        protocol.send("WebAuthn.addCredential", {"authenticatorId": made["authenticatorId"], "credential": credential})
