"""``eiq-demo compare``: every variant's numbers against engines that are driven by hand."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import demos
import sysroots
import tiny_models
from apps.cli.options import opened
from apps.compare.memory import added
from demos import in_process, says
from pipelines.config.demo import Overrides
from pipelines.core import Frame
from pipelines.engines.tflite import Tflite
from pipelines.errors import ModelError
from pipelines.resources import bundled

TWO_PIPELINES = {"eyes": demos.colours, "ears": demos.loud}
EMULATED = {"host": "host", "qemu": "mps2-an500"}


def board(place: str) -> None:
    """Skips where the emulated board cannot be built and run here."""
    from hal.rt.firmware import needed

    pytest.importorskip("tflite")
    if missing := needed(EMULATED[place]):
        pytest.skip(missing)


def compared(folder: Path, *arguments: str) -> dict[str, Any]:
    done = in_process("compare", *arguments, "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    report: dict[str, Any] = json.loads(done.stdout)  # one object and nothing else
    return report


def stored(config: str, engine: str, **options: object) -> np.ndarray:
    """What an engine's output stores for every frame of a demo, [frames, values]: the stages driven by hand."""
    sets = tuple(f"engine.{key}={value}" for key, value in options.items())
    rows = []
    with opened(config, "sim", Overrides(sets, (("test", {"pace": "fast"}),), engine)) as (_, (graph,), _):
        place = next(i for i, stage in enumerate(graph.stages) if stage.kind == "engines")
        spec = graph.stages[place].part.outputs[0]
        for frame in graph.sensor.frames():
            found: list[Any] = [frame]
            for stage in graph.stages[: place + 1]:
                found = [out for one in found for out in stage.process(one)]
            rows += [one.array / spec.scale + spec.zero_point for one in found if isinstance(one, Frame)]
            rows = [row.copy() for row in rows]
    return np.rint(np.stack(rows)).astype(int)


OURS = [
    "cifar10",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("kws", "gesture", "gesture_camera", "fan_state")),
]


@pytest.mark.parametrize("config", OURS)
def test_the_numbers_are_those_of_the_engines(config: str, tmp_path: Path) -> None:
    pytest.importorskip("tflite")
    report = compared(tmp_path, config, "--engines", "tflite,bundle,tflite:kernels=reference", "--frames", "200")
    reference, *others = report["outcomes"]
    a = stored(config, "tflite")[:200]
    assert (reference["scores"][0]["frames"], reference["bit_exact"]) == (len(a), None)
    for outcome, b in zip(
        others, (stored(config, "bundle"), stored(config, "tflite", kernels="reference")), strict=True
    ):
        apart = np.abs(b[:200] - a)
        found = outcome["scores"][0]["difference"]
        assert (found["frames"], found["values"]) == (len(a), a.size)
        assert (found["missing"], found["extra"], found["not_finite"]) == (0, 0, 0)
        assert found["differing_values"] == np.count_nonzero(apart)
        assert found["differing_frames"] == np.count_nonzero(apart.any(axis=1))
        assert found["largest_lsb"] == apart.max()
        assert found["mean_lsb"] == pytest.approx(apart.mean())
        assert found["top1_agree"] == np.count_nonzero(b[:200].argmax(axis=1) == a.argmax(axis=1))
        assert outcome["bit_exact"] == found["bit_exact"] == (not apart.any())
        assert outcome["results"]["same"]
        assert (outcome["scores"][0]["layer"] is None) == (not apart.any())
        assert apart.max() <= 50  # of 256: as far as XNNPACK was seen to go


@pytest.mark.parametrize("config", OURS)
def test_compiled_c_is_the_reference_kernels_within_two_lsb(config: str, tmp_path: Path) -> None:
    """LiteRT's reference kernels and those of tflite-micro, which the compiler follows, differ by 1 to 2 LSB."""
    pytest.importorskip("tflite")
    report = compared(tmp_path, config, "--engines", "tflite:kernels=reference,bundle", "--frames", "100")
    difference = report["outcomes"][1]["scores"][0]["difference"]
    assert difference["largest_lsb"] <= 2
    assert difference["top1_agree"] == difference["frames"]


