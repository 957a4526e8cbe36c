"""Whole runs whose results go to a broker, a web server and a database; and what of them is ever printed."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from deliveries import Answer, broker, free_port, receiver, subscriber, until
from demos import eiq_demo, loud

SECRET = "hunter2-s3cr3t"
LOGIN = "user_env: BOARD_USER, password_env: BOARD_PASSWORD"


def demo(folder: Path, actions: str) -> Path:
    path = loud(folder)
    path.write_text(path.read_text() + f"actions: {actions}\n")
    return path


def test_all_three_get_every_result(tmp_path: Path) -> None:
    with broker(tmp_path / "broker") as running, subscriber(running, "#") as heard, receiver() as server:
        path = demo(tmp_path, f"[mqtt: {{url: 'mqtt://127.0.0.1:{running.port}', close_ms: 9000}}, "
                              f"webhook: {{url: '{server.url}', close_ms: 9000}}, "
                              "sqlite: {path: out.db}]")  # fmt: skip
        done = eiq_demo("run", path, "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        until(lambda: len(heard.lines) == 2)
    expected = [("loud", 0.11), ("quiet", 0.12)]
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    results = [{k: v for k, v in one.items() if k != "event"} for one in printed if one["event"] == "result"]
    assert [(one["label"], one["t"]) for one in results] == expected
    assert [json.loads(payload) for _, payload in heard.lines] == server.got == results
    assert [topic for topic, _ in heard.lines] == ["eiq-demo/main/loud", "eiq-demo/main/quiet"]
    with closing(sqlite3.connect(tmp_path / "out.db")) as database:
        assert database.execute("SELECT label, t FROM results ORDER BY id").fetchall() == expected
    assert printed[-1]["dropped"] == {}


def test_check_opens_nothing(tmp_path: Path) -> None:
    pytest.importorskip("paho.mqtt.client")
    with receiver() as server:
        path = demo(tmp_path, f"[mqtt: {{url: 'mqtts://127.0.0.1:{server.port}', user_env: U, password_env: P}}, "
                              f"webhook: {{url: '{server.url}', token_env: T}}, sqlite: {{path: out.db}}]")  # fmt: skip
        done = eiq_demo("check", path, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert server.connections == 0
    assert not (tmp_path / "out.db").exists()


def test_a_broker_that_never_comes_is_told_once_and_what_is_lost_is_counted(tmp_path: Path) -> None:
    pytest.importorskip("paho.mqtt.client")
    port = free_port()
    path = demo(tmp_path, f"[mqtt: {{url: 'mqtt://127.0.0.1:{port}', close_ms: 1000}}]")
    done = eiq_demo("run", path, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count(f"link to mqtt lost: the broker 127.0.0.1:{port}: Connection refused; results wait") == 1
    assert "mqtt: 2 results were not delivered within 1 s of the run's end" in done.stderr
    assert "dropped at mqtt: 2" in done.stderr
    assert "Traceback" not in done.stderr


def test_of_several_that_never_come_each_is_named_at_the_end(tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    path = demo(tmp_path, str([{"webhook": {"url": f"http://127.0.0.1:{port}/", "close_ms": 500}} for port in ports]))
    done = eiq_demo("run", path, cwd=tmp_path)
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if "2 results were not delivered within 0.5 s" in line]
    assert told == done.stderr.splitlines()[-2:]
    assert [port for port in ports if f"(the server 127.0.0.1:{port}: Connection refused)" in "\n".join(told)] == ports


@pytest.mark.parametrize("command", [["run"], pytest.param(["run", "--json"], marks=pytest.mark.slow), ["check"]])
def test_secrets_are_never_printed(tmp_path: Path, command: list[str]) -> None:
    with broker(tmp_path / "broker", "allow_anonymous false") as strict, receiver(*[Answer(401)] * 3) as server:
        names = {"BOARD_USER": f"user-{SECRET}", "BOARD_PASSWORD": SECRET, "HOOK_TOKEN": SECRET}
        url = f"http://127.0.0.1:{server.port}/{SECRET}?token={SECRET}"
        outputs = [
            ran(tmp_path, f"[mqtt: {{url: 'mqtt://127.0.0.1:{strict.port}', {LOGIN}}}]", command, names),
            ran(tmp_path, f"[webhook: {{url: '{server.url}', token_env: HOOK_TOKEN}}]", command, names),
            ran(tmp_path, f"[webhook: {{url: '{url}'}}]", command, names),
            ran(tmp_path, "[webhook: {url_env: HOOK_URL}]", command, {"HOOK_URL": url}),
            ran(tmp_path, "[webhook: {url_env: HOOK_URL}]", command, {"HOOK_URL": f"http://evil.example/{SECRET}"}),
            ran(tmp_path, "[webhook: {url_env: HOOK_URL}]", command, {"HOOK_URL": f"https://a:{SECRET}@h/"}),
            ran(tmp_path, f"[webhook: {{url: '{server.url}', token_env: T}}]", command, {"T": f"{SECRET}\n{SECRET}"}),
            ran(tmp_path, f"[mqtt: {{url: 'mqtt://me:{SECRET}@127.0.0.1'}}]", command, {}),
            ran(tmp_path, f"[webhook: {{url: 'https://me:{SECRET}@h/'}}]", command, {}),
            ran(tmp_path, f"[mqtt: {{url: 'mqtts://h', user_env: U, password_env: '{SECRET}'}}]", command, {}),
            ran(tmp_path, "[webhook: {url: 'https://h.invalid/'}]", command,
                {"https_proxy": f"http://me:{SECRET}/@p", "no_proxy": ""}),
        ]  # fmt: skip
    assert all(SECRET not in one.stdout + one.stderr for one in outputs)
    assert all("Traceback" not in one.stderr for one in outputs)
    assert any("Not authorized" in one.stderr for one in outputs) == (command[0] == "run")
    assert any("answers 401 Unauthorized" in one.stderr for one in outputs) == (command[0] == "run")
    assert command[0] == "check" or all(one.returncode in (1, 2) for one in outputs)


def ran(folder: Path, actions: str, command: list[str], names: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    one = folder / "one"
    if not one.exists():
        one.mkdir()
    return eiq_demo(*command, demo(one, actions), cwd=one, **names)
