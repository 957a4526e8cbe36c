"""A line to a server: its TLS, and what is told where it fails."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import TypeVar

from pipelines.errors import CapabilityError

T = TypeVar("T")

NOT_YET_VALID, EXPIRED, WRONG_HOST, WRONG_ADDRESS = 9, 10, 62, 64
"""OpenSSL's X509_V_ERR_…: ``verify_code`` of a certificate that is not to be trusted."""


def tls(action: str, ca: str | None, certificate: str | None = None, key: str | None = None) -> ssl.SSLContext:
    """What a server's certificate is checked against, and our own.

    Args:
        action: whose keys ``ca`` and ``certificate`` are, for what is told.
        ca: PEM; the system's authorities where absent.
        certificate, key: PEM; the key in the certificate's file where absent.

    Raises:
        CapabilityError: a file cannot be read.
    """
    context = _loaded(f"{action}.ca", lambda: ssl.create_default_context(cafile=ca))
    if certificate is not None:
        # without the password's function, OpenSSL would ask for one at the terminal
        load = context.load_cert_chain
        _loaded(f"{action}.certificate", lambda: load(certificate, key, password=lambda: ""))
    return context


def _loaded(key: str, load: Callable[[], T]) -> T:
    try:
        return load()
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        raise CapabilityError(
            f"{key} cannot be read ({reason}); expected a PEM file, a key without a password"
        ) from error


def words(error: Exception) -> str:
    """Why a line failed, without our own secrets; of the server's text only what can be printed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted ({error.verify_message.rstrip('.')})"
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"TLS fails with it ({error.reason.lower().replace('_', ' ')})"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text if text.isprintable() else repr(text)


def distrusted(error: Exception) -> bool:
    """Whether it is a certificate that no waiting mends; of a board whose clock is not set yet, none is valid yet."""
    return isinstance(error, ssl.SSLCertVerificationError) and error.verify_code != NOT_YET_VALID


def advice(error: Exception, action: str) -> str:
    """What to do about a certificate that is distrusted."""
    code = getattr(error, "verify_code", None)
    if code == EXPIRED:
        return "renew it, or set this machine's clock"
    if code in (WRONG_HOST, WRONG_ADDRESS):
        return f"put the name that it is made for into {action}.url, or make one for this name"
    return f"name the authority that signed it with {action}.ca"
