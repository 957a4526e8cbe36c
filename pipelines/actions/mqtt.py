"""Results to an MQTT broker."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import ClassVar, Literal

from pipelines.actions._address import Address, address
from pipelines.actions._delivery import Delivery
from pipelines.actions._line import tls
from pipelines.actions._mqtt_link import MqttLink
from pipelines.actions._mqtt_topic import FIELDS, check_topic
from pipelines.actions._outbox import Outbox
from pipelines.actions._secret import check_name, secret
from pipelines.config.schema import Config as Base
from pipelines.config.schema import InputPath, Positive, PositiveFloat, Text
from pipelines.core import Target
from pipelines.errors import CapabilityError
from pipelines.optional import require

PORTS = {"mqtt": 1883, "mqtts": 8883}


class Mqtt(Delivery):
    """Publishes each result as the JSON that ``jsonl`` writes, at a topic made of fixed fields.

    The run never waits for the network: results queue, and a thread of its own sends them in order. A broker that is
    away, also at the start, is told once and tried again; what does not fit into the queue meanwhile is dropped, oldest
    first, and counted. With qos 1 and 2 a result leaves the queue when the broker has confirmed it, so it arrives at
    least once; with 2 and MQTT 5 exactly once, as long as the broker remembers the connection that broke: it is asked
    to for five minutes, and says so when it does not (it was started anew). Then what was under way, 16 results at
    most, is sent once more. The queue is in memory. At the end what is left gets ``close_ms``.

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

    _named: ClassVar[set[tuple[Address, str]]] = set()  # the clients of this process that have a fixed name

    def __init__(self, config: Config, target: Target) -> None:
        super().__init__(Outbox("mqtt", config.queue, self._wake), config.close_ms)
        self._config, self._address = config, address(config.url, PORTS)
        self._paho = require("paho.mqtt.client", purpose="the action mqtt", install="pip install 'eiq-demo[mqtt]'")
        secure = self._address.scheme == "mqtts"
        self._tls = tls("mqtt", config.ca, config.certificate, config.key) if secure else None
        self._pipe: tuple[socket.socket, socket.socket] | None = None

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
        link = MqttLink(self._paho, self._config, self._address, self._tls, (user, password), self._outbox,
                        self._pipe[0])  # fmt: skip
        self._begin(link.serve)

    def close(self) -> None:
        """Deliver the rest. Raises OutputError where some is left. May be called twice."""
        try:
            super().close()
        finally:
            pipe, self._pipe = self._pipe, None
            if pipe:
                self._named.discard((self._address, self._config.client_id or ""))
                pipe[1].close()  # the other end is the thread's

    def _wake(self) -> None:
        if self._pipe:
            with suppress(OSError):  # it has been woken already, or has ended
                self._pipe[1].send(b"x")


def _check(config: Mqtt.Config) -> None:
    try:
        to = address(config.url, PORTS)
    except ValueError as error:
        raise ValueError(f"url {error}") from None
    check_topic(config.topic, "topic", FIELDS)
    if config.status is not None:
        check_topic(config.status, "status", ())
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
