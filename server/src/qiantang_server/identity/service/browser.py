"""Browser: what identity has a browser keep, and what it brings back with a request to sign in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from qiantang_server.identity.service.sign_in import DEVICE_LIFETIME, Caller, SignedIn
from qiantang_server.identity.settings import IdentitySettings
from qiantang_server.kernel.access import cookies


@dataclass(frozen=True, slots=True)
class Kept:
    """A cookie of identity: never read by scripts, good for the whole host; `seconds` of 0 end it."""

    name: str
    value: str = field(repr=False)
    seconds: int


def caller_of(headers: Mapping[str, str], brought: Mapping[str, str], address: str, *, secure: bool) -> Caller:
    """Give where a request comes from; `headers` have lower-case names, `brought` are its cookies."""
    return Caller(
        address=address,
        agent=headers.get("user-agent", ""),
        session=brought.get(cookies.session_name(secure=secure), ""),
        device=brought.get(cookies.device_name(secure=secure), ""),
    )


def kept(signed_in: SignedIn, settings: IdentitySettings, *, secure: bool) -> list[Kept]:
    """Give the cookies of somebody who has just signed in."""
    lifetime = int(settings.session_absolute.total_seconds())
    return [
        Kept(cookies.session_name(secure=secure), signed_in.session, lifetime),
        Kept(cookies.device_name(secure=secure), signed_in.device, DEVICE_LIFETIME // 1000),
    ]


def forgotten(*, secure: bool) -> Kept:
    """Give what ends the session's cookie."""
    return Kept(cookies.session_name(secure=secure), "", 0)
