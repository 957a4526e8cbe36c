"""Results to an MQTT broker."""

from __future__ import annotations

import secrets
import select
import socket
import ssl
import string
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, Literal

from pipelines.actions._address import Address, address
from pipelines.actions._outbox import Outbox, delays, message
from pipelines.actions._secret import check_name, secret
from pipelines.config.schema import Config as Base
from pipelines.config.schema import InputPath, Positive, PositiveFloat, Text
from pipelines.core import Event, Result, Target
from pipelines.errors import CapabilityError, OutputError
from pipelines.optional import require

PORTS = {"mqtt": 1883, "mqtts": 8883}
FIELDS = ("pipeline", "label")
UNDER_WAY = 16
"""Sent and not yet confirmed, at most; paho itself queues from 20 on."""
SESSION_S = 300
"""For so long a broker of MQTT 5 remembers, after a lost connection, what of QoS 2 it has already."""
STEADY_S = 5.0
"""A connection that held for so long was a good one: the next try comes soon."""
FOR_GOOD = {128, 129, 130, 132, 133, 134, 135, 138, 140, 144, 149, 153, 154, 155}
"""Reason codes of MQTT 5 (section 2.4) that come again however often one asks: as a first answer they end the run."""
TAKEN_OVER = 142


class Mqtt:
    """Publishes each result as the JSON that ``jsonl`` writes, at a topic made of fixed fields.

    The run never waits for the network: results queue, and a thread of its own sends them in order. A broker that is
    away, also at the start, is told once and tried again; what does not fit into the queue meanwhile is dropped, oldest
    first, and counted. With qos 1 and 2 a result leaves the queue when the broker has confirmed it, so it arrives at
    least once. (2: exactly once, where a connection that broke is back at the first try; paho forgets at the second
    what it was about to release.) At the end what is left gets ``close_ms``.

    In a topic, whatever a label holds that MQTT reserves (``/ + # $``) becomes ``_``; the payload has it as it is.
    """

    class Config(Base, frozen=True, kw_only=True):
        """
        Args:
            url: mqtt://host:1883, or mqtts://host:8883 for TLS.
            topic: may hold {pipeline} (main, where only one runs) and {label}.
            qos: 0 at most once, 1 at least once, 2 exactly once, as far as above.
            retain: the broker keeps the last result of each topic, for who subscribes later.
            status: a topic that says online and, by the last will also after a crash, offline; retained.
            user_env, password_env: the environment variables that hold user name and password.
            ca: the authority that signed the broker's certificate, PEM; the system's where absent.
            certificate, key: the client's own, PEM, where the broker asks for one; the key without a password.
            insecure: send user name and password without TLS to another machine.
            client_id: a fixed one for brokers that want it; two at once throw each other out.
            version: of MQTT, 5 or 3 (3.1.1).
            keepalive_s: a broker that says nothing for twice this is gone.
            connect_ms: how long one attempt may take.
            queue: how many results wait at most.
            close_ms: how long the run's end, also Ctrl-C, waits for what is not delivered yet.
        """

        url: Text
        topic: Text = "eiq-demo/{pipeline}/{label}"
        qos: Literal[0, 1, 2] = 1
        retain: bool = False
        status: Text | None = None
        user_env: Text | None = None
        password_env: Text | None = None
        ca: InputPath | None = None
        certificate: InputPath | None = None
        key: InputPath | None = None
        insecure: bool = False
        client_id: Text | None = None
        version: Literal[3, 5] = 5
        keepalive_s: Positive = 30
        connect_ms: PositiveFloat = 5000.0
        queue: Positive = 1000
        close_ms: PositiveFloat = 800.0

        def __post_init__(self) -> None:
            _check(self)

    background: ClassVar[bool] = False  # it has its own queue and thread
    _named: ClassVar[set[tuple[Address, str]]] = set()  # the clients of this process that have a fixed name

    def __init__(self, config: Config, target: Target) -> None:
        self._config, self._address = config, address(config.url, PORTS)
        self._paho = require("paho.mqtt.client", purpose="the action mqtt", install="pip install 'eiq-demo[mqtt]'")
        self._tls = _tls(config) if self._address.scheme == "mqtts" else None
        self._outbox = Outbox("mqtt", config.queue, self._wake)
        self._thread: threading.Thread | None = None
        self._pipe: tuple[socket.socket, socket.socket] | None = None

    def watch(self, emit: Callable[[Event], None], *, live: bool) -> None:
        """Whom to tell what is lost."""
        self._outbox.watch(emit, live=live)

    def start(self) -> None:
        """Begin to connect. Raises CapabilityError where a secret is not in the environment, or a name is taken."""
        user = secret(self._config.user_env, "mqtt.user_env")
        password = secret(self._config.password_env, "mqtt.password_env")
        if self._config.client_id:
            name = (self._address, self._config.client_id)
            if name in self._named:
                raise CapabilityError(f"two mqtt actions have the client_id {name[1]!r} at {self._address}, and would "
                                      "throw each other out; give each its own, or leave it out")  # fmt: skip
            self._named.add(name)
        self._pipe = socket.socketpair()
        for end in self._pipe:
            end.setblocking(False)
        link = _Link(self._paho, self._config, self._address, self._tls, (user, password), self._outbox, self._pipe[0])
        self._thread = threading.Thread(target=link.serve, name="mqtt", daemon=True)
        self._thread.start()

    def handle(self, result: Result) -> None:
        """Queue one. Raises OutputError where the broker refuses for good, once."""
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
            self._named.discard((self._address, self._config.client_id or ""))
            thread.join(1.0)  # one that waits for a connection ends with its attempt
            pipe, self._pipe = self._pipe, None
            if pipe:
                pipe[1].close()  # the other end is the thread's

    def _wake(self) -> None:
        if self._pipe:
            with suppress(OSError):  # it has been woken already, or has ended
                self._pipe[1].send(b"x")


