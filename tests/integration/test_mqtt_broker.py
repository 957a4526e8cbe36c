"""The action mqtt with a real broker (mosquitto) and another client (mosquitto_sub)."""

from __future__ import annotations

import itertools
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deliveries import Broker, Line, broker, certificates, free_port, needs_mosquitto, shown, subscriber, until
from pipelines.actions._mqtt_link import UNDER_WAY
from pipelines.actions.mqtt import Mqtt
from pipelines.config.schema import InputPath
from pipelines.core import Dropped, Event, LinkBack, LinkLost, Result
from pipelines.errors import CapabilityError, OutputError

PASSWORD = "correct-horse-battery"


class Sending:
    """An action, with what it tells."""

    def __init__(self, port: int, host: str = "127.0.0.1", scheme: str = "mqtt", live: bool = True, **config: Any):
        self.events: list[Event] = []
        config.setdefault("topic", "eiq-demo/{label}")
        config.setdefault("close_ms", 10_000)
        self.action = Mqtt(Mqtt.Config(url=f"{scheme}://{host}:{port}", **config), None)  # type: ignore[arg-type]
        self.action.watch(self.events.append, live=live)
        self.action.start()

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def send(self, *times: float) -> None:
        for t in times:
            self.action.handle(Result(float(t), "yes", 0.5))


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Broker]:
    with broker(tmp_path / "broker") as running:
        yield running


@pytest.mark.parametrize(("version", "qos"), list(itertools.product((3, 5), (0, 1, 2))))
def test_every_result_arrives_once_and_in_order(one: Broker, version: Any, qos: Any) -> None:
    with subscriber(one, "eiq-demo/#") as heard:
        sending = Sending(one.port, version=version, qos=qos)
        sending.send(*range(100))
        sending.action.close()
        until(lambda: len(heard.lines) >= 100)
    assert heard.times() == list(range(100))
    assert sending.events == []


def test_topic_and_payload(one: Broker) -> None:
    with subscriber(one, "#") as heard:
        sending = Sending(one.port, topic="shop/{pipeline}/{label}")
        sending.action.handle(Result(1.5, "größer/+#", 0.25, 3.5, (1, 2, 3, 4), None, "left", "mm"))
        sending.action.handle(Result(2.5, "", 0.25))
        sending.action.close()
        until(lambda: len(heard.lines) == 2)
    assert heard.lines[0][0] == "shop/left/größer___"
    assert json.loads(heard.lines[0][1]) == {
        "t": 1.5, "label": "größer/+#", "score": 0.25, "value": 3.5, "unit": "mm", "region": [1, 2, 3, 4],
        "pipeline": "left",
    }  # fmt: skip
    assert heard.lines[1][0] == "shop/main/_"


def test_retained_state_is_what_a_later_client_gets(one: Broker) -> None:
    sending = Sending(one.port, retain=True, status="eiq-demo/status")
    for label, t in (("yes", 1), ("no", 2), ("yes", 3)):
        sending.action.handle(Result(t, label, 0.5))
    sending.action.close()
    with subscriber(one, "eiq-demo/#") as later:
        until(lambda: len(later.lines) == 3)
    assert {topic: payload if "status" in topic else json.loads(payload)["t"] for topic, payload in later.lines} == {
        "eiq-demo/yes": 3, "eiq-demo/no": 2, "eiq-demo/status": "offline",
    }  # fmt: skip
    assert later.retained == [True] * 3


@pytest.mark.parametrize("version", [3, 5])
def test_the_last_will_tells_of_one_that_went_without_a_word(one: Broker, version: Any) -> None:
    line = Line(one.port)
    with subscriber(one, "eiq-demo/status") as heard:
        sending = Sending(line.port, status="eiq-demo/status", version=version)
        until(lambda: heard.lines)
        line.close()
        until(lambda: len(heard.lines) == 2)
    assert [payload for _, payload in heard.lines] == ["online", "offline"]
    sending.action.close()  # nothing is left


def test_a_broker_that_is_killed_and_comes_back_gets_every_result(one: Broker) -> None:
    sending = Sending(one.port)
    sending.send(*range(50))
    with subscriber(one, "eiq-demo/#") as before:
        sending.send(*range(50, 100))
        until(lambda: 99 in before.times())
        one.kill()
        sending.send(*range(100, 200))
        until(lambda: sending.of(LinkLost))
    one.start()
    with subscriber(one, "eiq-demo/#") as after:
        sending.send(*range(200, 300))
        sending.action.close()
        until(lambda: 299 in after.times() or len(after.times()) >= 200)
    both = set(before.times()) | set(after.times())
    # 100 to 199 may have gone out between the broker's return and the new subscriber's
    assert set(range(50, 100)) | set(range(200, 300)) <= both
    assert len(sending.of(LinkLost)) == len(sending.of(LinkBack)) == 1
    assert not sending.of(Dropped)


