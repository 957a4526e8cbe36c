"""Where results are sent to in tests: a real MQTT broker (mosquitto), a web server that answers as told, a bad line."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def needs_mosquitto() -> None:
    """Skip where there is no broker."""
    pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt: pip install 'eiq-demo[mqtt]'")
    if MOSQUITTO and shutil.which("mosquitto_sub"):
        return
    pytest.skip("needs a broker: apt-get install mosquitto mosquitto-clients")


def until(there: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait for what another thread or process does."""
    end = time.monotonic() + seconds
    while not (found := there()):
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.01)
    return found


def free_port() -> int:
    """One that nobody listens to now, and that the kernel gives to no connection (from 32768 on)."""
    while True:
        port = random.SystemRandom().randrange(10_000, 32_768)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Broker:
    """mosquitto on a port of its own; it can be killed and started again."""

    def __init__(self, folder: Path, *options: str, port: int = 0) -> None:
        self.port = port or free_port()
        self.folder = folder
        self.config = folder / "mosquitto.conf"
        as_root = ("user root",) if os.geteuid() == 0 else ()  # else it could not read what a test of root's has made
        lines = [*as_root, f"listener {self.port} 127.0.0.1", *(options or ("allow_anonymous true",))]
        self.config.write_text("\n".join(lines) + "\n")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Broker:
        with (self.folder / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen([str(MOSQUITTO), "-v", "-c", self.config], stdout=log, stderr=log)
        until(self._listens)
        return self

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """In good order: where it keeps what it has, it writes it down."""
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def log(self) -> str:
        return (self.folder / "mosquitto.log").read_text(errors="replace")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextlib.contextmanager
def broker(folder: Path, *options: str) -> Iterator[Broker]:
    """A broker with these lines in its configuration."""
    needs_mosquitto()
    folder.mkdir(exist_ok=True)
    one = Broker(folder, *options)
    try:
        yield one.start()
    finally:
        one.kill()


class Subscriber:
    """mosquitto_sub: another client than ours, which writes down what it gets."""

    def __init__(self, to: Broker, topic: str, *options: str) -> None:
        self.lines: list[tuple[str, str]] = []
        self.retained: list[bool] = []
        command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(to.port), "-q", "2", "-t", topic,
                   "-F", "%r %t %p", *options]  # fmt: skip
        before = to.log().count("Sending SUBACK")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        until(lambda: to.log().count("Sending SUBACK") > before)

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            kept, topic, payload = line.rstrip("\n").split(" ", 2)
            self.retained.append(kept == "1")
            self.lines.append((topic, payload))

    def times(self) -> list[float]:
        """The t of every result that came."""
        return [json.loads(payload)["t"] for _, payload in list(self.lines) if payload.startswith("{")]

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.thread.join()


@contextlib.contextmanager
def subscriber(to: Broker, topic: str, *options: str) -> Iterator[Subscriber]:
    """What arrives at a topic."""
    one = Subscriber(to, topic, *options)
    try:
        yield one
    finally:
        one.close()


def shown(error: BaseException | None) -> str:
    """All that a traceback could show of an error: of what caused it too, and of what was under way meanwhile."""
    texts = []
    while error is not None:
        texts += [str(error), repr(error), repr(getattr(error, "__dict__", ""))]
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


def certificates(folder: Path) -> dict[str, Path]:
    """An authority, a server's certificate for localhost and 127.0.0.1, a client's, another authority; by openssl.

    ``past.pem`` and ``future.pem`` are the server's too, at another time.
    """
    if not shutil.which("openssl"):
        pytest.skip("needs openssl to make certificates")
    folder.mkdir(exist_ok=True)

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.pem",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    extensions = {"server": "subjectAltName=DNS:localhost,IP:127.0.0.1", "client": "basicConstraints=CA:FALSE"}
    for name, extension in extensions.items():
        (folder / f"{name}.ext").write_text(extension + "\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                "-out", f"{name}.csr")  # fmt: skip
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-out", f"{name}.pem", "-extfile", f"{name}.ext")  # fmt: skip
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\nserial=serial\npolicy=p\ndefault_md=sha256\n"
        "unique_subject=no\n[p]\ncommonName=supplied\n"
    )
    (folder / "index.txt").touch()
    (folder / "serial").write_text("1000\n")
    for name, year in (("past", "2020"), ("future", "2098")):
        openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-in", "server.csr", "-out", f"{name}.pem",
                "-cert", "ca.pem", "-keyfile", "ca.key", "-extfile", "server.ext",
                "-startdate", f"{year}0101000000Z", "-enddate", f"{year}1231000000Z")  # fmt: skip
    return {path.name: path for path in folder.iterdir()}


