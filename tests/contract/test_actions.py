"""What every registered action promises (pipelines.core.Action)."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deliveries import broker, receiver
from pipelines import registry
from pipelines.config.schema import Config
from pipelines.core import Action, Frame, Result, Signal

CONFIGS: dict[str, dict[str, Any]] = {
    "console": {},
    "jsonl": {"path": "out.jsonl"},
    "led": {},
    "mqtt": {"status": "eiq-demo/status"},  # and the address of a real one
    "snapshot": {"folder": "shots"},
    "sqlite": {"path": "out.db"},
    "webhook": {},
}
MOTION = Signal((None, 3), "float32", 100.0, "motion")
SOURCE = Frame(np.zeros((4, 3), np.float32), t=1.5, seq=0)


class Light:
    is_lit = False

    def on(self) -> None:
        self.is_lit = True

    def off(self) -> None:
        self.is_lit = False


class TargetWithLight:
    name = "test"

    def __init__(self) -> None:
        self.light = Light()

    def led(self, name: str) -> Light:
        return self.light


@pytest.fixture(params=registry.names("actions"))
def action(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Any]:
    assert request.param in CONFIGS, f"add a config for the action {request.param} to this table"
    monkeypatch.chdir(tmp_path)
    cls = registry.load("actions", request.param)
    with ExitStack() as stack:
        to = {}
        if request.param == "mqtt":
            to["url"] = f"mqtt://127.0.0.1:{stack.enter_context(broker(tmp_path_factory.mktemp('broker'))).port}"
        elif request.param == "webhook":
            to["url"] = stack.enter_context(receiver()).url
        yield cls(cls.Config(**CONFIGS[request.param], **to), TargetWithLight())


def resolved(action: Any) -> Any:
    if hasattr(action, "resolve"):
        action.resolve(MOTION)
    return action


def test_it_is_an_action(action: Any) -> None:
    assert isinstance(action, Action)
    assert issubclass(action.Config, Config)
    assert isinstance(type(action).background, bool)


def test_building_and_closing_it_leaves_nothing(
    action: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resolved(action).close()
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "result",
    [
        Result(1.5, "yes", 0.97, source=SOURCE),
        Result(0.0, "", 0.0),
        Result(86400.123456789, "../größer\n\x1b[2J", 1.0, -1e9, (0.0, 0.0, 1.5, 2.5), SOURCE, "left"),
    ],
)
def test_it_takes_every_result(action: Any, result: Result) -> None:
    resolved(action).handle(result)
    action.close()


def test_close_may_be_called_twice(action: Any) -> None:
    resolved(action).handle(Result(1.5, "yes", 0.97, source=SOURCE))
    action.close()
    action.close()