@pytest.mark.parametrize(("version", "qos"), [
    (3, 1), pytest.param(5, 1, marks=pytest.mark.slow), pytest.param(5, 2, marks=pytest.mark.slow),
])  # fmt: skip
def test_no_result_is_lost_when_the_line_breaks_again_and_again(one: Broker, version: Any, qos: Any) -> None:
    """The line is cut in the middle of packets, fourteen times; the broker and the subscriber see all."""
    line = Line(one.port)
    line.cut_after = [300, 900, 40, 1500, 3, 700, 333, 2000, 512, 60, 999, 1234, 5, 800]
    with subscriber(one, "eiq-demo/#") as heard:
        sending = Sending(line.port, version=version, qos=qos, close_ms=30_000, queue=500)
        sending.send(*range(300))
        sending.action.close()
        until(lambda: set(heard.times()) == set(range(300)))
    line.close()
    assert not line.cut_after
    assert not sending.of(Dropped)
    assert len(sending.of(LinkLost)) >= 1
    assert qos == 1 or len(heard.times()) == 300


@pytest.mark.parametrize("in_vain", [0, *(pytest.param(many, marks=pytest.mark.slow) for many in (1, 3))])
def test_qos_2_is_exactly_once_over_broken_connections(one: Broker, in_vain: int) -> None:
    """However many tries it takes until one is back: paho alone doubles what was about to be released at the second."""
    line = Line(one.port, shut_after_cut=in_vain)
    line.cut_after = [900, 1500, 700, 2000, 777, 999, 1234]
    with subscriber(one, "eiq-demo/#") as heard:
        sending = Sending(line.port, qos=2, close_ms=30_000)
        sending.send(*range(300))
        sending.action.close()
        until(lambda: len(heard.times()) >= 300)
    line.close()
    assert not line.cut_after
    assert line.turned_away == 7 * in_vain
    assert sorted(heard.times()) == list(range(300))
    assert not sending.of(Dropped)


def test_what_an_earlier_run_of_the_same_name_left_at_the_broker_is_not_taken_for_ours(one: Broker) -> None:
    """The broker remembers its connection, and would take new results for old ones of the same number."""
    line = Line(one.port)
    first = Sending(line.port, qos=2, client_id="same", close_ms=300)
    until(lambda: "CONNACK to same (0, 0)" in one.log())
    line.shut = True
    line.close()  # without a word
    first.send(*range(20))
    with pytest.raises(OutputError, match="20 results were not delivered"):
        first.action.close()
    with subscriber(one, "eiq-demo/#") as heard:
        second = Sending(one.port, qos=2, client_id="same")
        second.send(*range(20, 40))
        second.action.close()
        until(lambda: len(heard.times()) >= 20)
    assert sorted(heard.times()) == list(range(20, 40))
    assert not second.events
    assert re.findall(r"CONNACK to same \((\d), 0\)", one.log()) == ["0", "1", "0"]


KEEPS = ("allow_anonymous true", "persistence true", "max_queued_messages 10000", "max_inflight_messages 1000")


def published_over(one: Broker, end: Callable[[], None], qos: int, *options: str) -> list[float]:
    """What another client gets of 300 results while ``end`` ends the broker twice in the middle."""
    line = Line(one.port)
    with subscriber(one, "eiq-demo/#", *options) as heard:
        sending = Sending(line.port, qos=qos, close_ms=30_000)
        for n, t in enumerate(range(300)):
            sending.send(t)
            if n in (60, 180):
                until(lambda sent=n: len(heard.lines) > sent / 2)
                ended(one, end, line)
        sending.action.close()
        until(lambda: len(set(heard.times())) == 300)
    line.close()
    assert not sending.of(Dropped)
    assert len(sending.of(LinkBack)) == 2
    return heard.times()


def ended(one: Broker, end: Callable[[], None], line: Line) -> None:
    """It ends, and begins again; the action finds it once the other client is back, which hears nothing meanwhile."""
    line.shut = True
    before = one.log().count("Sending SUBACK")
    end()
    one.start()
    until(lambda: one.log().count("Sending SUBACK") > before)
    line.shut = False


