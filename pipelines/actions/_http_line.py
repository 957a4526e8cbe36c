"""A kept connection to a web server, each answer of which has a deadline.

Over http.client, which urllib.request itself stands on: it keeps a connection open from request to request (a TLS
handshake costs a small board more than the rest) and follows no redirect by itself. No package is needed for that.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any

from pipelines.actions._address import Address
from pipelines.actions._proxy import Proxy

ANSWER_BYTES = 64 * 1024
"""Of an answer that is longer, the connection is closed instead of read."""


class HttpLine:
    """Not connected until it is asked.

    Args:
        to: the server.
        through: a proxy, or None.
        tls: what the server's certificate is checked against.
        connect_s: for each step until it is connected: an address, a proxy's tunnel, the handshake.
        answer_s: for a whole answer, from the request's first byte on.
    """

    def __init__(self, to: Address, through: Proxy | None, tls: ssl.SSLContext, connect_s: float, answer_s: float):
        self._to, self._through, self._tls = to, through, tls
        self._connect_s, self._answer_s = connect_s, answer_s
        self._line: HTTPConnection | None = None
        self._used = False
        self._until = 0.0

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> HTTPResponse:
        """The answer's status and headers; what comes behind them counts for nothing, and may be missing.

        A kept connection that the server has closed meanwhile is opened anew, once.

        Raises:
            OSError: no connection; TimeoutError: no answer within ``answer_s``.
            HTTPException: what came is no HTTP.
        """
        try:
            return self._ask(path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            if not self._used:
                raise
            self.hang_up()
            return self._ask(path, body, headers)

    def hang_up(self) -> None:
        """Close the connection; the next request opens one."""
        line, self._line, self._used = self._line, None, False
        if line:
            with suppress(OSError):
                line.close()

    def _ask(self, path: str, body: bytes, headers: Mapping[str, str]) -> HTTPResponse:
        line = self._line or self._dial()
        self._until = time.monotonic() + self._answer_s
        line.sock.settimeout(self._answer_s)
        if self._through and self._to.scheme == "http":  # a proxy without a tunnel wants the whole address
            path, headers = f"http://{self._to}{path}", {**headers, **self._through.headers}
        line.request("POST", path, body, headers)
        answer = line.getresponse()
        self._used = True
        try:
            answer.read(ANSWER_BYTES)
            keep = answer.isclosed() and not answer.will_close
        except (OSError, HTTPException):
            keep = False
        if not keep:
            answer.close()
            self.hang_up()
        return answer

    def _dial(self) -> HTTPConnection:
        self._used = False
        host, port = (self._through or self._to).host, (self._through or self._to).port
        if self._to.scheme == "https":
            line: HTTPConnection = HTTPSConnection(host, port, timeout=self._connect_s, context=self._tls)
            if self._through:
                line.set_tunnel(self._to.host, self._to.port, dict(self._through.headers))
        else:
            line = HTTPConnection(host, port, timeout=self._connect_s)
        line.response_class = self._response  # type: ignore[assignment] # a tunnel's answer is read with it too
        self._line = line
        self._until = time.monotonic() + self._connect_s
        line.connect()
        return line

    def _response(self, line: socket.socket, *arguments: Any, **options: Any) -> HTTPResponse:
        timed: Any = _Timed(line, self._until)
        return HTTPResponse(timed, *arguments, **options)


class _Timed:
    """A socket, as far as an answer needs one."""

    def __init__(self, line: socket.socket, until: float) -> None:
        self._line, self._until = line, until

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Until(self._line, self._until))


class _Until(io.RawIOBase):
    """What comes until a set time; a socket's own time-out would begin anew with each byte.

    Raises from readinto:
        TimeoutError: the time is over.
    """

    def __init__(self, line: socket.socket, until: float) -> None:
        self._line, self._raw, self._until = line, line.makefile("rb", buffering=0), until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._line.settimeout(left_s)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