def server_tls(made: dict[str, Path], certificate: str) -> ssl.SSLContext:
    """What a server with one of the server's ``certificates`` does TLS with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made[certificate], made["server.key"])
    return context


class Line:
    """A TCP line to a port that a test cuts in the middle, or shuts: then whoever comes is taken and thrown out.

    Args:
        shut_after_cut: for so many connections, each time.
    """

    def __init__(self, port: int, shut_after_cut: int = 0) -> None:
        self.to = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.pairs: list[tuple[socket.socket, socket.socket]] = []
        self.carried = 0
        self.cut_after: list[int] = []
        self.shut = False
        self.shut_after_cut, self.shut_for = shut_after_cut, 0
        self.turned_away = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                if self.shut or self.shut_for:
                    self.shut_for -= not self.shut
                    self.turned_away += 1
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self.to))
                self.pairs.append((near, far))
                budget = self.cut_after.pop(0) if self.cut_after else None
                threading.Thread(target=self._carry, args=(near, far, budget), daemon=True).start()
                threading.Thread(target=self._carry, args=(far, near, None), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, budget: int | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                if budget is not None:
                    data, budget = data[:budget], budget - len(data)
                sink.sendall(data)
                self.carried += len(data)
                if budget is not None and budget <= 0:
                    self.shut_for = self.shut_after_cut
                    break
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for end in (self.listener, *(end for pair in self.pairs for end in pair)):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # close() alone wakes nobody who waits
            end.close()


@dataclass
class Answer:
    """How a web server answers one request."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    hang: threading.Event | None = None
    """It says nothing until this is set."""
    vanish: bool = False
    """It closes the connection without a word."""
    raw: bytes | None = None
    """These bytes in place of HTTP."""


@dataclass
class Receiver:
    """A web server that takes POSTs: the answers in turn, and 200 when they are used up."""

    answers: list[Answer] = field(default_factory=list)
    got: list[dict[str, Any]] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    connections: int = 0
    url: str = ""
    port: int = 0

    def times(self) -> list[float]:
        return [one["t"] for one in self.got]


@contextlib.contextmanager
def receiver(*answers: Answer, tls: Any = None, port: int = 0) -> Iterator[Receiver]:
    """A web server on loopback, on HTTP/1.1: connections are kept."""
    told = Receiver(list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            told.connections += 1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.at.append(time.monotonic())
            told.paths.append(self.path)
            told.heads.append(dict(self.headers.items()))
            told.got.append(json.loads(body))
            answer = told.answers.pop(0) if told.answers else Answer()
            if answer.hang:
                answer.hang.wait(20)
            if answer.vanish or answer.hang:
                self.close_connection = True
                return
            if answer.raw is not None:
                self.wfile.write(answer.raw)
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            """Not into the tests' output."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that gave up."""

    server = Server(("127.0.0.1", port), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    told.port = server.server_port
    told.url = f"{'https' if tls else 'http'}://localhost:{server.server_port}/results"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Drips:
    """What a server of single bytes has seen."""

    port: int
    asked: list[bytes] = field(default_factory=list)
    sent: int = 0
    ended: list[float] = field(default_factory=list)
    """When a client hung up."""


@contextlib.contextmanager
def dripping(head: bytes, drip: bytes, every_s: float) -> Iterator[Drips]:
    """A server that answers each connection's first words with ``head`` at once, and ``drip`` again and again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        told = Drips(int(listener.getsockname()[1]))

        def serve(client: socket.socket) -> None:
            with client, contextlib.suppress(OSError):
                told.asked.append(client.recv(65536))
                client.sendall(head)
                while True:
                    client.sendall(drip)
                    told.sent += len(drip)
                    time.sleep(every_s)
            told.ended.append(time.monotonic())

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield told
        finally:
            listener.shutdown(socket.SHUT_RDWR)
