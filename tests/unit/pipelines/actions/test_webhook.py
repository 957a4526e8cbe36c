"""The action webhook with a real web server on loopback."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from deliveries import Answer, Receiver, certificates, dripping, free_port, receiver, server_tls, shown, until
from pipelines.actions import _webhook_sender
from pipelines.actions._outbox import Outbox
from pipelines.actions.webhook import Webhook
from pipelines.config.schema import InputPath
from pipelines.core import Dropped, Event, LinkBack, LinkLost, Result
from pipelines.errors import CapabilityError, OutputError


class Posting:
    def __init__(self, url: str | None, live: bool = True, **config: Any) -> None:
        self.events: list[Event] = []
        config.setdefault("close_ms", 10_000)
        self.action = Webhook(Webhook.Config(url=url, **config), None)  # type: ignore[arg-type]
        self.action.watch(self.events.append, live=live)
        self.action.start()

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def send(self, *times: float) -> None:
        for t in times:
            self.action.handle(Result(float(t), "yes", 0.5))


def posted(server: Receiver, *times: float, **config: Any) -> Posting:
    posting = Posting(server.url, **config)
    posting.send(*times)
    posting.action.close()
    return posting


def test_each_result_is_posted_once_in_order_over_one_connection() -> None:
    with receiver() as server:
        posting = posted(server, *range(50), headers={"X-Board": "7"})
    assert server.times() == list(range(50))
    assert server.got[0] == {"t": 0.0, "label": "yes", "score": 0.5}
    assert server.connections == 1
    assert server.paths[0] == "/results"
    head = server.heads[0]
    assert (head["Content-Type"], head["User-Agent"], head["X-Board"]) == ("application/json", "eiq-demo", "7")
    assert len({one["Idempotency-Key"] for one in server.heads}) == 50
    assert posting.events == []


@pytest.mark.parametrize("status", [500, 502, 503, 408, 425])
def test_what_may_change_is_tried_again_with_growing_pauses(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(Outbox, "pause", lambda _, seconds: pauses.append(seconds))
    with receiver(Answer(status), Answer(status), Answer(status)) as server:
        posting = posted(server, 1, 2)
    assert server.times() == [1, 1, 1, 1, 2]
    assert len({one["Idempotency-Key"] for one in server.heads[:4]}) == 1
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, (0.25, 0.5, 1.0), strict=True))
    assert len(posting.of(LinkLost)) == len(posting.of(LinkBack)) == 1
    assert f"answers {status}" in posting.of(LinkLost)[0].reason


def test_a_server_that_fails_at_one_result_gets_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver(*[Answer(500)] * 3) as server:
        posting = posted(server, 1, 2, tries=3)
    assert server.times() == [1, 1, 1, 2]
    assert posting.of(Dropped) == [Dropped("webhook (answers 500 Internal Server Error, 3 times)", 1)]


def test_retry_after_in_seconds_and_as_a_date() -> None:
    date = (datetime.now(UTC) + timedelta(seconds=4)).replace(microsecond=0)
    answers = Answer(429, {"Retry-After": "1"}), Answer(503, {"Retry-After": format_datetime(date, usegmt=True)})
    with receiver(*answers) as server:
        posted(server, 1)
        since = time.time() - time.monotonic()
    assert server.at[1] - server.at[0] >= 0.99
    assert server.at[2] + since >= date.timestamp() - 0.01


@pytest.mark.parametrize(("said", "seconds"), [
    ("7", 7), (" 0 ", 0), ("999999999", 3600), ("-1", None), ("soon", None), ("", None), ("1e9", None), (None, None),
    ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Fri, 31 Dec 9999 23:59:59 GMT", 3600), ("9" * 400, None),
])  # fmt: skip
def test_retry_after(said: str | None, seconds: float | None) -> None:
    assert _webhook_sender._retry_after(said) == seconds


def test_a_4xx_to_the_first_result_ends_the_run() -> None:
    with receiver(Answer(401, body=b"\x1b[2J no")) as server:
        posting = Posting(server.url)
        posting.send(1)
        until(lambda: posting.action._outbox.failed)
        with pytest.raises(OutputError) as error:
            posting.send(2)
        posting.action.close()
    assert str(error.value) == (
        f"webhook: the server localhost:{server.port} answers 401 Unauthorized to the first result; check its address, "
        "and what token_env holds"
    )
    assert server.times() == [1]


def test_a_later_4xx_costs_that_result_alone() -> None:
    with receiver(Answer(), Answer(422), Answer()) as server:
        posting = posted(server, 1, 2, 3)
    assert server.times() == [1, 2, 3]
    assert posting.events == [Dropped("webhook (answers 422 Unprocessable Entity)", 1)]


def test_a_server_that_hangs_is_given_up_and_asked_again() -> None:
    end = threading.Event()
    with receiver(Answer(hang=end)) as server:
        posting = posted(server, 1, 2, answer_ms=300)
        end.set()
    assert server.times() == [1, 1, 2]
    assert server.at[1] - server.at[0] < 2
    assert "it does not answer in time" in posting.of(LinkLost)[0].reason


@pytest.mark.parametrize(("head", "drip"), [
    (b"", b"H"),
    (b"HTTP/1.1 200 OK\r\n", b"X"),
    (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
    (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
], ids=["status", "header's name", "header's value", "patience"])  # fmt: skip
def test_a_server_that_drips_holds_nobody_longer_than_one_that_is_silent(head: bytes, drip: bytes) -> None:
    """Each byte comes well before a time-out that counts from byte to byte."""
    with dripping(head, drip, every_s=0.02) as server:
        posting = Posting(f"http://127.0.0.1:{server.port}/", answer_ms=300, close_ms=100)
        start = time.monotonic()
        posting.send(1)
        until(lambda: posting.of(LinkLost), seconds=5)
        assert 0.25 < time.monotonic() - start < 2
        with pytest.raises(OutputError, match="1 results were not delivered"):
            posting.action.close()
    assert posting.of(LinkLost)[0].reason.startswith(f"the server 127.0.0.1:{server.port}: it does not answer in time")


@pytest.mark.parametrize(("head", "drip", "every_s", "most"), [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x", 0.05, 100),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.05, 600),
    (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536, 0.0, 50 * 1024 * 1024),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"x" * 65536, 0.0, 50 * 1024 * 1024),
], ids=["a long answer", "a stream", "no end", "a huge one"])  # fmt: skip
def test_an_answer_that_does_not_end_has_arrived_with_its_status(
    head: bytes, drip: bytes, every_s: float, most: int
) -> None:
    with dripping(head, drip, every_s) as server:
        start = time.monotonic()
        posting = Posting(f"http://127.0.0.1:{server.port}/", answer_ms=1000)
        posting.send(1, 2)
        posting.action.close()
        assert time.monotonic() - start < 6
        until(lambda: len(server.ended) == 2)
    assert posting.events == []
    assert len(server.asked) == 2  # each once, over a connection of its own
    assert server.sent < most  # what the sockets hold between them


def test_a_proxy_that_drips_its_tunnel_likewise(monkeypatch: pytest.MonkeyPatch) -> None:
    with dripping(b"HTTP/1.1 200 OK\r\n", b"X", every_s=0.02) as server:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.port}")
        monkeypatch.setenv("no_proxy", "")
        posting = Posting("https://sink.invalid/x", connect_ms=300, close_ms=100)
        start = time.monotonic()
        posting.send(1)
        until(lambda: posting.of(LinkLost), seconds=5)
        assert time.monotonic() - start < 2
        with pytest.raises(OutputError):
            posting.action.close()
    assert server.asked[0].startswith(b"CONNECT sink.invalid:443 ")


@pytest.mark.parametrize("head", [
    b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
    b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000 + b"\r\n\r\n",
], ids=["many", "long"])  # fmt: skip
def test_headers_without_end_are_no_answer(head: bytes) -> None:
    with dripping(head, b"x", every_s=0.02) as server:
        posting = Posting(f"http://127.0.0.1:{server.port}/", close_ms=100)
        posting.send(1)
        until(lambda: posting.of(LinkLost))
        with pytest.raises(OutputError, match="it answers what is no HTTP"):
            posting.action.close()


def test_a_name_that_nobody_knows_may_be_known_later() -> None:
    posting = Posting("https://sink.invalid/s3cr3t", close_ms=100)
    posting.send(1)
    until(lambda: posting.of(LinkLost))
    with pytest.raises(OutputError) as error:
        posting.action.close()
    assert re.search(
        r"\(the server sink.invalid:443: (Name or service not known|Temporary failure in name resolution)\)",
        str(error.value),
    )
    assert "s3cr3t" not in shown(error.value)


def test_a_server_that_does_not_take_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
        port = deaf.getsockname()[1]
        fill = [socket.socket() for _ in range(4)]
        for one in fill:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        posting = Posting(f"http://127.0.0.1:{port}/", connect_ms=200, close_ms=300)
        posting.send(1)
        until(lambda: posting.of(LinkLost))
        with pytest.raises(OutputError, match="1 results were not delivered"):
            posting.action.close()
        for one in fill:
            one.close()
    assert "it does not answer in time" in posting.of(LinkLost)[0].reason


@pytest.mark.parametrize("answer", [Answer(vanish=True), Answer(raw=b"\x00\xff\x1b[2J junk\r\n\r\n")])
def test_a_server_that_breaks_off_gets_it_again(answer: Answer) -> None:
    with receiver(answer) as server:
        posting = posted(server, 1, 2)
    assert server.times() == [1, 1, 2]
    assert all(event.reason.isprintable() for event in posting.of(LinkLost))
    assert len(posting.of(LinkLost)) == 1


def test_a_kept_connection_that_the_server_closed_meanwhile_is_no_loss() -> None:
    with receiver(Answer(), Answer(vanish=True)) as server:
        posting = posted(server, 1, 2, 3)
    assert server.times() == [1, 2, 2, 3]
    assert posting.events == []


def test_an_absent_server_is_told_once_and_gets_all_when_it_comes() -> None:
    port = free_port()
    posting = Posting(f"http://127.0.0.1:{port}/results")
    posting.send(*range(10))
    until(lambda: posting.of(LinkLost))
    time.sleep(0.5)
    with receiver(port=port) as server:
        posting.action.close()
    assert server.times() == list(range(10))
    assert [type(event) for event in posting.events] == [LinkLost, LinkBack]
    assert posting.of(LinkLost)[0].reason == (
        f"the server 127.0.0.1:{port}: Connection refused; results wait, at most 1000"
    )


def test_what_is_left_at_the_end_is_told() -> None:
    posting = Posting(f"http://127.0.0.1:{free_port()}/", close_ms=300)
    posting.send(1, 2)
    start = time.monotonic()
    with pytest.raises(OutputError, match="webhook: 2 results were not delivered within 0.3 s of the run's end"):
        posting.action.close()
    assert time.monotonic() - start < 1
    posting.action.close()


def test_a_full_queue_loses_the_oldest() -> None:
    end = threading.Event()
    with receiver(Answer(hang=end), Answer()) as server:
        posting = Posting(server.url, queue=3)
        posting.send(0)
        until(lambda: server.got)  # the first is under way
        posting.send(1, 2, 3, 4, 5)
        end.set()
        posting.action.close()
    assert server.times()[-3:] == [3, 4, 5]
    assert sum(event.count for event in posting.of(Dropped)) == 2


def test_a_recording_waits_instead() -> None:
    with receiver() as server:
        posting = posted(server, *range(200), live=False, queue=2)
    assert server.times() == list(range(200))
    assert posting.events == []


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_on_the_same_server_is_followed(status: int) -> None:
    with receiver(Answer(status, {"Location": "/elsewhere?x=1"})) as server:
        posted(server, 1)
    assert server.paths == ["/results", "/elsewhere?x=1"]
    assert server.times() == [1, 1]


@pytest.mark.parametrize(("status", "said"), [
    (307, "redirects to another server"), (308, "redirects to another server"), (301, "answers 301"),
    (302, "answers 302 Found, a redirect that would lose the result"), (303, "answers 303"),
])  # fmt: skip
def test_no_other_redirect_is(monkeypatch: pytest.MonkeyPatch, status: int, said: str) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "s3cr3t")
    with receiver() as other, receiver(Answer(status, {"Location": other.url})) as server:
        posting = Posting(server.url, token_env="HOOK_TOKEN")
        posting.send(1)
        with pytest.raises(OutputError, match=said):
            posting.action.close()
    assert other.got == []


def test_redirects_have_an_end() -> None:
    with receiver(*[Answer(307, {"Location": "/again"})] * 10) as server:
        posting = Posting(server.url)
        posting.send(1)
        with pytest.raises(OutputError, match="redirects more than 5 times"):
            posting.action.close()
    assert len(server.got) == 6


@pytest.mark.parametrize(("header", "value"), [("Authorization", "Bearer s3cr3t"), ("X-Api-Key", "s3cr3t")])
def test_the_token_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, header: str, value: str) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "s3cr3t\n")
    with receiver() as server:
        posted(server, 1, token_env="HOOK_TOKEN", token_header=header)
    assert server.heads[0][header] == value


def test_headers_are_the_same_in_upper_and_lower_case() -> None:
    with receiver() as server:
        posted(server, 1, headers={"user-agent": "mine"})
    assert [value for name, value in server.heads[0].items() if name.lower() == "user-agent"] == ["mine"]
    for config in (
        {"token_env": "T", "token_header": "X-Key", "headers": {"x-key": "a"}},
        {"headers": {"A": "1", "a": "2"}},
    ):
        with pytest.raises(ValueError, match="header (x-key|A) twice"):
            Webhook.Config(url="http://127.0.0.1/", **config)  # type: ignore[arg-type]


def test_the_address_may_be_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver(Answer(404)) as server:
        monkeypatch.setenv("HOOK_URL", f"http://127.0.0.1:{server.port}/s3cr3t?key=s3cr3t")
        posting = Posting(None, url_env="HOOK_URL")
        posting.send(1)
        with pytest.raises(OutputError) as error:
            posting.action.close()
    assert server.paths == ["/s3cr3t?key=s3cr3t"]
    assert "s3cr3t" not in shown(error.value) + repr(posting.events)


@pytest.mark.parametrize("found", [None, "", "s3cr3t\nX-Evil: 1", "s3cr3t\x1b"])
def test_a_secret_that_is_not_there_or_cannot_be_sent(monkeypatch: pytest.MonkeyPatch, found: str | None) -> None:
    monkeypatch.delenv("HOOK_TOKEN", raising=False)
    if found is not None:
        monkeypatch.setenv("HOOK_TOKEN", found)
    with pytest.raises(CapabilityError, match=r"the environment variable that webhook.token_env names") as error:
        Posting("http://localhost/", token_env="HOOK_TOKEN")
    assert "s3cr3t" not in str(error.value)


@pytest.mark.parametrize("url", [
    "http://example.org/s3cr3t", "ftp://h/s3cr3t", "s3cr3t", "https://u:s3cr3t@h/", "https://u:s3cr3t/@h/",
    "https://[s3cr3t]/", "https://h:s3cr3t",
])  # fmt: skip
def test_an_address_of_the_environment_is_checked_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("HOOK_URL", url)
    with pytest.raises(CapabilityError, match="the address in the variable of webhook.url_env") as error:
        Posting(None, url_env="HOOK_URL")
    assert "s3cr3t" not in shown(error.value)


@pytest.mark.parametrize(("config", "said"), [
    ({}, "expected one of url and url_env"),
    ({"url": "http://localhost", "url_env": "X"}, "expected one of url and url_env"),
    ({"url": "http://example.org/x"}, "url leads to another machine without TLS; take https://, or say insecure: true"),
    ({"url": "http://localhost.example.org/x"}, "without TLS"),
    ({"url": "mqtt://h"}, "url should begin with https:// or http://"),
    ({"url": "https://user:hunter2@h"}, "url holds a user name or password"),
    ({"url": "https://h:99999"}, "url is no address"),
    ({"url": "https://"}, "url is no address"),
    ({"url": "https://h/a b"}, "without spaces"),
    ({"url": "https://h/\r\nX: 1"}, "url is no address"),
    ({"url": "https://h", "token_env": "hunter2!"}, "token_env should be the name of an environment variable"),
    ({"url": "https://h", "headers": {"Authorization": "hunter2"}}, "a secret comes from token_env"),
    ({"url": "https://h", "headers": {"Host": "x"}}, "got the header Host, but it is set here"),
    ({"url": "https://h", "headers": {"A:b": "x"}}, "as the name of a header"),
    ({"url": "https://h", "headers": {"A": "x\r\nB: hunter2"}}, "the header A should hold printable ASCII"),
])  # fmt: skip
def test_a_config_that_cannot_be(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match="^.*" + said) as error:
        Webhook.Config(**config)
    assert "hunter2" not in str(error.value)


def test_http_to_another_machine_where_it_is_asked_for() -> None:
    Webhook.Config(url="http://example.org/x", insecure=True)
    Webhook.Config(url="http://127.0.0.1/x")
    Webhook.Config(url="http://[::1]:8080/x")


def test_tls(tmp_path: Path) -> None:
    made = certificates(tmp_path / "tls")
    context = server_tls(made, "server.pem")
    with receiver(tls=context) as server:
        posting = posted(server, 1, 2, ca=InputPath(made["ca.pem"]))
        assert server.times() == [1, 2]
        assert posting.events == []
        for ca in ({}, {"ca": InputPath(made["other.pem"])}):
            wary = Posting(server.url, **ca)
            wary.send(3)
            with pytest.raises(OutputError, match="its certificate is not to be trusted .* webhook.ca"):
                wary.action.close()
    assert server.times() == [1, 2]


def test_a_certificate_of_the_past_ends_the_run(tmp_path: Path) -> None:
    made = certificates(tmp_path / "tls")
    context = server_tls(made, "past.pem")
    with receiver(tls=context) as server:
        posting = Posting(server.url, ca=InputPath(made["ca.pem"]))
        posting.send(1)
        with pytest.raises(OutputError) as error:
            posting.action.close()
    assert str(error.value) == (
        f"webhook: the server localhost:{server.port}: its certificate is not to be trusted (certificate has expired); "
        "renew it, or set this machine's clock"
    )
    assert server.got == []


def test_a_server_that_speaks_no_tls_is_told() -> None:
    with receiver() as server:
        posting = Posting(server.url.replace("http:", "https:"), close_ms=100)
        posting.send(1)
        until(lambda: posting.of(LinkLost))
        with pytest.raises(OutputError):
            posting.action.close()
    assert posting.of(LinkLost)[0].reason.startswith(
        f"the server localhost:{server.port}: TLS fails with it (wrong version number)"
    )


def test_a_ca_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(CapabilityError, match="webhook.ca cannot be read"):
            Webhook(Webhook.Config(url="https://h", ca=InputPath(tmp_path / name)), None)  # type: ignore[arg-type]


def test_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "")
        posting = Posting("http://sink.invalid/x?y=1", insecure=True)
        posting.send(1)
        posting.action.close()
    assert proxy.paths == ["http://sink.invalid:80/x?y=1"]
    assert proxy.heads[0]["Host"] == "sink.invalid:80"


def test_through_a_proxy_with_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as proxy:
        monkeypatch.setenv("http_proxy", f"http://me:s3cr3t@127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "")
        posting = Posting("http://sink.invalid/x", insecure=True)
        posting.send(1)
        posting.action.close()
    assert proxy.heads[0]["Proxy-Authorization"] == "Basic bWU6czNjcjN0"


def test_a_server_that_needs_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "other.invalid,sink.invalid")
    posting = Posting("https://sink.invalid/x", close_ms=100)
    posting.send(1)
    until(lambda: posting.of(LinkLost))
    with pytest.raises(OutputError, match="sink.invalid:443: (Name|Temporary)"):
        posting.action.close()


@pytest.mark.parametrize(
    "url", ["http://me:s3cr3t/@proxy", "http://proxy:s3cr3t", "socks5://me:s3cr3t@proxy", "http://"]
)
def test_a_proxy_that_cannot_be(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("https_proxy", url)
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(CapabilityError) as error:
        Posting("https://sink.invalid/x")
    assert str(error.value) == (
        "the environment's https_proxy is not the address of a proxy, expected one such as http://host:3128; mend it, "
        "or put the server into no_proxy"
    )
    assert "s3cr3t" not in shown(error.value)


def test_through_the_tunnel_of_a_proxy_with_a_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The certificate is checked behind the tunnel, against the server's name and not the proxy's."""
    made = certificates(tmp_path / "tls")
    context = server_tls(made, "server.pem")
    asked: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client:
            client.settimeout(10)
            asked.append(client.recv(4096))
            client.sendall(b"HTTP/1.1 200 Go ahead\r\n\r\n")
            with contextlib.suppress(OSError), context.wrap_socket(client, server_side=True) as safe:
                safe.recv(1)  # it hangs up: this is not sink.invalid

    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = threading.Thread(target=serve, args=(listener,), daemon=True)
        proxy.start()
        monkeypatch.setenv("https_proxy", f"http://me:s3cr3t@127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "")
        posting = Posting("https://sink.invalid/x", ca=InputPath(made["ca.pem"]))
        posting.send(1)
        with pytest.raises(OutputError, match="Hostname mismatch.*sink.invalid") as error:
            posting.action.close()
        proxy.join(5)
    assert asked[0].startswith(b"CONNECT sink.invalid:443 ")
    assert b"Proxy-Authorization: Basic bWU6czNjcjN0" in asked[0]
    assert "s3cr3t" not in str(error.value)


def test_it_never_holds_up_the_run() -> None:
    end = threading.Event()
    with receiver(Answer(hang=end)) as server:
        posting = Posting(server.url, close_ms=100)
        for n in range(3000):  # the server answers none of them; one that waited would wait here for minutes
            posting.send(n)
        with pytest.raises(OutputError):
            posting.action.close()
        end.set()
