"""Are two machines' results the same? Run by deploy/arm64.sh, where eiq-demo[desktop,rt,onnx,classical] is installed.

    python parity.py pictures FOLDER               the hand signs' video as pictures, decoded once for both machines
    python parity.py take RESULTS.json FOLDER      runs the demos, writes what they said
    python parity.py compare HERE.json THERE.json

``take`` runs ``eiq-demo run … --fast --json`` for every case, and takes down the engine's scores of every frame,
before any smoothing or threshold. Where EIQ_MODELS names a folder with LABEL_FILE, label_image.yaml runs as well.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

DEMOS = ("cifar10", "kws", "gesture", "gesture_camera", "anomaly_autoencoder", "fan_state")
ENGINES = ("bundle", "reference", "default")
EXACT = ("bundle", "reference", "none")  # what has no freedom of its own: equal to the bit, or it is a fault
CLASSICAL = ("fan_state_svm", "fan_state_forest")
VIDEO = "gesture_camera"  # its frames come from FFmpeg, which rounds otherwise on each kind of processor
LABEL_MODEL = "mobilenet_v1_0.25_128_int8"
LABEL_FILE = "mobilenet_v1_0.25_128_quant_int8.tflite"
LABEL_SETS = (
    f"engine.model={LABEL_MODEL}",
    "preprocess.0.resize.width_px=128",
    "preprocess.0.resize.height_px=128",
    "preprocess.1.scale.from=[0, 255]",
)
PACKAGES = ("eiq-demo", "numpy", "ai-edge-litert", "opencv-python-headless", "onnxruntime", "scikit-learn")
FRAMES = 1000


@dataclass(frozen=True)
class Case:
    """One run: a bundled demo, the engine of its model ("none" where it has none), what is put in, what is changed."""

    demo: str
    engine: str
    input: str = ""
    sets: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[tuple[str, ...], str | None]:
        """Of ``--set`` and ``--engine``."""
        if self.engine == "bundle":
            return self.sets, "bundle"
        kernels = ("engine.kernels=reference",) if self.engine == "reference" else ()
        return (*self.sets, *kernels), None


def cases(pictures: Path) -> Iterator[Case]:
    """Every run. pictures: the video's frames."""
    yield Case("anomaly", "none")
    for demo in DEMOS:
        yield from (Case(demo, engine, str(pictures) if demo == VIDEO else "") for engine in ENGINES)
    yield Case(VIDEO, "default")
    for model in CLASSICAL:
        yield from (Case("fan_state", engine, sets=(f"engine.model={model}",)) for engine in ("bundle", "scikit-learn"))
    yield Case("regression", "onnx")
    yield Case("clustering", "scikit-learn")
    folders = os.environ.get("EIQ_MODELS", "").split(os.pathsep)
    if any(folder and list(Path(folder).glob(f"**/{LABEL_FILE}")) for folder in folders):
        yield from (Case("label_image", engine, sets=LABEL_SETS) for engine in ENGINES)


# ---- taking ------------------------------------------------------------------------------------------------------


def write_pictures(folder: Path) -> None:
    """The video's frames as PNG files."""
    import cv2

    from pipelines.resources import bundled

    video = cv2.VideoCapture(str(bundled() / "samples/gesture_camera/signs.avi"))
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    while True:
        there, frame = video.read()
        if not there:
            return
        cv2.imwrite(str(folder / f"{number:03d}.png"), frame)
        number += 1


def take(out: Path, pictures: Path) -> None:
    """Run every case, and write what it said.

    Raises:
        CalledProcessError: a demo failed; it has said why.
    """
    said = []
    for case in cases(pictures):
        print(f"{platform.machine()}: {case.demo}, {case.engine}", file=sys.stderr, flush=True)
        said.append(asdict(case) | {"results": results(case)} | scores(case))
    out.write_text(json.dumps({"machine": machine(), "cases": said}) + "\n", encoding="utf-8")


def machine() -> dict[str, str]:
    """What it ran on, and with which versions."""
    versions = {name: metadata.version(name) for name in PACKAGES}
    cc = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=True).stdout.partition("\n")[0]
    return {"machine": platform.machine(), "python": platform.python_version(), "cc": cc, **versions}


def results(case: Case) -> list[dict[str, Any]]:
    """The results that the command prints, in order."""
    sets, engine = case.changes
    command = [sys.executable, "-m", "apps.cli", "run", f"{case.demo}.yaml", "--fast", "--json"]
    command += [word for change in sets for word in ("--set", change)] + (["--engine", engine] if engine else [])
    command += ["--input", case.input] if case.input else []
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [line for line in lines if line["event"] == "result"]


