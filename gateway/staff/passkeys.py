"""Does this passkey belong to whoever is to log in? WebAuthn level 3, as the library `webauthn` checks it.

User verification is demanded, discoverable credentials as well; no attestation is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import base64url_to_bytes, parse_client_data_json
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from gateway.clock import SECOND
from gateway.errors import GatewayError
from gateway.staff.session import CHALLENGE

_TIMEOUT = CHALLENGE // SECOND * 1000  # milliseconds
_MOST = 1023  # bytes of a credential id (WebAuthn §4)


class PasskeyFault(GatewayError):
    """The response does not prove what it should."""


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """What an authenticator made: its credential id, COSE public key, and how often it has signed."""

    credential: bytes
    public_key: bytes
    count: int


@dataclass(frozen=True, slots=True)
class Asserted:
    """What a response to a log-in names, before anything of it is checked; `handle` is empty without a user handle."""

    credential: bytes
    handle: bytes


@dataclass(frozen=True, slots=True)
class Relying:
    """The relying party: the console's origin, its host, and the name that people see."""

    origin: str
    name: str

    @property
    def id(self) -> str:
        """The RP id: the origin's host."""
        return urlsplit(self.origin).hostname or ""

    def creation(self, challenge: bytes, handle: bytes, person: str, taken: Sequence[bytes]) -> Mapping[str, Any]:
        """Options of `navigator.credentials.create`; authenticators that hold one of `taken` are left out."""
        options = webauthn.generate_registration_options(
            rp_id=self.id,
            rp_name=self.name,
            user_name=person,
            user_display_name=person,
            user_id=handle,
            challenge=challenge,
            timeout=_TIMEOUT,
            attestation=AttestationConveyancePreference.NONE,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                require_resident_key=True,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=each) for each in taken],
        )
        return _document(options)

    def request(self, challenge: bytes, allowed: Sequence[bytes] = ()) -> Mapping[str, Any]:
        """Options of `navigator.credentials.get`; with none `allowed` whoever holds a passkey of ours may come."""
        options = webauthn.generate_authentication_options(
            rp_id=self.id,
            challenge=challenge,
            timeout=_TIMEOUT,
            allow_credentials=[PublicKeyCredentialDescriptor(id=each) for each in allowed],
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return _document(options)

    def registered(self, response: Mapping[str, Any], challenge: bytes) -> NewPasskey:
        """The passkey that was made for `challenge`. Raises PasskeyFault."""
        try:
            _require_same_origin(response)
            found = webauthn.verify_registration_response(
                credential=dict(response),
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                require_user_verification=True,
            )
        except Exception as fault:  # whatever the library trips over proves nothing
            raise PasskeyFault(str(fault)) from fault
        if len(found.credential_id) > _MOST:
            raise PasskeyFault("the credential id is too long")
        return NewPasskey(found.credential_id, found.credential_public_key, found.sign_count)

    def asserted(self, response: Mapping[str, Any], challenge: bytes, public_key: bytes, count: int) -> int:
        """The new signature count of a passkey that has signed `count` times. Raises PasskeyFault, when it went back too."""
        try:
            _require_same_origin(response)
            found = webauthn.verify_authentication_response(
                credential=dict(response),
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                credential_public_key=public_key,
                credential_current_sign_count=count,
                require_user_verification=True,
            )
        except Exception as fault:  # as above
            raise PasskeyFault(str(fault)) from fault
        return found.new_sign_count


def named(response: Mapping[str, Any]) -> Asserted:
    """Which credential and user a response names. Raises PasskeyFault."""
    try:
        handle = response["response"].get("userHandle")
        return Asserted(base64url_to_bytes(response["rawId"]), base64url_to_bytes(handle) if handle else b"")
    except Exception as fault:  # whatever form it has instead
        raise PasskeyFault("it is no response of an authenticator") from fault


def _require_same_origin(response: Mapping[str, Any]) -> None:
    """Raises PasskeyFault when the ceremony was made in a frame of another site (WebAuthn §5.8.1 `crossOrigin`)."""
    if parse_client_data_json(base64url_to_bytes(response["response"]["clientDataJSON"])).cross_origin:
        raise PasskeyFault("the ceremony was made in a frame of another site")


def _document(options: Any) -> Mapping[str, Any]:  # noqa: ANN401  one of the library's two kinds of options
    document: Mapping[str, Any] = json.loads(webauthn.options_to_json(options))
    return document