def test_the_same_engine_twice_is_bit_exact(tmp_path: Path) -> None:
    config = str(demos.colours(tmp_path))
    done = in_process("compare", config, "--engines", "tflite,tflite:threads=2", "--strict", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    says(done.stdout, ["tflite (the reference)", "3 frames", "tflite:threads=2", "2 threads",
                       "bit-exact: all 9 values of 3 frames", "the results are the same: 3 labels in order",
                       "p95", "measured here unless", "ready to run after"])  # fmt: skip
    assert "blue" not in done.stdout  # no action ran


def test_what_differs_is_shown_where_and_how_far(tmp_path: Path) -> None:
    config = demos.colours(tmp_path)
    report = compared(tmp_path, str(config), "--engines", "tflite,tflite:threads=2", "--frames", "2")
    assert (report["title"], report["bit_exact"]) == ("Colours", True)
    assert [one["scores"][0]["frames"] for one in report["outcomes"]] == [2, 2]
    pytest.importorskip("tflite")
    done = in_process("compare", "cifar10", "--engines", "tflite,bundle", "--strict", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")  # all ran, but --strict asks for the same bits
    says(done.stdout, ["NOT bit-exact: ", " LSB at most", "LSB in the mean\n",
                       "first at 0.000 s: airplane", "first layer that differs: operator 0 of 23, CONV_2D ",
                       "the best label is the same in 10 of 10 frames"])  # fmt: skip
    assert max(map(len, done.stdout.splitlines())) <= 120
    assert in_process("compare", "cifar10", "--engines", "tflite,bundle", cwd=tmp_path).returncode == 0


def test_another_input_and_other_options_count_for_all(tmp_path: Path) -> None:
    config = demos.colours(tmp_path)
    report = compared(tmp_path, str(config), "--engines", "tflite,tflite:threads=2", "--input",
                      str(tmp_path / "pictures/red.png"), "--set", "engine.labels=[a, b, c]")  # fmt: skip
    assert [one["results"]["count"] for one in report["outcomes"]] == [1, 1]
    assert report["outcomes"][1]["scores"][0]["frames"] == 1


def test_several_pipelines_are_compared_each(tmp_path: Path) -> None:
    pytest.importorskip("tflite")
    text = "pipelines:\n"
    for name, make in TWO_PIPELINES.items():
        lines = [line for line in make(tmp_path).read_text().splitlines() if not line.startswith("title")]
        text += f"  {name}:\n" + "".join(f"    {line}\n" for line in lines)
    (tmp_path / "two.yaml").write_text(text)
    report = compared(tmp_path, "two.yaml", "--engines", "tflite,bundle")
    scores = report["outcomes"][1]["scores"]
    assert [(one["pipeline"], one["frames"], one["difference"]["bit_exact"]) for one in scores] == [
        ("eyes", 3, True), ("ears", 100, True),
    ]  # fmt: skip
    assert report["outcomes"][1]["results"]["same"]


CASCADE = """
title: A second look
sensor: {camera: {}}
steps:
  - resize: {width_px: 32, height_px: 32}
  - scale: {from: [0, 255], to: [0, 1]}
  - engine: {model: cifar10}
  - threshold: {above: ABOVE, label: something, of: ship}
  - resize: {width_px: 32, height_px: 32}
  - scale: {from: [0, 255], to: [0, 1]}
  - engine: {model: cifar10}
  - top: {k: 1}
"""


def test_options_go_to_every_engine_of_a_config_of_steps(tmp_path: Path) -> None:
    (tmp_path / "steps.yaml").write_text(CASCADE.replace("ABOVE", "0.001"))
    pictures = ("--input", str(bundled() / "samples/cifar10"))
    report = compared(tmp_path, "steps.yaml", "--engines", "tflite,tflite:kernels=reference", *pictures)
    used = [one["engine"] for one in report["outcomes"][1]["used"]]
    assert len(used) == 2
    assert all("reference kernels" in engine for engine in used)
    done = in_process("compare", "steps.yaml", "--engines", "tflite,tflite:kernelz=reference", *pictures, cwd=tmp_path)
    assert done.returncode == 1
    assert 'steps[2].engine.kernelz: unknown option; did you mean "kernels"?' in done.stderr


@pytest.mark.parametrize("tree", sysroots.ALL)
def test_an_imx8_board_is_compared_with_the_simulator(
    tree: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EIQ_SYSROOT", str(sysroots.copied(tree, tmp_path).root))
    report = compared(tmp_path, "cifar10", "--targets", "sim,imx8", "--engines", "tflite:delegate=none", "--input",
                      str(bundled() / "samples/cifar10"), "--frames", "2")  # fmt: skip
    (used,) = report["outcomes"][1]["used"]
    assert report["bit_exact"]
    assert report["outcomes"][1]["board"]
    assert used["load_ms"] > 0


def test_a_link_without_frames_counts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "steps.yaml").write_text(CASCADE.replace("ABOVE", "1"))
    arguments = ("compare", "steps.yaml", "--engines", "tflite,tflite:threads=2", "--strict", "--input",
                 str(bundled() / "samples/cifar10"))  # fmt: skip
    done = in_process(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "tflite1: bit-exact" in done.stdout
    assert "tflite2: no frames in either" in done.stdout


@pytest.mark.slow
def test_an_autoencoders_error_is_compared_in_its_own_unit(tmp_path: Path) -> None:
    pytest.importorskip("tflite")
    report = compared(tmp_path, "anomaly_autoencoder", "--engines", "tflite,bundle")
    difference = report["outcomes"][1]["scores"][0]["difference"]
    assert (difference["largest_lsb"], difference["top1_agree"]) == (None, None)
    assert 0 < difference["largest"] < 0.05
    assert report["outcomes"][1]["scores"][0]["layer"]["operator"] == "FULLY_CONNECTED"


def hashed(path: Path) -> dict[str, object]:
    return {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}


def test_float_scores_of_two_kinds_of_file(tmp_path: Path) -> None:
    """A float network as .tflite and as .onnx: no LSB, and no layers of two files."""
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    config = demos.colours(tmp_path)
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph([helper.make_node("Mul", ["x", "half"], ["y"])], "g",
                              [helper.make_tensor_value_info("x", kind, [1, 3])],
                              [helper.make_tensor_value_info("y", kind, [1, 3])],
                              [helper.make_tensor("half", kind, [1], [0.5])])  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    files = [{"engine": engine, "path": path} | hashed(tmp_path / path)
             for engine, path in (("tflite", "same.tflite"), ("onnx", "m.onnx"))]  # fmt: skip
    manifest = {"name": "both", "title": "Both", "labels": ["red", "green", "blue"], "files": files,
                "input": {"kind": "image", "shape": [1, 1, 3]}, "training": {"data": "none", "licence": "none"},
                "preprocess": [{"resize": {"width_px": 1, "height_px": 1}},
                               {"scale": {"from": [0, 255], "to": [0, 1]}}]}  # fmt: skip
    (tmp_path / "manifest.yaml").write_text(json.dumps(manifest))
    text = config.read_text().replace("model: same.tflite, labels: [red, green, blue]", "model: manifest.yaml")
    config.write_text(text.replace("threshold: 0.5", "threshold: 0.0"))
    report = compared(tmp_path, str(config), "--engines", "tflite,onnx")
    (scores,) = report["outcomes"][1]["scores"]
    x = 200 / 255  # half of which is what the other file gives
    assert scores["difference"]["largest"] == pytest.approx(0.5 * x, rel=1e-6)
    assert scores["difference"]["mean"] == pytest.approx(0.5 * x / 3, rel=1e-6)
    assert (scores["difference"]["largest_lsb"], scores["difference"]["differing_values"]) == (None, 3)
    assert (scores["layer"], scores["no_layer"]) == (
        None, "layers are shown of one model file, and these are same.tflite and m.onnx",
    )  # fmt: skip


def test_a_variant_that_cannot_run_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    done = in_process("compare", "kws", "--engines", "tflite,sklearn,tflite:threads=2", "--frames", "5", cwd=tmp_path)
    assert done.returncode == 1
    says(done.stderr, ["cannot run: ", "model kws has no file for the engine 'sklearn'"])
    assert len(done.stderr.splitlines()) == 2  # its name, and why
    says(done.stdout, ["bit-exact: all 60 values of 5 frames"])
    report = json.loads(in_process("compare", "kws", "--engines", "tflite,sklearn", "--json", cwd=tmp_path).stdout)
    assert (report["bit_exact"], report["outcomes"][1]["bit_exact"]) == (False, None)
    assert "has no file" in report["outcomes"][1]["error"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["kws"], 2, "got nothing to compare"),
        (["kws", "--engines", "tflite"], 2, "got tflite to compare, expected at least two"),
        (["kws", "--engines", "tflite,bundel"], 2, "unknown engine 'bundel'; did you mean \"bundle\"?"),
        (["kws", "--targets", "sim,nix"], 2, "unknown target 'nix'"),
        (["kws", "--engines", "sklearn,tflite"], 2, "has no file for the engine 'sklearn'"),  # nothing to compare with
        (["kwz", "--engines", "tflite,bundle"], 2, "no bundled config of that name"),
        (["anomaly", "--engines", "tflite,bundle"], 2, "this demo runs no model; compare targets alone"),
        (["kws", "--engines", "tflite,bundle", "--set", "sensor.microphone={live: true}"], 2, "is live, and no two"),
        (["kws", "--engines", "tflite,bundle", "--plot", "a.xcf"], 2, "expected a file name that ends in"),
        (["kws", "--engines", "tflite,bundle", "--input", "short.wav"], 1, "the reference gave no scores"),
        (["kws", "--engines", "tflite,bundle", "--input", "nix.wav"], 2, "nix.wav"),
        (["kws", "--engines", "tflite,bundle", "--frames", "0"], 2, "0 is not in the range"),
        (["kws", "--engines", "tflite,bundle", "--live"], 2, "No such option"),
        (["colours.yaml", "--engines", "tflite,tflite:threads=2"], 2, "needs the operator 'Odd'"),
    ],
    ids=lambda value: None if isinstance(value, int | str) else " ".join(value),
)
def test_what_is_wrong_is_one_sentence(arguments: list[str], code: int, said: str, tmp_path: Path) -> None:
    demos.colours(tmp_path)
    (tmp_path / "same.tflite").write_bytes(tiny_models.with_custom_operator("Odd"))
    demos.sound(tmp_path / "short.wav", np.zeros(160, np.int16), 16000)
    done = in_process("compare", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    says(done.stderr, [said])


@pytest.mark.slow
def test_the_plot_is_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("tflite")
    arguments = ["compare", "cifar10", "--engines", "tflite,bundle,tflite:threads=2", "--plot", "apart.svg"]
    assert in_process(*arguments, cwd=tmp_path).returncode == 0
    drawn = (tmp_path / "apart.svg").read_text()
    assert drawn.startswith("<?xml")
    says(drawn, ["bundle: not bit-exact, 100 values", "tflite:threads=2: bit-exact, 100 values", "apart in LSB"])


def test_the_plot_names_the_pipelines(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    arguments = ["compare", "cameras", "--engines", "tflite,tflite:threads=2", "--frames", "2", "--plot", "apart.svg"]
    assert in_process(*arguments, cwd=tmp_path).returncode == 0
    says(
        (tmp_path / "apart.svg").read_text(),
        ["tflite:threads=2, left.tflite: bit", "tflite:threads=2, right.tflite: bit"],
    )


def test_what_cannot_be_compared_has_no_bars(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = in_process("compare", "kws", "--engines", "tflite,sklearn", "--frames", "2", "--plot", "a.png", cwd=tmp_path)
    assert (done.returncode, (tmp_path / "a.png").exists()) == (1, True)


def test_times_say_whose_they_are(tmp_path: Path) -> None:
    report = compared(tmp_path, "kws", "--engines", "tflite,tflite:kernels=builtin", "--frames", "20")
    for outcome in report["outcomes"]:
        (row,) = outcome["rows"]
        assert (row["stage"], row["frames"], row.get("measured")) == ("tflite", 19, None)  # here
        assert 0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"] <= row["max_ms"]
        (used,) = outcome["used"]
        assert (used["model"], used["file_bytes"]) == ("kws", 51_008)
        assert 0 < used["load_ms"] < 1000
        assert outcome["ready_s"] > 0
    assert report["times"].startswith("each variant's own, one after the other")


@pytest.mark.slow
def test_memory_is_measured_alike_for_every_engine(tmp_path: Path) -> None:
    pytest.importorskip("tflite")
    pytest.importorskip("tflite_micro")
    arguments = ("kws", "--engines", "tflite,bundle,tflm", "--frames", "2")
    interpreter, compiled, micro = (one["used"][0]["memory"] for one in compared(tmp_path, *arguments)["outcomes"])
    for memory in (interpreter, compiled, micro):
        assert 1_000_000 < memory["process"] <= memory["process_peak"] < 100_000_000
    assert compiled["process"] < interpreter["process"]  # the compiler is Python, LiteRT a library of 20 MB
    assert (compiled["ram"], micro["arena"]) == (20_360, 47_296)  # as each states it of itself
    says(in_process("compare", *arguments, cwd=tmp_path).stdout, ["in ", " MB to a process"])


def test_what_a_large_model_adds_is_its_size(tmp_path: Path) -> None:
    """40 MB of weights, read whole: the difference of a fresh process, not of this one."""
    table = np.ones((1, 10_000_000), np.float32)
    tensors = [tiny_models.Tensor("x", "float32", (1, 1)), tiny_models.Tensor("w", "float32", table.shape, data=table),
               tiny_models.Tensor("y", "float32", table.shape)]  # fmt: skip
    path = tmp_path / "large.tflite"
    path.write_bytes(tiny_models.model(tensors, [tiny_models.Operator(0, [0, 1], [2])], [0], [2]))
    memory = added(Tflite, Tflite.Config(model="large", kernels="builtin"), path)
    assert 80e6 < memory["process"] < 240e6  # weights, output, and our own copy of it


def test_an_engine_that_ends_the_measuring_process_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"the process that measures memory ended with 1 .*nowhere.tflite"):
        added(Tflite, Tflite.Config(model="m"), tmp_path / "nowhere.tflite")


def test_it_is_a_command_of_its_own(tmp_path: Path) -> None:
    done = subprocess.run(demos.command("compare", "cifar10", "--engines", "tflite,tflite:threads=2", "--json"),
                          cwd=tmp_path, capture_output=True, text=True, check=True)  # fmt: skip
    assert json.loads(done.stdout)["bit_exact"] is True


@pytest.mark.parametrize("place", ["host", pytest.param("qemu", marks=pytest.mark.slow)])
@pytest.mark.parametrize("config", ["cifar10", "kws", "gesture", "anomaly_autoencoder"])
def test_a_board_gives_the_simulators_bits(config: str, place: str, tmp_path: Path) -> None:
    board(place)
    report = compared(tmp_path, config, "--targets", f"sim,rt:{place}", "--engines", "bundle", "--frames", "40")
    outcome = report["outcomes"][1]
    assert (outcome["name"], outcome["bit_exact"], outcome["results"]["same"]) == (f"rt:{place} bundle", True, True)
    assert any(f"board {EMULATED[place]}" in line for line in outcome["board"])
    parts = {row["stage"].partition(".")[2]: row.get("measured", "here") for row in outcome["rows"]}
    assert parts.keys() == {"", "transport", "device", "host"}
    assert parts["device"].startswith("on the board")


def test_features_on_the_board_give_the_same_scores(tmp_path: Path) -> None:
    board("host")
    report = compared(tmp_path, "kws", "--targets", "rt:host", "--engines", "bundle,bundle:offload=features",
                      "--frames", "40")  # fmt: skip
    assert report["bit_exact"]
    assert [row["stage"] for row in report["outcomes"][1]["rows"]] == [
        "board", "board.features", "board.device", "board.wait",
    ]  # fmt: skip


def test_where_a_board_differs_from_xnnpack_is_shown(tmp_path: Path) -> None:
    board("host")
    report = compared(tmp_path, "kws", "--targets", "sim,rt:host", "--frames", "20")
    (scores,) = report["outcomes"][1]["scores"]
    assert not scores["difference"]["bit_exact"]
    assert (scores["layer"]["operator"], scores["layer"]["index"]) == ("CONV_2D", 0)
