"""Where an action sends to. What is told of an address is its host and port: the rest may be a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from pipelines.network import loopback


@dataclass(frozen=True, slots=True)
class Address:
    """A server's.

    Args:
        path: with its query, as it goes into a request; ``/`` where there is none.
    """

    scheme: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether it is this very machine."""
        return loopback(self.host)

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: where a secret for this server may go."""
        return self.scheme, self.host, self.port


def address(url: str, ports: Mapping[str, int]) -> Address:
    """Read an address.

    Args:
        ports: the schemes that are possible, each with its usual port.

    Raises:
        ValueError: it is none of those, or names a user: names go through the environment. Does not show it.
    """
    schemes = " or ".join(f"{scheme}://" for scheme in ports)
    wanted = f"expected one such as {next(iter(ports))}://host:{next(iter(ports.values()))}"
    parts = _parts(url)
    if parts is None:
        raise ValueError(f"is no address; {wanted}")
    if parts.scheme not in ports:
        raise ValueError(f"should begin with {schemes}; {wanted}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user name or password; name the environment variables that hold them instead")
    if not parts.hostname or parts.port == 0 or not (url.isascii() and url.isprintable()) or " " in url:
        raise ValueError(f"is no address in ASCII without spaces; {wanted}")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(parts.scheme, parts.hostname, parts.port or ports[parts.scheme], path)


def _parts(url: str) -> SplitResult | None:
    """None for what is no address: the library's errors show it, and are not to be chained to ours."""
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")  # as a look-up will
        parts.port  # noqa: B018 - read, it is checked
    except ValueError:
        return None
    return parts