def scores(case: Case) -> dict[str, Any]:
    """What leaves the engine, frame by frame, and one step of its quantisation (None: it has none)."""
    from apps.cli.options import opened
    from apps.compare.capture import Heard, links, listen
    from hal.targets import start
    from pipelines.config.demo import Overrides
    from pipelines.graph import stage_order
    from pipelines.timing import Stats

    sets, engine = case.changes
    changes: dict[str, Any] = {"pace": "fast", "loop": False}
    if case.input:
        changes |= {"file": str(Path(case.input).absolute()), "synthetic": None}
    with opened(f"{case.demo}.yaml", "sim", Overrides(sets, (("parity", changes),), engine)) as (_, graphs, target):
        (link,) = (link for graph in graphs for link in links(graph))
        heard = Heard(link, FRAMES)
        stats = Stats(order=stage_order(graphs))
        start(target, stats)
        listen(graphs, [heard], stats)
        steps = [spec.scale for spec in link.specs]
        frames = {f"{at}.{seen}": taken.values.tolist() for (at, seen), taken in heard.scores.items()}
        return {"step": steps[0] if len(steps) == 1 else None, "scores": frames}


# ---- comparing ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One case on both machines. largest: difference of a score, in its own unit; lsb: in steps of its quantisation."""

    demo: str
    engine: str
    frames: int
    values: int
    differing: int
    largest: float
    lsb: float | None
    results: int
    labels_same: bool
    results_same: bool

    @property
    def fault(self) -> bool:
        """Labels or times differ; or any bit does, in a case that leaves no freedom."""
        return not self.labels_same or (self.engine in EXACT and (self.differing > 0 or not self.results_same))


def compare(here: dict[str, Any], there: dict[str, Any]) -> list[Row]:
    """Case by case.

    Raises:
        SystemExit: the two did not run the same cases.
    """
    ours, theirs = ([(case["demo"], case["engine"]) for case in said["cases"]] for said in (here, there))
    if ours != theirs:
        raise SystemExit(f"got the cases {theirs}, expected {ours}; take both again")
    return [row(one, other) for one, other in zip(here["cases"], there["cases"], strict=True)]


def row(one: dict[str, Any], other: dict[str, Any]) -> Row:
    """One case, as both machines took it."""
    same_frames = one["scores"].keys() == other["scores"].keys()
    pairs = [
        (a, b)
        for at in one["scores"].keys() & other["scores"].keys()
        for a, b in zip(one["scores"][at], other["scores"][at], strict=True)
    ]
    largest = max((abs(a - b) for a, b in pairs), default=0.0)
    labels = [[(r["t"], r["label"]) for r in case["results"]] for case in (one, other)]
    models = "".join(f", {change.partition('=')[2]}" for change in one["sets"] if change.startswith("engine.model="))
    name = one["demo"] + (", pictures" if one["input"] else ", video" if one["demo"] == VIDEO else models)
    return Row(name, one["engine"], len(one["scores"]), len(pairs), sum(a != b for a, b in pairs), largest,
               largest / one["step"] if one["step"] else None, len(one["results"]),
               same_frames and labels[0] == labels[1], one["results"] == other["results"])  # fmt: skip


def table(rows: list[Row]) -> Iterator[str]:
    """As Markdown, so that it can stand in a page."""
    yield "| demo | engine | frames | scores | that differ | by at most | results | labels, times | their scores |"
    yield "|---|---|--:|--:|--:|---|--:|---|---|"
    for one in rows:
        far = "" if not one.differing else f"{one.largest:.2g}"
        if one.differing and one.lsb is not None:
            far = f"{one.lsb:.3g} LSB"
        labels, same = ("same" if yes else "differ" for yes in (one.labels_same, one.results_same))
        cells = (
            one.demo,
            one.engine,
            one.frames,
            f"{one.values:,}",
            f"{one.differing:,}",
            far,
            one.results,
            labels,
            same,
        )
        yield f"| {' | '.join(str(cell) for cell in cells)} |"


def main(arguments: list[str]) -> int:
    """The command; its exit code."""
    match arguments:
        case ["pictures", folder]:
            write_pictures(Path(folder))
            return 0
        case ["take", out, folder]:
            take(Path(out), Path(folder))
            return 0
        case ["compare", here, there]:
            said = [json.loads(Path(name).read_text(encoding="utf-8")) for name in (here, there)]
            for one in said:
                print(", ".join(f"{name} {value}" for name, value in one["machine"].items()))
            rows = compare(*said)
            print("", *table(rows), sep="\n")
            faults = [f"{one.demo} on {one.engine}" for one in rows if one.fault]
            if faults:
                print(f"parity: not the same: {'; '.join(faults)}", file=sys.stderr)
            return 1 if faults else 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
