"""What is sent about people at the console?"""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.administration.requests.fields import Line, Name, Slug


class NewMember(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /v1/staff/members`: a person, the roles, and for an engineer the partner.

    `external` is who the person is to the OpenID provider that the settings name.
    """

    person: Line
    roles: Annotated[list[Slug], Meta(min_length=1, max_length=10)]
    partner: Name | UnsetType = UNSET
    external: Line | UnsetType = UNSET
