from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from hal.sim.target import Sim
from pipelines.config.json_schema import demo_schema
from pipelines.config.yaml12 import parse
from pipelines.resources import bundled_configs


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = demo_schema(Sim())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def plain(text: str) -> Any:
    node = parse(text, "f.yaml", Path("/"), [])
    assert node is not None
    return node.plain()


@pytest.mark.parametrize("path", bundled_configs(), ids=lambda path: path.name)
def test_bundled_demos_are_valid(validator: Any, path: Path) -> None:
    validator.validate(plain(path.read_text()))


@pytest.mark.parametrize(
    "text",
    [
        "sensor: camera",
        "sensor: {camera: null}",
        "pipelines: {a: {sensor: {camera: {file: x.png}}, postprocess: [top]}}",
        "steps: [{fork: {branches: [[], [{scale: {from: [0, 255]}}]]}}, {engine: {model: a, type: tflite}}, top]",
        "actions: [console, {jsonl: {path: a.jsonl}}]",
    ],
)
def test_good(validator: Any, text: str) -> None:
    validator.validate(plain(text))


@pytest.mark.parametrize(
    "text",
    [
        "sensr: camera",
        "sensor: {camera: {fpz: 1}}",
        "sensor: {camera: {fps: -1}}",
        "sensor: {camera: {}, microphone: {}}",
        "preprocess: [top]",
        "preprocess: [mfcc: {mels: many}]",
        "postprocess: [smooth]",
        "engine: {threads: 2}",
        "engine: {model: a, type: nothing}",
        "actions: [jsonl]",
    ],
)
def test_bad(validator: Any, text: str) -> None:
    assert not validator.is_valid(plain(text))
