"""``eiq-demo evaluate``: the numbers, the layouts, and what is wrong with the data."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import demos
import tiny_models
from demos import in_process, says, sound

pytest.importorskip("ai_edge_litert")
pytest.importorskip("sklearn")

from apps.evaluate import evaluate
from pipelines.config.demo import Overrides

RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)


def picture(path: Path, rgb: Sequence[int], size: int = 4) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((size, size, 3), rgb[::-1], np.uint8))
    return path


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """A demo, and beside it data with 4 red, 3 green, 2 blue pictures, of which one red is green and one blue dark."""
    config = demos.colours(tmp_path)
    for label, rgbs in {
        "red": [RED, RED, RED, GREEN], "green": [GREEN] * 3, "blue": [BLUE, (0, 0, 100)],
    }.items():  # fmt: skip
        for n, rgb in enumerate(rgbs):
            picture(tmp_path / f"data/{label}/{n}.png", rgb)
    return config


def measured(*arguments: str | Path, cwd: Path) -> dict[str, Any]:
    done = in_process("evaluate", *arguments, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


# ---- the numbers -------------------------------------------------------------------------------------------------


def test_a_config_is_measured(colours: Path) -> None:
    report = measured(colours, "--data", "data", cwd=colours.parent)
    answers = report["answers"]
    assert (report["title"], report["layout"], report["complete"], report["items"]) == (
        "Colours",
        "labelled folders",
        True,
        9,
    )
    assert (answers["right"], answers["accuracy"]) == (8, round(8 / 9, 6))
    assert answers["confusion"] == [[3, 1, 0], [0, 3, 0], [0, 0, 2]]
    assert [(one["label"], one["samples"], one["recall"]) for one in answers["classes"]] == [
        ("red", 4, 0.75), ("green", 3, 1.0), ("blue", 2, 1.0),
    ]  # fmt: skip
    # the config reports from 0.5 on: the dark blue one, 0.39, is an answer and no report
    assert report["reported"] == {"right": 7, "wrong": 1, "nothing": 1, "quiet": 0, "false": 0}
    assert report["used"][0]["model"] == "same"
    assert len(report["used"][0]["sha256"]) == 64


def test_the_numbers_of_shipped_models_on_shared_data(shared_data: Path) -> None:
    pictures = evaluate("cifar10.yaml", shared_data / "cifar10/test_500.npz")
    assert pictures.answers is not None
    assert pictures.items == 500
    assert 0.86 <= pictures.answers.accuracy == pictures.answers.right / 500
    words = evaluate("kws.yaml", shared_data / "kws/wav")
    assert words.reported is not None
    assert words.items == 240
    assert (words.accuracy or 0) >= 0.92
    assert words.reported.quiet + words.reported.false == 40  # silence and unknown, which kws.yaml ignores


def test_scores_are_those_of_the_bare_interpreter(shared_data: Path) -> None:
    from apps.cifar10.data import load
    from apps.cifar10.score import predictions
    from pipelines.resources import bundled

    images, labels = load(shared_data / "cifar10/test_500.npz", "test")
    given = predictions(bundled() / "models/cifar10/model.tflite", images)
    report = evaluate("cifar10.yaml", shared_data / "cifar10/test_500.npz")
    assert report.answers is not None
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (labels, given), 1)
    assert np.array(report.answers.confusion).tolist() == confusion.tolist()


def test_what_one_item_gives_does_not_depend_on_the_others(colours: Path) -> None:
    text = colours.read_text().replace("threshold: 0.5", "threshold: 0.5, refractory_ms: 60000")
    colours.write_text(text.replace("postprocess:", "postprocess:\n  - smooth: {over: 50}"))
    report = measured(colours, "--data", "data", cwd=colours.parent)
    assert report["reported"] == {"right": 7, "wrong": 1, "nothing": 1, "quiet": 0, "false": 0}
    for label in ("red", "green", "blue"):
        for path in (colours.parent / "data" / label).iterdir():
            alone = colours.parent / f"alone/{path.stem}/{label}/1.png"
            alone.parent.mkdir(parents=True)
            shutil.copy(path, alone)
            one = measured(colours, "--data", alone.parent.parent, cwd=colours.parent)
            answer = np.argmax(np.sum(one["answers"]["confusion"], axis=0))
            assert answer == {"red/3.png": 1}.get(f"{label}/{path.name}", ["red", "green", "blue"].index(label))
            shutil.rmtree(colours.parent / "alone")


def test_a_stateful_model_is_reset_before_each_item(tmp_path: Path) -> None:
    config, data = summing(tmp_path)
    report = measured(config, "--data", data, "--positive", "loud", cwd=tmp_path)
    assert report["groups"] == {"positive": ["loud"], "negative": ["quiet"], "positives": 3, "negatives": 3, "auc": 1.0}
    # a sum over all items would soon be above the limit in the quiet ones too
    assert report["reported"] == {"right": 3, "wrong": 0, "nothing": 0, "quiet": 3, "false": 0}


def summing(folder: Path) -> tuple[Path, Path]:
    """Values and no classes: the sum of an item's samples so far, reported above 10; each item has 40 samples."""
    (folder / "sum.tflite").write_bytes(tiny_models.accumulator())
    config = folder / "sum.yaml"
    config.write_text(
        "sensor: {microphone: {rate_hz: 8000}}\npreprocess: [window: {length_ms: 0.125, hop_ms: 0.125}]\n"
        "engine: {model: sum.tflite}\npostprocess: [threshold: {above: 10, label: alarm, cleared: over}]\n"
    )
    for n in range(3):
        for label, level in {"loud": 16384 + n, "quiet": 3000 + n}.items():
            (folder / "data" / label).mkdir(parents=True, exist_ok=True)
            sound(folder / f"data/{label}/{n}.wav", np.full(40, level, np.int16))
    return config, folder / "data"


