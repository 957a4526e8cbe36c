"""Results to a web server.

Over http.client, which urllib.request itself stands on: it keeps a connection open from result to result (a TLS
handshake costs a small board more than the rest), has a time-out for connecting and another for the answer, and follows
no redirect by itself. No package is needed for that.
"""

from __future__ import annotations

import http.client
import re
import ssl
import threading
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, responses
from typing import Any, ClassVar
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import msgspec

from pipelines.actions._address import Address, address
from pipelines.actions._outbox import Message, Outbox, delays, message
from pipelines.actions._secret import check_name, secret
from pipelines.config.schema import Config as Base
from pipelines.config.schema import InputPath, Positive, PositiveFloat, Text
from pipelines.core import Event, Result, Target
from pipelines.errors import CapabilityError, OutputError

PORTS = {"https": 443, "http": 80}
LATER = {408, 425, 429}
"""Answers below 500 that ask to come again."""
HOPS = 5
RETRY_AFTER_S = 3600.0
"""A server that asks for more patience than this gets this."""
ANSWER_BYTES = 64 * 1024
"""Of an answer that is longer, the connection is closed instead of read."""
OURS = {"host", "content-length", "content-type", "transfer-encoding", "connection", "idempotency-key", "authorization"}


class Webhook:
    """POSTs each result as the JSON that ``jsonl`` writes, in order, one at a time.

    The run never waits for the network: results queue, and a thread of its own sends them. A server that is away, or
    answers 5xx, 408, 425 or 429 (whose Retry-After counts), is told once and tried again with growing, jittered pauses;
    what does not fit into the queue meanwhile is dropped, oldest first, and counted. A result that is answered with 5xx
    ``tries`` times, or with another 4xx, is dropped and counted; a 4xx to the first one ends the run: the config is
    wrong. At the end what is left gets ``close_ms``. A result whose answer was lost is sent again, with the same
    ``Idempotency-Key``.

    Only 307 and 308 are followed, and only on the same server. ``https_proxy``, ``http_proxy`` and ``no_proxy`` count.
    """

    class Config(Base, frozen=True, kw_only=True):
        """
        Args:
            url: https://host/path; http:// to this very machine.
            url_env: in its place, the environment variable that holds it, where the address is the secret.
            token_env: the environment variable that holds a token.
            token_header: which header carries it; Authorization as ``Bearer TOKEN``, another one as it is.
            headers: further ones, none of them secret.
            ca: the authority that signed the server's certificate, PEM; the system's where absent.
            insecure: http:// to another machine, where everybody on the line reads and changes what is sent.
            connect_ms, answer_ms: how long it may take to connect, and to answer.
            tries: how often a result is sent that the server answers with 5xx.
            queue: how many results wait at most.
            close_ms: how long the run's end, also Ctrl-C, waits for what is not delivered yet.
        """

        url: Text | None = None
        url_env: Text | None = None
        token_env: Text | None = None
        token_header: Text = "Authorization"
        headers: dict[str, str] = msgspec.field(default_factory=dict)
        ca: InputPath | None = None
        insecure: bool = False
        connect_ms: PositiveFloat = 5000.0
        answer_ms: PositiveFloat = 10_000.0
        tries: Positive = 8
        queue: Positive = 1000
        close_ms: PositiveFloat = 800.0

        def __post_init__(self) -> None:
            _check(self)

    background: ClassVar[bool] = False  # it has its own queue and thread

    def __init__(self, config: Config, target: Target) -> None:
        self._config, self._tls = config, _tls(config.ca)
        self._outbox = Outbox("webhook", config.queue)
        self._thread: threading.Thread | None = None

    def watch(self, emit: Callable[[Event], None], *, live: bool) -> None:
        """Whom to tell what is lost."""
        self._outbox.watch(emit, live=live)

    def start(self) -> None:
        """Begin. Raises CapabilityError where a secret is not in the environment, or no address."""
        config = self._config
        token = secret(config.token_env, "webhook.token_env", ascii_only=True)
        headers = {"User-Agent": "eiq-demo", "Content-Type": "application/json"} | config.headers
        if token:
            bearer = config.token_header.lower() == "authorization"
            headers[config.token_header] = f"Bearer {token}" if bearer else token
        sender = _Sender(config, self._to(), headers, self._tls, self._outbox)
        self._thread = threading.Thread(target=sender.serve, name="webhook", daemon=True)
        self._thread.start()

    def handle(self, result: Result) -> None:
        """Queue one. Raises OutputError where the server refuses for good, once."""
        if self._thread is None:
            self.start()
        self._outbox.put(message(result))

    def close(self) -> None:
        """Deliver the rest. Raises OutputError where some is left. May be called twice."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            self._outbox.drain(self._config.close_ms / 1000)
        finally:
            thread.join(0.2)  # one that waits for an answer ends with it, and nobody waits for that

    def _to(self) -> Address:
        if self._config.url is not None:
            return _checked(self._config.url, self._config.insecure)
        try:
            return _checked(secret(self._config.url_env, "webhook.url_env") or "", self._config.insecure)
        except ValueError as error:
            raise CapabilityError(f"the address in the variable of webhook.url_env {error}") from None


class _Refused(Exception):
    """An answer that will not change."""


class _Later(Exception):
    """An answer that may change; ``after_s``: what the server asks for, ``counts``: whether it is one of the tries."""

    def __init__(self, words: str, after_s: float | None, *, counts: bool) -> None:
        self.after_s, self.counts = after_s, counts
        super().__init__(words)


class _Sender:
    """The thread that sends."""

    def __init__(
        self, config: Webhook.Config, to: Address, headers: Mapping[str, str], tls: ssl.SSLContext, outbox: Outbox
    ) -> None:
        self._config, self._to, self._headers, self._tls, self._outbox = config, to, headers, tls, outbox
        self._line: HTTPConnection | None = None
        self._used = False
        self._run = uuid.uuid4().hex
        self._number = 0

    def serve(self) -> None:
        """Until the outbox is stopped, or fails for good."""
        try:
            while not self._outbox.failed and (new := self._outbox.take(wait=True)):
                self._number += 1
                self._deliver(new, f"{self._run}-{self._number}")
        except Exception as error:  # noqa: BLE001 - raised again by the run's thread
            self._outbox.fail(error)
        finally:
            self._hang_up()

    def _deliver(self, new: Message, key: str) -> None:
        """One result, as often as it takes."""
        waits, tries = delays(), 0
        while not self._outbox.stopped.is_set():
            asked: float | None = None
            try:
                self._post(new.body, key)
            except _Refused as error:
                self._refuse(error)
                return
            except _Later as error:
                tries, asked = tries + error.counts, error.after_s
                if tries >= self._config.tries:
                    self._outbox.drop(f"{error}, {tries} times")
                    return
                self._outbox.away(f"the server {self._to} {error}")
            except ssl.SSLCertVerificationError as error:
                self._hang_up()
                if not self._outbox.arrived:
                    self._outbox.fail(OutputError(f"webhook: the server {self._to}: {_words(error)}; name the "
                                                  "authority that signed it with webhook.ca"))  # fmt: skip
                    return
                self._outbox.away(f"the server {self._to}: {_words(error)}")
            except (OSError, HTTPException) as error:
                self._hang_up()
                self._outbox.away(f"the server {self._to}: {_words(error)}")
            else:
                self._outbox.delivered()
                self._outbox.back()
                return
            if asked is None:
                self._outbox.pause(next(waits))
            else:  # it asked for this much patience, also at the run's end
                self._outbox.stopped.wait(asked)

    def _refuse(self, error: _Refused) -> None:
        if self._outbox.arrived:
            self._outbox.drop(str(error))
            self._outbox.back()
            return
        self._outbox.fail(OutputError(f"webhook: the server {self._to} {error} to the first result; "
                                      "check its address, and what token_env holds"))  # fmt: skip

    def _post(self, body: bytes, key: str) -> None:
        """Raises _Refused, _Later, OSError or HTTPException."""
        path = self._to.path
        for _ in range(HOPS + 1):
            answer = self._exchange(path, body, key)
            status = answer.status
            if status in (307, 308):
                path = self._hop(path, answer.headers.get("Location", ""))
                continue
            if 200 <= status < 300:
                return
            words = f"answers {status} {responses.get(status, '')}".strip()  # our words: its own may be anything
            if status >= 500 or status in LATER:
                raise _Later(words, _retry_after(answer.headers.get("Retry-After")), counts=status >= 500)
            raise _Refused(f"{words}, a redirect that would lose the result" if 300 <= status < 400 else words)
        raise _Refused(f"redirects more than {HOPS} times")

    def _hop(self, path: str, location: str) -> str:
        """Where a redirect leads on the same server."""
        base = f"{self._to.scheme}://{self._to}{path}"
        try:
            to = address(urljoin(base, location), PORTS)
        except ValueError:
            raise _Refused("redirects to what is no address") from None
        if not location or to.origin != self._to.origin:
            raise _Refused(f"redirects to another server ({to.scheme}://{to}), which is not followed")
        return to.path

    def _exchange(self, path: str, body: bytes, key: str) -> HTTPResponse:
        """One request and its answer. A kept connection that the server has closed meanwhile is opened anew, once."""
        try:
            return self._ask(path, body, key)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            if not self._used:
                raise
            self._hang_up()
            return self._ask(path, body, key)

    def _ask(self, path: str, body: bytes, key: str) -> HTTPResponse:
        line = self._line or self._dial()
        line.request("POST", self._target(path), body, {**self._headers, "Idempotency-Key": key})
        answer = line.getresponse()
        answer.read(ANSWER_BYTES)
        self._used = True
        if not answer.isclosed() or answer.will_close:
            self._hang_up()
        return answer

    def _dial(self) -> HTTPConnection:
        self._used = False
        proxy = _proxy(self._to)
        host, port = (proxy.host, proxy.port) if proxy else (self._to.host, self._to.port)
        connect_s = self._config.connect_ms / 1000
        if self._to.scheme == "https":
            line: HTTPConnection = HTTPSConnection(host, port, timeout=connect_s, context=self._tls)
            if proxy:
                line.set_tunnel(self._to.host, self._to.port, proxy.headers)
        else:
            line = HTTPConnection(host, port, timeout=connect_s)
        self._line = line
        line.connect()
        line.sock.settimeout(self._config.answer_ms / 1000)
        return line

    def _target(self, path: str) -> str:
        """What the request asks for: of a proxy without a tunnel, the whole address."""
        through = self._to.scheme == "http" and _proxy(self._to)
        return f"http://{self._to}{path}" if through else path

    def _hang_up(self) -> None:
        line, self._line, self._used = self._line, None, False
        if line:
            with suppress(OSError):
                line.close()


class _Proxy:
    """A proxy of the environment's; it may hold a password, and is never told."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        self.host, self.port = parts.hostname or "", parts.port or 80
        self.headers: dict[str, str] = {}
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self.headers["Proxy-Authorization"] = f"Basic {b64encode(login.encode()).decode()}"


