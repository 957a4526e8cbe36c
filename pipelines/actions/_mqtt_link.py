"""The thread that keeps the action mqtt's connection."""

from __future__ import annotations

import secrets
import select
import socket
import ssl
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pipelines.actions._address import Address
from pipelines.actions._line import advice, distrusted, words
from pipelines.actions._mqtt_topic import topic_of
from pipelines.actions._outbox import Outbox, delays
from pipelines.errors import OutputError
from pipelines.optional import require

if TYPE_CHECKING:
    from pipelines.actions.mqtt import Mqtt

UNDER_WAY = 16
"""Sent and not yet confirmed, at most; paho itself queues from 20 on."""
SESSION_S = 300
"""For so long a broker of MQTT 5 remembers, after a lost connection, what of QoS 2 it has already."""
STEADY_S = 5.0
"""A connection that held for so long was a good one: the next try comes soon."""
GOODBYE_S = 0.5
"""For so long the last words are tried."""
FOR_GOOD = {128, 129, 130, 132, 133, 134, 135, 138, 140, 144, 149, 153, 154, 155}
"""Reason codes of MQTT 5 (section 2.4) that come again however often one asks: as a first answer they end the run."""
WRONG_VERSION = {132, 149}
TAKEN_OVER = 142
NOT_FOUND = 146
"""An answer to a release: the broker has released it before, and its word of that was lost."""


class _Refused(Exception):
    """The broker's answer, in words."""

    def __init__(self, code: int, words: str) -> None:
        self.code = code
        super().__init__(words)