@pytest.mark.slow
def test_a_broker_that_is_started_anew_with_what_it_kept_gets_every_result_once(tmp_path: Path) -> None:
    with broker(tmp_path / "b", *KEEPS, f"persistence_location {tmp_path / 'b'}/") as one:
        heard = published_over(one, one.stop, 2, "-c", "-i", "other")
    assert sorted(heard) == list(range(300))


@pytest.mark.slow
@pytest.mark.parametrize("qos", [1, 2])
def test_a_broker_that_is_killed_in_the_middle_loses_none(tmp_path: Path, qos: int) -> None:
    """It forgets its sessions (it saves them twice an hour), says so, and gets what was under way once more."""
    with broker(tmp_path / "b", *KEEPS, f"persistence_location {tmp_path / 'b'}/") as one:
        heard = published_over(one, one.kill, qos, "-q", "0")
    assert set(heard) == set(range(300))
    assert len(heard) <= 300 + 2 * UNDER_WAY


def test_a_broker_that_is_absent_at_the_start_is_told_once_and_gets_all_when_it_comes(tmp_path: Path) -> None:
    needs_mosquitto()
    port = free_port()
    sending = Sending(port, retain=True, topic="r/{label}", close_ms=10_000)
    for n in range(20):
        sending.action.handle(Result(n, f"label{n}", 0.5))
    until(lambda: sending.of(LinkLost))
    time.sleep(1.0)  # several tries, told once
    assert [event.reason for event in sending.events] == [
        f"the broker 127.0.0.1:{port}: Connection refused; results wait, at most 1000"
    ]
    (tmp_path / "broker").mkdir()
    late = Broker(tmp_path / "broker", port=port).start()
    try:
        until(lambda: sending.of(LinkBack))
        sending.action.close()
        with subscriber(late, "r/#") as heard:
            until(lambda: len(heard.lines) == 20)
    finally:
        late.kill()


def test_a_full_queue_loses_the_oldest_and_counts_them(tmp_path: Path) -> None:
    needs_mosquitto()
    port = free_port()
    sending = Sending(port, retain=True, topic="r/{label}", queue=5, close_ms=10_000)
    for n in range(12):
        sending.action.handle(Result(n, f"label{n}", 0.5))
    assert sum(event.count for event in sending.of(Dropped)) == 7
    (tmp_path / "broker").mkdir()
    late = Broker(tmp_path / "broker", port=port).start()
    try:
        sending.action.close()
        with subscriber(late, "r/#") as heard:
            until(lambda: len(heard.lines) == 5)
        assert sorted(heard.times()) == [7, 8, 9, 10, 11]
    finally:
        late.kill()


def test_what_is_left_at_the_end_is_told(tmp_path: Path) -> None:
    port = free_port()
    pytest.importorskip("paho.mqtt.client")
    sending = Sending(port, close_ms=300)
    sending.send(1, 2, 3)
    start = time.monotonic()
    with pytest.raises(OutputError) as error:
        sending.action.close()
    assert time.monotonic() - start < 2
    assert str(error.value) == (
        f"mqtt: 3 results were not delivered within 0.3 s of the run's end (the broker 127.0.0.1:{port}: Connection "
        "refused) and are lost; 0 were; mend the connection, or lengthen mqtt.close_ms"
    )
    assert sum(event.count for event in sending.of(Dropped)) == 3
    sending.action.close()


def test_a_broker_that_accepts_and_says_nothing_holds_nobody_up() -> None:
    pytest.importorskip("paho.mqtt.client")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        sending = Sending(port, connect_ms=5000, close_ms=300)
        for n in range(2000):
            sending.send(n)
        assert not sending.of(LinkLost)  # none of them waited for the greeting
        until(lambda: sending.of(LinkLost), seconds=20)
        assert "it did not greet within 5 s; is it a broker?" in sending.of(LinkLost)[0].reason
        with pytest.raises(OutputError, match="1000 results were not delivered"):
            sending.action.close()


@pytest.mark.parametrize("version", [3, 5])
@pytest.mark.parametrize(
    ("password", "said"), [(PASSWORD, None), ("wrong-" + PASSWORD, "Not authorized"), (None, "Not authorized")]
)
def test_user_and_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: Any, password: str | None, said: str | None
) -> None:
    folder = tmp_path / "broker"
    with with_password(folder) as guarded:
        config: dict[str, Any] = {"user_env": "BROKER_USER", "password_env": "BROKER_PASSWORD"} if password else {}
        monkeypatch.setenv("BROKER_USER", "board")
        monkeypatch.setenv("BROKER_PASSWORD", password or "")
        sending = Sending(guarded.port, version=version, **config)
        if said is None:
            sending.send(1)
            sending.action.close()
            assert sending.events == []
            return
        error = refusal(sending)
        assert str(error) == (
            f"mqtt: the broker 127.0.0.1:{guarded.port}: it says {said}; "
            "check mqtt.user_env and mqtt.password_env, and what the broker allows"
        )
        assert PASSWORD not in repr(sending.events) + shown(error)


