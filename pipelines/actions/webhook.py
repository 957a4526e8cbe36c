"""Results to a web server."""

from __future__ import annotations

import re

import msgspec

from pipelines.actions._address import Address, address
from pipelines.actions._delivery import Delivery
from pipelines.actions._http_line import HttpLine
from pipelines.actions._line import tls
from pipelines.actions._outbox import Outbox
from pipelines.actions._proxy import proxy
from pipelines.actions._secret import check_name, secret
from pipelines.actions._webhook_sender import PORTS, Sender
from pipelines.config.schema import Config as Base
from pipelines.config.schema import InputPath, Positive, PositiveFloat, Text
from pipelines.core import Target
from pipelines.errors import CapabilityError

OURS = {"host", "content-length", "content-type", "transfer-encoding", "connection", "idempotency-key", "authorization"}


class Webhook(Delivery):
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
            connect_ms: how long it may take to connect; a proxy's tunnel and the TLS handshake likewise.
            answer_ms: how long it may take until the whole answer is there.
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

    def __init__(self, config: Config, target: Target) -> None:
        super().__init__(Outbox("webhook", config.queue), config.close_ms)
        self._config, self._tls = config, tls("webhook", config.ca)

    def start(self) -> None:
        """Begin. Raises CapabilityError where a secret is not in the environment, or no address."""
        config, to = self._config, self._to()
        token = secret(config.token_env, "webhook.token_env", ascii_only=True)
        headers = {"Content-Type": "application/json", **config.headers}
        if not any(name.lower() == "user-agent" for name in headers):
            headers["User-Agent"] = "eiq-demo"
        if token:
            bearer = config.token_header.lower() == "authorization"
            headers[config.token_header] = f"Bearer {token}" if bearer else token
        line = HttpLine(to, proxy(to), self._tls, config.connect_ms / 1000, config.answer_ms / 1000)
        self._begin(Sender(line, to, headers, config.tries, self._outbox).serve)

    def _to(self) -> Address:
        if self._config.url is not None:
            return _checked(self._config.url, self._config.insecure)
        try:
            return _checked(secret(self._config.url_env, "webhook.url_env") or "", self._config.insecure)
        except ValueError as error:
            raise CapabilityError(f"the address in the variable of webhook.url_env {error}") from None


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
    names = [name.lower() for name in (*config.headers, config.token_header)]
    if twice := next((name for name in config.headers if names.count(name.lower()) > 1), None):
        raise ValueError(
            f"got the header {twice} twice, as upper and lower case are the same to servers; leave one out"
        )