class MqttLink:
    """The thread's work; everything of paho's happens on it.

    Args:
        paho: the module paho.mqtt.client.
        to: the broker.
        tls: what its certificate is checked against; None for a line without TLS.
        login: user name and password.
        woken: readable when the outbox has something new.
    """

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
        self._held: list[Any] = []
        self._stale = False
        self._early: int | None = None
        self._status: Any = None
        self._secured: ssl.SSLSocket | None = None
        self._online = self._was_online = False
        self._refused: _Refused | None = None
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
        client.on_pre_connect, client.on_connect = self._connecting, self._connected
        client.on_disconnect, client.on_publish = self._lost, self._confirmed
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

    def _connecting(self, client: Any, userdata: Any) -> None:
        """Behind paho's preparation, which at a second try in a row forgets what the broker holds already."""
        self._set(self._held, self._paho.MessageState.MQTT_MS_RESEND_PUBREL)

    def _connected(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._refused = _Refused(reason.value, str(reason))
            return
        if flags.session_present and not self._was_online:
            self._stale = True
            return
        self._online = self._was_online = True
        if not flags.session_present:  # it holds nothing any more: what is not confirmed is sent anew
            self._set(self._held, self._paho.MessageState.MQTT_MS_PUBLISH)
        if self._config.status and (self._status is None or self._status.is_published()):
            self._status = client.publish(self._config.status, "online", qos=1, retain=True)

    def _lost(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if flags.is_disconnect_packet_from_server:
            self._refused = _Refused(reason.value, str(reason))

    def _confirmed(self, client: Any, userdata: Any, mid: int, reason: Any, properties: Any) -> None:
        if mid not in self._under_way:  # the status, or qos 0, which is confirmed as soon as it is written
            self._early = mid
            return
        self._under_way.discard(mid)
        if reason.is_failure and reason.value != NOT_FOUND:
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
            if link := self._client.socket():  # paho closes it with the next connection, or when it is collected
                link.close()

    def _connect(self) -> None:
        self._refused, self._stale = None, False
        self._held = self._held_by_broker()
        self._dial()
        until = time.monotonic() + self._config.connect_ms / 1000
        while not self._online:
            if self._outbox.stopped.is_set():
                raise TimeoutError("the run has ended")
            if time.monotonic() > until:
                raise TimeoutError(f"it did not greet within {self._config.connect_ms / 1000:g} s; is it a broker?")
            self._turn(0.1)
            if self._stale:  # an earlier run's: what it left there would be taken for ours
                self._stale = False
                self._hang_up()
                self._dial()

    def _dial(self) -> None:
        self._client.connect_async(self._to.host, self._to.port, self._config.keepalive_s, **self._session())
        self._client.reconnect()

    def _hang_up(self) -> None:
        """With a word, so that no will is told, and the broker forgets the session."""
        self._client.disconnect(properties=self._expiry("DISCONNECT", 0) if self._config.version == 5 else None)
        until = time.monotonic() + GOODBYE_S
        while self._client.want_write() and time.monotonic() < until:  # a broker may have stopped reading
            select.select([], [self._client.socket()], [], 0.1)
            self._broken(self._client.loop_write())

    def _session(self) -> dict[str, Any]:
        """One for all connections. Not begun with a clean start: mosquitto 2.0 keeps no such one when it is stopped."""
        if self._config.version != 5:
            return {}
        return {"properties": self._expiry("CONNECT", SESSION_S), "clean_start": False}

    def _expiry(self, packet: str, seconds: int) -> Any:
        properties = require("paho.mqtt.properties", purpose="the action mqtt", install="pip install 'eiq-demo[mqtt]'")
        session = properties.Properties(getattr(properties.PacketTypes, packet))
        session.SessionExpiryInterval = seconds
        return session

    def _held_by_broker(self) -> list[Any]:
        """Messages of QoS 2 that the broker has confirmed to have (PUBREC) and hands on when they are released.

        paho 2.2 has no public way to them. Sent once more in place of the release, one that the broker had released
        already would arrive twice.
        """
        states = self._paho.MessageState
        held = states.MQTT_MS_WAIT_FOR_PUBCOMP, states.MQTT_MS_RESEND_PUBREL
        return [sent for sent in self._client._out_messages.values() if sent.state in held]

    def _set(self, messages: list[Any], state: Any) -> None:
        for sent in messages:
            sent.state = state

    def _carry(self) -> None:
        """Send what comes, until the end, or an OSError or _Refused."""
        while not self._outbox.stopped.is_set():
            self._publish()
            self._turn(1.0)
        self._say_goodbye()

    def _publish(self) -> None:
        while len(self._under_way) < UNDER_WAY and self._client.socket() and (new := self._outbox.take(wait=False)):
            topic = topic_of(self._config.topic, new.pipeline, new.label)
            self._early = None  # numbers come again after 65,535
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
                until = time.monotonic() + GOODBYE_S
                while not told.is_published() and time.monotonic() < until:
                    self._turn(0.1)
            self._hang_up()

    def _after(self, error: Exception) -> None:
        """A connection that broke, or never was."""
        self._online = False
        if self._secured:
            self._secured.close()
        if self._config.qos == 0 and self._under_way:  # paho forgets those
            self._outbox.drop("the connection broke", len(self._under_way))
            self._under_way.clear()
        said = f"it says {error}" if isinstance(error, _Refused) else words(error)
        reason = f"the broker {self._to}: {said}"
        if self._for_good(error):
            self._outbox.fail(OutputError(f"mqtt: {reason}; {self._advice(error)}"))
        else:
            self._outbox.away(reason)

    def _for_good(self, error: Exception) -> bool:
        if isinstance(error, _Refused) and error.code == TAKEN_OVER:
            return True
        refused = isinstance(error, _Refused) and error.code in FOR_GOOD
        return not self._was_online and (refused or distrusted(error))

    def _advice(self, error: Exception) -> str:
        if isinstance(error, ssl.SSLError):
            return advice(error, "mqtt")
        if isinstance(error, _Refused) and error.code == TAKEN_OVER:
            return "another client has the same name; give each its own mqtt.client_id"
        if isinstance(error, _Refused) and error.code in WRONG_VERSION:
            return "try mqtt.version: 3"
        return "check mqtt.user_env and mqtt.password_env, and what the broker allows"