def refusal(sending: Sending) -> OutputError:
    """What a broker's refusal ends the run with, whichever call hears it first."""
    with pytest.raises(OutputError) as error:
        try:
            sending.send(1)
        finally:
            sending.action.close()
    return error.value


def with_password(folder: Path) -> Any:
    import subprocess

    needs_mosquitto()
    folder.mkdir()
    (folder / "passwords").touch()
    subprocess.run(["mosquitto_passwd", "-b", folder / "passwords", "board", PASSWORD], check=True)
    return broker(folder, "allow_anonymous false", f"password_file {folder / 'passwords'}")


def test_a_publish_that_the_broker_forbids_is_counted(tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    (folder / "acl").write_text("topic write allowed/#\ntopic read #\n")
    with broker(folder, "allow_anonymous true", f"acl_file {folder / 'acl'}") as strict:
        sending = Sending(strict.port, topic="{label}/x")
        sending.action.handle(Result(1, "forbidden", 0.5))
        sending.action.handle(Result(2, "allowed", 0.5))
        sending.action.close()
    assert sending.events == [Dropped("mqtt (the broker says Not authorized)", 1)]


def test_two_with_one_name_in_one_process_are_refused(one: Broker) -> None:
    first = Sending(one.port, client_id="same")
    with pytest.raises(CapabilityError, match="two mqtt actions have the client_id 'same'"):
        Sending(one.port, client_id="same")
    first.action.close()
    Sending(one.port, client_id="same").action.close()


def test_another_process_with_the_same_name_ends_the_run() -> None:
    """A broker of MQTT 5 says so (reason 0x8E, here by hand: mosquitto 2.0.11 closes without a word)."""
    pytest.importorskip("paho.mqtt.client")
    with socket.create_server(("127.0.0.1", 0)) as server:
        sending = Sending(server.getsockname()[1], client_id="same")
        client, _ = server.accept()
        with client:
            client.recv(1000)
            client.sendall(bytes.fromhex("20 03 00 00 00  e0 02 8e 00"))
            until(lambda: sending.action._outbox.failed)
    with pytest.raises(OutputError, match="another client has the same name; give each its own mqtt.client_id"):
        sending.send(1)
    sending.action.close()


# ---- TLS ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return certificates(tmp_path_factory.mktemp("certificates"))


def tls_broker(folder: Path, made: dict[str, Path], *options: str) -> Any:
    return broker(folder, "allow_anonymous true", f"cafile {made['ca.pem']}", f"certfile {made['server.pem']}",
                  f"keyfile {made['server.key']}", *options)  # fmt: skip


def test_tls(tmp_path: Path, made: dict[str, Path]) -> None:
    with tls_broker(tmp_path / "broker", made) as safe:
        tls = ("--cafile", str(made["ca.pem"]))
        with subscriber(safe, "#", *tls) as heard:
            sending = Sending(safe.port, "localhost", "mqtts", ca=InputPath(made["ca.pem"]))
            sending.send(*range(20))
            sending.action.close()
            until(lambda: len(heard.lines) == 20)
    assert heard.times() == list(range(20))
    assert sending.events == []


def test_tls_with_the_clients_certificate(tmp_path: Path, made: dict[str, Path]) -> None:
    ca = InputPath(made["ca.pem"])
    with tls_broker(tmp_path / "broker", made, "require_certificate true") as safe:
        own = {"certificate": InputPath(made["client.pem"]), "key": InputPath(made["client.key"])}
        sending = Sending(safe.port, "localhost", "mqtts", ca=ca, **own)
        sending.send(1)
        sending.action.close()
        without = Sending(safe.port, "localhost", "mqtts", ca=ca, close_ms=500)
        without.send(1)
        with pytest.raises(OutputError, match="1 results were not delivered within 0.5 s"):
            without.action.close()


@pytest.mark.parametrize(("host", "ca", "certificate", "said", "advice"), [
    ("localhost", "other.pem", "server.pem", "self-signed certificate in certificate chain", "name the authority"),
    ("localhost", None, "server.pem", "self-signed certificate in certificate chain", "it with mqtt.ca"),
    ("127.0.0.2", "ca.pem", "server.pem", "IP address mismatch, certificate is not valid for '127.0.0.2'",
     "put the name that it is made for into mqtt.url, or make one for this name"),
    ("localhost", "ca.pem", "past.pem", "certificate has expired", "renew it, or set this machine's clock"),
])  # fmt: skip
def test_a_broker_that_is_not_the_one(
    tmp_path: Path, made: dict[str, Path], host: str, ca: str | None, certificate: str, said: str, advice: str
) -> None:
    with tls_broker(tmp_path / "broker", made) as safe:
        config = safe.config.read_text().replace(f"listener {safe.port} 127.0.0.1", f"listener {safe.port} 0.0.0.0")
        safe.kill()
        safe.config.write_text(config.replace(str(made["server.pem"]), str(made[certificate])))
        safe.start()
        text = str(refusal(Sending(safe.port, host, "mqtts", **({"ca": InputPath(made[ca])} if ca else {}))))
    assert text.startswith(f"mqtt: the broker {host}:{safe.port}: its certificate is not to be trusted ({said}")
    assert text.endswith(advice) or advice in text
    assert text.count("\n") == 0


def test_a_board_whose_clock_is_not_set_yet_waits_for_it(tmp_path: Path, made: dict[str, Path]) -> None:
    """Of it every certificate is of the future: that mends itself."""
    with tls_broker(tmp_path / "broker", made) as safe:
        right = safe.config.read_text()
        safe.kill()
        safe.config.write_text(right.replace(str(made["server.pem"]), str(made["future.pem"])))
        safe.start()
        sending = Sending(safe.port, "localhost", "mqtts", ca=InputPath(made["ca.pem"]))
        sending.send(1)
        until(lambda: sending.of(LinkLost))
        safe.kill()
        safe.config.write_text(right)
        safe.start()
        sending.action.close()
    assert "certificate is not yet valid" in sending.of(LinkLost)[0].reason
    assert len(sending.of(LinkBack)) == 1
    assert not sending.of(Dropped)


@pytest.mark.parametrize("scheme", ["mqtt", "mqtts"])
def test_a_name_that_nobody_knows_may_be_known_later(scheme: str) -> None:
    pytest.importorskip("paho.mqtt.client")
    sending = Sending(8884, "broker.invalid", scheme, close_ms=100)
    sending.send(1)
    until(lambda: sending.of(LinkLost))
    with pytest.raises(OutputError) as error:
        sending.action.close()
    assert re.fullmatch(
        r"mqtt: 1 results were not delivered within 0.1 s of the run's end \(the broker broker.invalid:8884: "
        r"(Name or service not known|Temporary failure in name resolution)\) and are lost; 0 were; mend the "
        "connection, or lengthen mqtt.close_ms",
        str(error.value),
    )


def test_tls_to_a_port_without_it_is_told(one: Broker) -> None:
    sending = Sending(one.port, "localhost", "mqtts", close_ms=500)
    sending.send(1)
    with pytest.raises(OutputError, match="1 results were not delivered"):
        sending.action.close()
    assert sending.of(LinkLost)[0].reason.startswith(f"the broker localhost:{one.port}: ")
    assert "_ssl.c" not in sending.of(LinkLost)[0].reason


def test_plain_mqtt_to_a_port_of_tls_is_told(tmp_path: Path, made: dict[str, Path]) -> None:
    with tls_broker(tmp_path / "broker", made) as safe:
        sending = Sending(safe.port, close_ms=500, connect_ms=300)
        sending.send(1)
        with pytest.raises(OutputError, match="1 results were not delivered"):
            sending.action.close()


def test_it_never_holds_up_the_run(one: Broker) -> None:
    sending = Sending(one.port, queue=100_000, close_ms=60_000)
    times = []
    for n in range(5000):
        start = time.perf_counter()
        sending.send(n)
        times.append(time.perf_counter() - start)
    sending.action.close()
    assert sending.events == []
    assert sorted(times)[len(times) // 2] < 0.001


def test_a_recording_waits_for_a_broker_that_is_there(one: Broker) -> None:
    sending = Sending(one.port, live=False, queue=10)
    with subscriber(one, "eiq-demo/#") as heard:
        sending.send(*range(2000))
        sending.action.close()
        until(lambda: len(heard.lines) >= 2000)
    assert heard.times() == list(range(2000))
    assert not sending.of(Dropped)