def _proxy(to: Address) -> _Proxy | None:
    if to.loopback or proxy_bypass(to.host):
        return None
    url = getproxies().get(to.scheme)
    return _Proxy(url) if url else None


def _retry_after(said: str | None) -> float | None:
    """RFC 9110, 10.2.3: seconds or a date; None where neither is told."""
    if said is None:
        return None
    if re.fullmatch(r"\d{1,9}", said.strip()):
        return min(float(said), RETRY_AFTER_S)
    try:
        wait_s = parsedate_to_datetime(said).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait_s, 0.0), RETRY_AFTER_S)


def _checked(url: str, insecure: bool) -> Address:
    """Raises ValueError, without showing the address."""
    to = address(url, PORTS)
    if to.scheme == "http" and not (to.loopback or insecure):
        raise ValueError("leads to another machine without TLS; take https://, or say insecure: true where "
                         "everybody on the line may read and change what is sent")  # fmt: skip
    return to


def _check(config: Webhook.Config) -> None:
    if (config.url is None) == (config.url_env is None):
        raise ValueError("expected one of url and url_env")
    check_name(config.url_env, "url_env")
    check_name(config.token_env, "token_env")
    if config.url is not None:
        try:
            _checked(config.url, config.insecure)
        except ValueError as error:
            raise ValueError(f"url {error}") from None
    for name, value in {**config.headers, config.token_header: ""}.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise ValueError(f"got {name!r} as the name of a header, expected letters, digits and hyphens")
        if not (value.isascii() and (value.isprintable() or not value)):
            raise ValueError(f"the header {name} should hold printable ASCII")
    for name in (*config.headers, *([config.token_header] if config.token_header.lower() != "authorization" else [])):
        if name.lower() in OURS:
            what = "a secret comes from token_env" if name.lower() == "authorization" else "it is set here"
            raise ValueError(f"got the header {name}, but {what}; leave it out")


def _tls(ca: InputPath | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror
        raise CapabilityError(f"webhook.ca cannot be read ({reason}); expected a PEM file") from error


def _words(error: Any) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, HTTPException) and not isinstance(error, OSError):  # its text may be the server's
        return f"it answers what is no HTTP ({type(error).__name__})"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text if text.isprintable() else repr(text)
