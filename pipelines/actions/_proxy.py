"""A web proxy that the environment names."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from pipelines.actions._address import Address
from pipelines.errors import CapabilityError


@dataclass(frozen=True, slots=True, repr=False)
class Proxy:
    """It may hold a password, and is never told.

    Args:
        headers: what it wants of a request, or of one for a tunnel.
    """

    host: str
    port: int
    headers: Mapping[str, str]


def proxy(to: Address) -> Proxy | None:
    """What ``https_proxy`` or ``http_proxy`` names; None where ``no_proxy`` has the server, or it is this machine.

    Raises:
        CapabilityError: what is there is no address. Does not show it.
    """
    url = None if to.loopback or proxy_bypass(to.host) else getproxies().get(to.scheme)
    if not url:
        return None
    parts = _parts(url)
    if parts is None or parts.scheme != "http" or not parts.hostname or parts.port == 0:
        raise CapabilityError(f"the environment's {to.scheme}_proxy is not the address of a proxy, expected one such "
                              "as http://host:3128; mend it, or put the server into no_proxy")  # fmt: skip
    headers = {}
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
    return Proxy(parts.hostname, parts.port or 80, headers)


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        parts.port  # noqa: B018 - read, it is checked
    except ValueError:  # its text shows the address
        return None
    return parts