def test_a_config_needs_no_recording_of_its_own(colours: Path) -> None:
    colours.write_text(colours.read_text().replace("camera: {file: pictures}", "camera"))
    assert measured(colours, "--data", "data", cwd=colours.parent)["items"] == 9


def test_frames_count_one_by_one_where_asked(tmp_path: Path) -> None:
    config, data = summing(tmp_path)
    by_item = measured(config, "--data", data, "--positive", "loud", cwd=tmp_path)
    by_frame = measured(config, "--data", data, "--positive", "loud", "--per", "frame", cwd=tmp_path)
    assert (by_item["items"], by_item["samples"]) == (6, 6)
    assert (by_frame["items"], by_frame["samples"]) == (6, 240)
    assert by_frame["groups"]["auc"] < by_item["groups"]["auc"] == 1  # a loud item's first sums are small


def test_a_model_of_ones_own_is_named_with_set(colours: Path) -> None:
    other = colours.parent / "other.tflite"
    other.write_bytes(tiny_models.copy("uint8", (1, 3), 1 / 255))
    report = evaluate(colours, colours.parent / "data", overrides=Overrides((f"engine.model={other}",)))
    assert (report.used[0].model, report.accuracy) == ("other", round(8 / 9, 6))


def test_one_of_several_values_is_scored(tmp_path: Path) -> None:
    config, data = summing(tmp_path)
    text = config.read_text().replace("length_ms: 0.125, hop_ms: 0.125", "length_ms: 1, hop_ms: 1")
    config.write_text(text.replace("above: 10", "of: 3, below: 0.3"))
    (tmp_path / "sum.tflite").write_bytes(tiny_models.copy("float32", (1, 8)))
    for n in range(3):
        samples = np.full(40, 30000, np.int16)
        samples[3::8] = 100 * n  # the others say the opposite
        sound(data / f"quiet/{n}.wav", samples)
    report = measured(config, "--data", data, "--positive", "quiet", cwd=tmp_path)
    assert report["groups"]["auc"] == 1.0
    assert report["reported"] == {"right": 3, "wrong": 0, "nothing": 0, "quiet": 3, "false": 0}


