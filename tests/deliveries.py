"""Where results are sent to in tests: a real MQTT broker (mosquitto), a web server that answers as told, a bad line."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
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
    """One that nobody listens to now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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


def certificates(folder: Path) -> dict[str, Path]:
    """An authority, a server's certificate for localhost and 127.0.0.1, a client's, another authority; by openssl."""
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
    return {path.name: path for path in folder.iterdir()}


class Line:
    """A TCP line to a port that a test cuts in the middle, or holds up."""

    def __init__(self, port: int) -> None:
        self.to = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.pairs: list[tuple[socket.socket, socket.socket]] = []
        self.carried = 0
        self.cut_after: list[int] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
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