class _Refused(Exception):
    """The broker's answer, in words."""

    def __init__(self, code: int, words: str) -> None:
        self.code = code
        super().__init__(words)


class _Link:
    """The thread that owns the connection; everything of paho's happens on it."""

    def __init__(
        self,
        paho: Any,
        config: Mqtt.Config,
        to: Address,
        tls: ssl.SSLContext | None,
        login: tuple[str | None, str | None],
        outbox: Outbox,
        woken: socket.socket,
    ) -> None:
        self._paho, self._config, self._to, self._outbox, self._woken = paho, config, to, outbox, woken
        self._under_way: set[int] = set()  # by paho's message number
        self._early: int | None = None
        self._secured: ssl.SSLSocket | None = None
        self._online = self._was_online = False
        self._refused: _Refused | None = None
        self._tried = False
        self._client = self._built(tls, login)

    def _built(self, tls: ssl.SSLContext | None, login: tuple[str | None, str | None]) -> Any:
        paho, config = self._paho, self._config
        five = config.version == 5
        client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=config.client_id or f"eiq{secrets.token_hex(8)}",
            clean_session=None if five else True,
            protocol=paho.MQTTv5 if five else paho.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = config.connect_ms / 1000
        if login[0] is not None:
            client.username_pw_set(*login)
        if tls:
            client.tls_set_context(self._watched(tls))
        if config.status:
            client.will_set(config.status, "offline", qos=1, retain=True)
        client.on_connect, client.on_disconnect, client.on_publish = self._connected, self._lost, self._confirmed
        return client

    def _watched(self, tls: ssl.SSLContext) -> ssl.SSLContext:
        """The same; paho leaves a socket open whose handshake fails, so it is known here."""
        wrap = tls.wrap_socket

        def wrap_socket(*arguments: Any, **options: Any) -> ssl.SSLSocket:
            self._secured = wrap(*arguments, **options)
            return self._secured

        setattr(tls, "wrap_socket", wrap_socket)  # noqa: B010 - not a method of the class's
        return tls

    # ---- told by paho ----

    def _connected(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._refused = _Refused(reason.value, str(reason))
            return
        self._online = self._was_online = True
        if self._config.status:
            client.publish(self._config.status, "online", qos=1, retain=True)

    def _lost(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if flags.is_disconnect_packet_from_server:
            self._refused = _Refused(reason.value, str(reason))

    def _confirmed(self, client: Any, userdata: Any, mid: int, reason: Any, properties: Any) -> None:
        if mid not in self._under_way:  # the status, or qos 0, which is confirmed as soon as it is written
            self._early = mid
            return
        self._under_way.discard(mid)
        if reason.is_failure:
            self._outbox.drop(f"the broker says {reason}")
        else:
            self._outbox.delivered()

    # ---- the thread ----

    def serve(self) -> None:
        """Until the outbox is stopped, or fails for good."""
        waits = delays()
        try:
            while not self._outbox.stopped.is_set():
                arrived, since = self._outbox.arrived, time.monotonic()
                try:
                    self._connect()
                    self._outbox.back()
                    self._carry()
                except (OSError, ValueError, _Refused) as error:  # ValueError: paho on a host that it cannot look up
                    if self._outbox.arrived > arrived or (self._online and time.monotonic() - since > STEADY_S):
                        waits = delays()  # not where a broker greets and throws out, again and again
                    self._after(error)
                    if self._outbox.failed:
                        return
                    self._outbox.pause(next(waits))
        except Exception as error:  # noqa: BLE001 - raised again by the run's thread
            self._outbox.fail(error)
        finally:
            self._woken.close()

    def _connect(self) -> None:
        self._refused = None
        if self._tried:
            self._client.reconnect()
        else:
            self._tried = True
            self._client.connect_async(self._to.host, self._to.port, self._config.keepalive_s, **self._session())
            self._client.reconnect()
        until = time.monotonic() + self._config.connect_ms / 1000
        while not self._online:
            if self._outbox.stopped.is_set():
                raise TimeoutError("the run has ended")
            if time.monotonic() > until:
                raise TimeoutError(f"it did not greet within {self._config.connect_ms / 1000:g} s; is it a broker?")
            self._turn(0.1)

    def _session(self) -> dict[str, Any]:
        if self._config.version != 5:
            return {}
        properties = require("paho.mqtt.properties", purpose="the action mqtt", install="pip install 'eiq-demo[mqtt]'")
        session = properties.Properties(properties.PacketTypes.CONNECT)
        session.SessionExpiryInterval = SESSION_S
        return {"properties": session}

    def _carry(self) -> None:
        """Send what comes, until the end, or an OSError or _Refused."""
        while not self._outbox.stopped.is_set():
            self._publish()
            self._turn(1.0)
        self._say_goodbye()

    def _publish(self) -> None:
        while len(self._under_way) < UNDER_WAY and self._client.socket() and (new := self._outbox.take(wait=False)):
            topic = topic_of(self._config.topic, new.pipeline, new.label)
            sent = self._client.publish(topic, new.body, self._config.qos, self._config.retain)
            if sent.mid == self._early:
                self._outbox.delivered()
            else:
                self._under_way.add(sent.mid)

    def _turn(self, wait_s: float) -> None:
        """What there is to read and write, once."""
        line = self._client.socket()
        if line is None:
            self._broken(None)
        pending = isinstance(line, ssl.SSLSocket) and line.pending() > 0
        writes = [line] if self._client.want_write() else []
        readable, writable, _ = select.select([line, self._woken], writes, [], 0 if pending else wait_s)
        if self._woken in readable:
            with suppress(BlockingIOError):
                self._woken.recv(4096)
        if pending or line in readable:
            self._broken(self._client.loop_read())
        if writable:
            self._broken(self._client.loop_write())
        self._broken(self._client.loop_misc())
        if self._refused:
            raise self._refused

    def _broken(self, code: Any) -> None:
        if code == self._paho.MQTT_ERR_SUCCESS and self._client.socket() is not None:
            return
        if self._refused:
            raise self._refused
        if code == self._paho.MQTT_ERR_KEEPALIVE:
            raise TimeoutError("it answers no more")
        raise ConnectionError("the connection broke")

    def _say_goodbye(self) -> None:
        """The status says offline: a will is for those who go without a word."""
        with suppress(OSError, ValueError, _Refused):
            if self._config.status:
                told = self._client.publish(self._config.status, "offline", qos=1, retain=True)
                until = time.monotonic() + 0.5
                while not told.is_published() and time.monotonic() < until:
                    self._turn(0.1)
            self._client.disconnect()
            while self._client.want_write():
                self._broken(self._client.loop_write())

    def _after(self, error: Exception) -> None:
        """A connection that broke, or never was."""
        self._online = False
        if self._secured:
            self._secured.close()
        if self._config.qos == 0 and self._under_way:  # paho forgets those
            self._outbox.drop("the connection broke", len(self._under_way))
            self._under_way.clear()
        reason = f"the broker {self._to}: {_words(error)}"
        if self._for_good(error):
            self._outbox.fail(OutputError(f"mqtt: {reason}; {self._advice(error)}"))
        else:
            self._outbox.away(reason)

    def _for_good(self, error: Exception) -> bool:
        if isinstance(error, _Refused) and error.code == TAKEN_OVER:
            return True
        refused = isinstance(error, _Refused) and error.code in FOR_GOOD
        return not self._was_online and (refused or isinstance(error, ssl.SSLCertVerificationError))

    def _advice(self, error: Exception) -> str:
        if isinstance(error, ssl.SSLError):
            return "name the authority that signed its certificate with mqtt.ca"
        if isinstance(error, _Refused) and error.code == TAKEN_OVER:
            return "another client has the same name; give each its own mqtt.client_id"
        if isinstance(error, _Refused) and error.code in (132, 149):
            return "try mqtt.version: 3"
        return "check mqtt.user_env and mqtt.password_env, and what the broker allows"


def topic_of(template: str, pipeline: str, label: str) -> str:
    """``eiq-demo/{pipeline}/{label}`` with both filled in, each as one level."""
    return template.format(pipeline=_level(pipeline or "main"), label=_level(label))


def _level(text: str) -> str:
    return "".join("_" if c in "/+#$" or not c.isprintable() else c for c in text[:200]) or "_"


def _check(config: Mqtt.Config) -> None:
    try:
        to = address(config.url, PORTS)
    except ValueError as error:
        raise ValueError(f"url {error}") from None
    _check_topic(config.topic, "topic", FIELDS)
    if config.status is not None:
        _check_topic(config.status, "status", ())
    check_name(config.user_env, "user_env")
    check_name(config.password_env, "password_env")
    if config.password_env and not config.user_env:
        raise ValueError("got password_env without user_env; name both")
    if config.certificate is None and config.key is not None:
        raise ValueError("got key without certificate; name both")
    if to.scheme == "mqtt" and any((config.ca, config.certificate)):
        raise ValueError("got ca or certificate with mqtt://, expected mqtts://")
    if to.scheme == "mqtt" and config.user_env and not (to.loopback or config.insecure):
        raise ValueError("user name and password would go to another machine without TLS; take mqtts://, or say "
                         "insecure: true where nobody else is on the line")  # fmt: skip
    if config.keepalive_s > 65535:
        raise ValueError(f"got keepalive_s {config.keepalive_s}, expected at most 65535")


def _check_topic(template: str, key: str, fields: tuple[str, ...]) -> None:
    can = f"{key} can hold {' and '.join('{' + field + '}' for field in fields)}" if fields else f"{key} has no fields"
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{key} has a brace without its other one; {can}") from error
    for text, field, form, conversion in parts:
        if any(c in "+#" or not c.isprintable() for c in text):
            raise ValueError(f"{key} holds +, # or a control character, which are for subscribers alone; leave it out")
        if field is not None and (field not in fields or form or conversion):
            raise ValueError(f"got {{{field}}} in {key}; {can}")
    if template.startswith("$"):
        raise ValueError(f"{key} begins with $, which is the broker's own; begin it with another letter")
    if len(template.encode()) > 10_000:
        raise ValueError(f"{key} is longer than 10,000 bytes; shorten it")


def _tls(config: Mqtt.Config) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if config.ca is not None:
        context = _loaded("ca", lambda: ssl.create_default_context(cafile=config.ca))
    if config.certificate is not None:
        certificate, key = config.certificate, config.key
        # without the password's function, OpenSSL would ask for one at the terminal
        _loaded("certificate", lambda: context.load_cert_chain(certificate, key, password=lambda: ""))
    return context


def _loaded(key: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        raise CapabilityError(
            f"mqtt.{key} cannot be read ({reason}); expected PEM files, the key without a password"
        ) from error


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted ({error.verify_message})"
    if isinstance(error, _Refused):
        return f"it says {error}"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text if text.isprintable() else repr(text)
