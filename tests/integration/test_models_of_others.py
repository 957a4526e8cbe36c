"""Models that we did not train, through whole configs: their makers' pictures and sounds get their makers' answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from apps.cli.main import main

CIFAR10 = "[airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck]"
WORDS = "[down, go, left, no, off, on, right, stop, up, yes, silence, unknown]"

CIFARNET = """
sensor: {{camera: {{file: {data}/nxp_eiq/ship.bmp}}}}
preprocess:
  - resize: {{width_px: 32, height_px: 32}}
  - scale: {{from: [0, 256], to: [-1, 1]}}
engine: {{model: {data}/nxp_eiq/cifarnet_quant_int8.tflite, labels: {cifar10}}}
postprocess: [top]
"""

DS_CNN = """
sensor: {{microphone: {{file: {data}/nxp_eiq/off.wav}}}}
preprocess:
  - window: {{length_ms: 1000, hop_ms: 100}}
  - mfcc: {{window_ms: 40, hop_ms: 20, spectrum: magnitude, mels: 40, fmin_hz: 20, fmax_hz: 4000, coefficients: 10}}
engine: {{model: {data}/nxp_eiq/ds_cnn_s.tflite, labels: {words}}}
postprocess: [top]
"""

MOBILENET_INT8 = """
sensor: {{camera: {{file: {data}/nxp_eiq/stopwatch.bmp}}}}
preprocess:
  - resize: {{width_px: 128, height_px: 128, fit: stretch, filter: linear}}
  - scale: {{from: [0, 255], to: [-1, 1]}}
engine: {{model: {data}/nxp_eiq/mobilenet_v1_0.25_128_quant_int8.tflite, labels: {data}/nxp_eiq/labels.txt}}
postprocess: [top]
"""


def run(text: str, tmp_path: Path, shared_data: Path) -> dict[str, object]:
    (tmp_path / "demo.yaml").write_text(text.format(data=shared_data, cifar10=CIFAR10, words=WORDS))
    done = CliRunner().invoke(main, ["run", str(tmp_path / "demo.yaml"), "--fast", "--json"])
    assert done.exit_code == 0, done.stderr
    (result,) = [line for line in map(json.loads, done.stdout.splitlines()) if line["event"] == "result"]
    return result


@pytest.mark.parametrize(
    ("text", "label", "score"),
    [
        pytest.param(CIFARNET, "ship", 0.996, id="NXP's CIFAR net, int8"),
        pytest.param(DS_CNN, "off", 0.996, id="NXP's DS-CNN, float with its own recipe"),
        pytest.param(MOBILENET_INT8, "stopwatch", 0.88, id="NXP's MobileNet, int8"),
    ],
)
def test_the_makers_answer(text: str, label: str, score: float, tmp_path: Path, shared_data: Path) -> None:
    result = run(text, tmp_path, shared_data)
    assert result["label"] == label
    assert result["score"] == pytest.approx(score, abs=0.005)


def test_a_model_that_nobody_can_run_is_refused_in_one_sentence(tmp_path: Path, shared_data: Path) -> None:
    model = shared_data / "refuse/model_invoking_error.tflite"
    (tmp_path / "demo.yaml").write_text(f"sensor: {{camera: {{file: {shared_data}/nxp_eiq/ship.bmp}}}}\n"
                                        f"engine: {{model: {model}}}\npostprocess: [top]\n")  # fmt: skip
    done = CliRunner().invoke(main, ["check", str(tmp_path / "demo.yaml")])
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "needs the operator 'fake-op-double', which " in done.stderr
