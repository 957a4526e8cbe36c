"""What the action mqtt says before it connects; with a broker: tests/integration/test_mqtt_broker.py."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.actions._mqtt_topic import topic_of
from pipelines.actions.mqtt import Mqtt
from pipelines.config.schema import InputPath
from pipelines.errors import CapabilityError, MissingDependency


@pytest.mark.parametrize(("config", "said"), [
    ({"url": "http://h"}, "url should begin with mqtt:// or mqtts://; expected one such as mqtt://host:1883"),
    ({"url": "host:1883"}, "url should begin with"),
    ({"url": "mqtt://"}, "url is no address"),
    ({"url": "mqtt://user:hunter2@h"}, "url holds a user name or password; name the environment variables"),
    ({"url": "mqtt://hunter2@h"}, "url holds a user name"),
    ({"url": "mqtt://h:0"}, "url is no address"),
    ({"url": "mqtt://h:x"}, "url is no address"),
    ({"url": "mqtt://h", "topic": "a/{lable}"}, r"got {lable} in topic; topic can hold {pipeline} and {label}"),
    ({"url": "mqtt://h", "topic": "a/{label!r}"}, "got {label} in topic"),
    ({"url": "mqtt://h", "topic": "a/{label.__class__}"}, "got {label.__class__} in topic"),
    ({"url": "mqtt://h", "topic": "a/{}"}, "got {} in topic"),
    ({"url": "mqtt://h", "topic": "a/{label:9999999}"}, "got {label} in topic"),
    ({"url": "mqtt://h", "topic": "a/{"}, "topic has a brace without its other one"),
    ({"url": "mqtt://h", "topic": "a/+/{label}"}, "topic holds \\+, # or a control character"),
    ({"url": "mqtt://h", "topic": "a/\0"}, "topic holds"),
    ({"url": "mqtt://h", "topic": "$SYS/x"}, "topic begins with \\$"),
    ({"url": "mqtt://h", "topic": "x" * 20_000}, "topic is longer than 10,000 bytes"),
    ({"url": "mqtt://h", "status": "{pipeline}/status"}, "got {pipeline} in status; status has no fields"),
    ({"url": "mqtts://h", "password_env": "P"}, "got password_env without user_env"),
    ({"url": "mqtts://h", "user_env": "U", "password_env": "hunter2!"}, "password_env should be the name of"),
    ({"url": "mqtt://h", "user_env": "U", "password_env": "P"}, "user name and password would go to another machine"),
    ({"url": "mqtts://h", "key": "k.pem"}, "got key without certificate"),
    ({"url": "mqtt://h", "ca": "ca.pem"}, "got ca or certificate with mqtt://, expected mqtts://"),
    ({"url": "mqtt://h", "keepalive_s": 70000}, "got keepalive_s 70000, expected at most 65535"),
])  # fmt: skip
def test_a_config_that_cannot_be(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match="^.*" + said) as error:
        Mqtt.Config(**config)
    assert "hunter2" not in str(error.value)


def test_configs_that_can_be() -> None:
    Mqtt.Config(url="mqtt://localhost", user_env="U", password_env="P")
    Mqtt.Config(url="mqtt://10.0.0.1", user_env="U", password_env="P", insecure=True)
    Mqtt.Config(url="mqtts://broker.example.org:8884", user_env="U", topic="{{x}}/{label}")


@given(st.text(), st.text())
def test_a_label_is_one_level_of_a_topic(pipeline: str, label: str) -> None:
    levels = topic_of("a/{pipeline}/{label}", pipeline, label).split("/")
    assert len(levels) == 3
    assert all(levels)
    assert not set("".join(levels)) & set("+#$\0\n")
    "".join(levels).encode()  # a lone surrogate is not printable


def test_building_it_opens_nothing() -> None:
    pytest.importorskip("paho.mqtt.client")
    before = set(threading.enumerate())
    Mqtt(Mqtt.Config(url="mqtt://localhost:1"), None).close()  # type: ignore[arg-type]
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("key", ["ca", "certificate", "key"])
def test_files_of_tls_are_read_when_it_is_built(tmp_path: Path, key: str) -> None:
    pytest.importorskip("paho.mqtt.client")
    (tmp_path / "x.pem").write_text("nothing")
    config = {key: InputPath(tmp_path / "x.pem")} | ({"certificate": InputPath("/none.pem")} if key == "key" else {})
    with pytest.raises(CapabilityError, match=r"mqtt\.(ca|certificate) cannot be read \(.*\); expected a PEM file"):
        Mqtt(Mqtt.Config(url="mqtts://h", **config), None)  # type: ignore[arg-type]


@pytest.mark.parametrize("password", [None, ""])
def test_a_password_that_is_not_there(monkeypatch: pytest.MonkeyPatch, password: str | None) -> None:
    pytest.importorskip("paho.mqtt.client")
    monkeypatch.setenv("BROKER_USER", "board")
    monkeypatch.delenv("BROKER_PASSWORD", raising=False)
    if password is not None:
        monkeypatch.setenv("BROKER_PASSWORD", password)
    config = Mqtt.Config(url="mqtts://h", user_env="BROKER_USER", password_env="BROKER_PASSWORD")
    with pytest.raises(CapabilityError, match=r"variable that mqtt.password_env names is not set; set it"):
        Mqtt(config, None).start()  # type: ignore[arg-type]


def test_without_paho_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "paho.mqtt.client", None)
    with pytest.raises(MissingDependency, match=r"the action mqtt needs .*pip install 'eiq-demo\[mqtt\]'"):
        Mqtt(Mqtt.Config(url="mqtt://h"), None)  # type: ignore[arg-type]