def test_a_step_that_learns_must_have_learned_before(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    (tmp_path / "shake.yaml").write_text(
        "sensor: {motion: {rate_hz: 100, channels: [ax_g]}}\npreprocess:\n  - window: {length_ms: 50, hop_ms: 50}\n"
        "  - gaussian: {learn_s: 5, file: normal.json}\n"
        "postprocess: [threshold: {above: 2, label: shaking, cleared: normal}]\n"
    )
    np.save(tmp_path / "normal.npy", rng.normal(0, 0.1, (1000, 1)).astype(np.float32))
    loudness = np.repeat([0.05, 2.0], 10)
    items = rng.normal(0, loudness[:, None, None], (20, 100, 1)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=items, y=np.repeat(["on", "clog"], 10))
    asked = ("shake.yaml", "--data", "data.npz", "--positive", "clog")
    done = in_process("evaluate", *asked, cwd=tmp_path)
    assert done.returncode == 2
    says(
        done.stderr, ["preprocess[1].gaussian would learn from the items; give it a file", "first (eiq-demo run CONFIG"]
    )
    assert not (tmp_path / "normal.json").exists()
    assert in_process("run", "shake.yaml", "--input", "normal.npy", "--fast", cwd=tmp_path).returncode == 0
    report = measured(*asked, cwd=tmp_path)
    assert report["groups"] == {"positive": ["clog"], "negative": ["on"], "positives": 10, "negatives": 10, "auc": 1.0}
    assert report["reported"] == {"right": 10, "wrong": 0, "nothing": 0, "quiet": 10, "false": 0}
    assert report["told"] == {"normal loaded": 20}
    again = in_process("evaluate", *asked, "--set", "preprocess.1.gaussian.relearn=true", cwd=tmp_path)
    assert again.returncode == 2
    without = in_process("evaluate", *asked, "--set", "preprocess.1.gaussian={learn_s: 5}", cwd=tmp_path)
    assert without.returncode == 2
    says(without.stderr, ["would learn from the items"])


def test_one_of_several_pipelines(colours: Path) -> None:
    one = "\n".join("    " + line for line in colours.read_text().splitlines() if not line.startswith("title"))
    colours.write_text(f"pipelines:\n  left:\n{one}\n  right:\n{one}\n")
    assert measured(colours, "--data", "data", "--pipeline", "right", cwd=colours.parent)["answers"]["right"] == 8
    done = in_process("evaluate", colours, "--data", "data", cwd=colours.parent)
    assert done.returncode == 2
    says(done.stderr, ["has the pipelines left, right; name the one to evaluate with --pipeline"])
    done = in_process("evaluate", colours, "--data", "data", "--pipeline", "middle", cwd=colours.parent)
    says(done.stderr, ["got --pipeline middle, expected one of: left, right"])


def test_a_limit_draws_the_same_sample_again(colours: Path) -> None:
    one = measured(colours, "--data", "data", "--limit", "5", cwd=colours.parent)
    assert (one["listed"], one["items"], one["complete"]) == (5, 5, True)
    assert one == measured(colours, "--data", "data", "--limit", "5", cwd=colours.parent)
    drawn = [measured(colours, "--data", "data", "--limit", "5", "--seed", seed, cwd=colours.parent) for seed in "1234"]
    assert len({str(report["answers"]["confusion"]) for report in drawn}) > 1


def test_positive_labels_of_classes(colours: Path) -> None:
    report = measured(colours, "--data", "data", "--positive", "red,green", "--negative", "blue", cwd=colours.parent)
    assert report["groups"]["auc"] == 1.0
    assert (report["groups"]["positives"], report["groups"]["negatives"]) == (7, 2)


def test_positive_labels_of_classes_score_high_where_the_config_reports_a_low_one(colours: Path) -> None:
    chain = colours.read_text().partition("postprocess:")[0]
    colours.write_text(chain + "postprocess: [threshold: {of: blue, below: 0.5, label: other}]\nactions: [console]\n")
    report = measured(colours, "--data", "data", "--positive", "red,green", "--negative", "blue", cwd=colours.parent)
    assert report["groups"]["auc"] == 1.0


def test_short_sound_of_speech_commands_is_filled_up(tmp_path: Path) -> None:
    demos.loud(tmp_path)
    for name in ("_silence_", "a"):
        (tmp_path / "data" / name).mkdir(parents=True)
        sound(tmp_path / f"data/{name}/1.wav", np.full(40, 20000, np.int16))
    asked = ("--set", "engine.labels=[" + ", ".join(["a", "silence", *(f"x{n}" for n in range(78))]) + "]",
             "--set", "postprocess.0={top: {}}")  # fmt: skip
    report = measured(tmp_path / "loud.yaml", "--data", "data", *asked, "--per", "frame", cwd=tmp_path)
    assert (report["layout"], report["items"], report["samples"]) == ("Speech Commands, prepared test set", 2, 200)
    done = in_process("evaluate", tmp_path / "loud.yaml", "--data", "data/a", *asked, cwd=tmp_path)
    assert done.returncode == 1


# ---- what is wrong with the data ---------------------------------------------------------------------------------


def test_pictures_that_do_not_open_are_counted_and_named(colours: Path) -> None:
    data = colours.parent / "data"
    (data / "red/broken.png").write_bytes(b"no picture")
    whole = (data / "red/0.png").read_bytes()
    (data / "red/cut.png").write_bytes(whole[: len(whole) // 2])
    (data / "blue/empty.png").touch()
    done = in_process("evaluate", colours, "--data", "data", "--json", cwd=colours.parent)
    report = json.loads(done.stdout)
    assert (done.returncode, report["items"], report["answers"]["right"]) == (0, 9, 8)
    assert report["unreadable"]["count"] == 3
    assert [name.partition(":")[0] for name in report["unreadable"]["first"]] == [
        "blue/empty.png", "red/broken.png", "red/cut.png",
    ]  # fmt: skip
    says(done.stderr, ["could not be read: 3 of 12 items; they count nowhere", "red/broken.png: ", "is damaged"])


def test_names_send_nothing_to_the_terminal(colours: Path) -> None:
    data = colours.parent / "data"
    (data / "red/x\x1b[2J\nfake.png").write_bytes(b"no picture")
    done = in_process("evaluate", colours, "--data", "data", cwd=colours.parent)
    assert done.returncode == 0
    assert "  red/x?[2J?fake.png: " in done.stderr
    (data / "r\x1b[2Jd").mkdir()
    (data / "red/0.png").rename(data / "r\x1b[2Jd/0.png")
    done = in_process("evaluate", colours, "--data", "data", cwd=colours.parent)
    assert done.returncode == 1
    says(done.stderr, ["has labels that the model has not: r?[2Jd;"])


def test_items_shorter_than_a_window_are_counted_apart(tmp_path: Path) -> None:
    config, data = summing(tmp_path)
    config.write_text(config.read_text().replace("length_ms: 0.125, hop_ms: 0.125", "length_ms: 5, hop_ms: 5"))
    (tmp_path / "sum.tflite").write_bytes(tiny_models.copy("float32", (1, 40)))
    sound(data / "loud/short.wav", np.full(39, 9, np.int16))
    labels = [*("loud", "quiet"), *(f"x{n}" for n in range(38))]
    asked = ["--set", f"engine.labels=[{', '.join(labels)}]", "--set", "postprocess.0={top: {}}"]
    done = in_process("evaluate", config, "--data", data, *asked, "--json", cwd=tmp_path)
    report = json.loads(done.stdout)
    assert (report["items"], report["no_frame"]) == (6, {"count": 1, "first": ["loud/short.wav"]})
    says(done.stderr, ["gave no frame: 1 of 7 items, shorter than one window"])


def test_other_classes_than_the_models(colours: Path) -> None:
    picture(colours.parent / "data/pink/1.png", RED)
    shutil.rmtree(colours.parent / "data/green")
    done = in_process("evaluate", colours, "--data", "data", cwd=colours.parent)
    assert (done.returncode, done.stdout) == (1, "")
    says(done.stderr, ["has labels that the model has not: pink; the model's that it has not: green; rename them"])
    report = measured(colours, "--data", "data", "--ignore-labels", "pink", cwd=colours.parent)
    assert (report["items"], report["ignored"]) == (6, 1)


def test_every_item_broken_is_a_failure(colours: Path) -> None:
    for path in (colours.parent / "data").rglob("*.png"):
        path.write_bytes(b"no")
    done = in_process("evaluate", colours, "--data", "data", cwd=colours.parent)
    assert (done.returncode, done.stdout) == (1, "")
    says(done.stderr, ["not one of the 9 items of", "could be measured; first", "is not a picture"])


def test_every_item_too_short_is_a_failure(tmp_path: Path) -> None:
    config, data = summing(tmp_path)
    config.write_text(config.read_text().replace("length_ms: 0.125, hop_ms: 0.125", "length_ms: 1000, hop_ms: 5"))
    (tmp_path / "sum.tflite").write_bytes(tiny_models.copy("float32", (1, 8000)))
    labels = ", ".join(["loud", "quiet", *(f"x{n}" for n in range(7998))])
    done = in_process("evaluate", config, "--data", data, "--set", f"engine.labels=[{labels}]", "--set",
                      "postprocess.0={top: {}}", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 1
    says(done.stderr, ["no frame reached the end of the chain in any of the 6 items", "shorter than one window"])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--data", "~no-such-user/x"], 1, "~no-such-user/x is not there"),
        (["--data", "x" * 5000], 1, "is not there, expected a folder"),
        (["--data", "nix"], 1, "nix is not there, expected a folder of labelled folders"),
        (["--data", "pictures"], 1, "pictures holds no items for the camera"),
        (["--data", "data", "--ignore-labels", "pink"], 1, "--ignore-labels names pink, but"),
        (["--data", "data", "--ignore-labels", "red,green,blue"], 1, "nothing but ignored labels"),
        (["--data", "data", "--positive", "pink"], 1, "got 'pink' as positive or negative, expected labels of"),
        (["--data", "data", "--positive", "red", "--negative", "red"], 1, "red cannot be positive and negative"),
        (["--data", "data", "--live"], 2, "leave --live and --input out"),
        (["--data", "data", "--split", "test"], 1, "has no folders of splits; leave it out"),
        (["--data", "data", "--layout", "cifar10"], 1, "CIFAR-10's list of labels"),
        (["--data", "data", "--plot", "nix/a.png"], 1, "there is no folder"),
        (["--data", "data", "--plot", "a.xcf"], 2, "expected a file name that ends in .png, .pdf, .svg"),
        (["--data", "data", "--target", "moon"], 2, "unknown target 'moon'"),
        (["--data", "data", "--set", "engine.model=nix.tflite"], 2, "nix.tflite is not there"),
        (["--data", "data", "--scheduler", "moon"], 2, "got --scheduler moon, expected local, local:N or an address"),
        ([], 2, "Missing option '--data'"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, list) else None,
)
def test_wrong_requests(colours: Path, arguments: list[str], code: int, said: str) -> None:
    done = in_process("evaluate", colours, *arguments, cwd=colours.parent)
    assert (done.returncode, done.stdout) == (code, "")
    says(done.stderr, [said])


def test_a_value_needs_to_know_what_it_stands_for(tmp_path: Path) -> None:
    config, data = summing(tmp_path)
    done = in_process("evaluate", config, "--data", data, cwd=tmp_path)
    assert done.returncode == 2
    says(done.stderr, ["gives a value and no classes; say with --positive"])
    done = in_process("evaluate", config, "--data", data, "--positive", "loud", "--plot", "a.png", cwd=tmp_path)
    assert done.returncode == 2
    says(done.stdout, ["AUC       1.0000"])  # what was measured is told all the same
    says(done.stderr, ["--plot draws the confusion of classes"])


def test_without_scikit_learn_it_says_what_to_install(colours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    done = in_process("evaluate", colours, "--data", "data", cwd=colours.parent)
    assert done.returncode == 2
    says(done.stderr, ["evaluate needs the module sklearn.metrics", "pip install 'eiq-demo[classical]'"])


# ---- the command -------------------------------------------------------------------------------------------------


def test_it_is_readable_and_drawn(colours: Path) -> None:
    done = in_process("evaluate", colours, "--data", "data", "--plot", "matrix.png", cwd=colours.parent)
    assert done.returncode == 0
    says(done.stdout, ["Colours on", "model same: ", "accuracy  0.8889   8 of 9, 95 % interval 0.5650 to 0.9801",
                       "7 right, 1 wrong, 1 not reported", "confusion: rows are what it is"])  # fmt: skip
    says(done.stderr, ["9 items in "])
    assert cv2.imread(str(colours.parent / "matrix.png")) is not None


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on the size of files")
@pytest.mark.slow
def test_a_disk_that_fills_loses_the_picture_alone(colours: Path) -> None:
    done = subprocess.run(
        demos.command("evaluate", colours, "--data", colours.parent / "data", "--plot", colours.parent / "m.png"),
        capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
    )  # fmt: skip
    assert done.returncode == 1
    says(done.stdout, ["accuracy  0.8889"])
    says(done.stderr, ["m.png (File too large); make room there, or name another folder"])
    assert not list(colours.parent.glob("*m.png*"))


def test_ctrl_c_tells_what_was_measured_until_then(colours: Path) -> None:
    data = colours.parent / "many.csv"
    rows = [f"data/{label}/0.png,{label}\n" for label in ("red", "green", "blue")]
    data.write_text("file,label\n" + "".join(row * 10_000 for row in rows))
    process = demos.started("evaluate", colours, "--data", data, "--json")
    with process:
        _until_it_scores(process.pid)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    report = json.loads(out)
    assert (report["complete"], report["answers"]["accuracy"], report["listed"]) == (False, 1.0, 30_000)
    assert 0 < report["items"] < 30_000
    says(err, [f"stopped after {report['items']:,} of 30,000 items, drawn at random"])
    if report["items"] > 500:  # a fair sample, not the first class
        assert min(one["samples"] for one in report["answers"]["classes"]) > 0.2 * report["items"]


def _until_it_scores(pid: int) -> None:
    """The model's runtime is loaded and pictures are being read: seen by the reads that the process has made."""
    from time import monotonic, sleep

    end = monotonic() + 30
    while monotonic() < end:
        calls = int(
            next(line for line in Path(f"/proc/{pid}/io").read_text().splitlines() if "syscr" in line).split()[1]
        )
        if calls > 8000:
            return
        sleep(0.02)
    raise AssertionError("it never came to the items")


def test_the_order_of_the_data_does_not_matter(colours: Path) -> None:
    lines = [
        f"data/{path.parent.name}/{path.name},{path.parent.name}" for path in (colours.parent / "data").rglob("*.png")
    ]
    reports = []
    for seed in range(3):
        random.Random(seed).shuffle(lines)
        (colours.parent / "index.csv").write_text("file,label\n" + "\n".join(lines) + "\n")
        reports.append(measured(colours, "--data", "index.csv", cwd=colours.parent))
    assert reports[0] == reports[1] == reports[2]
    assert os.path.basename(reports[0]["data"]) == "index.csv"  # noqa: PTH119
