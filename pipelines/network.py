"""Words about networks that more than one kind of part needs."""

from __future__ import annotations

from ipaddress import ip_address


def loopback(host: str) -> bool:
    """Whether it is this very machine, so that nobody else reads the line."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
