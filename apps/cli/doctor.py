"""``eiq-demo doctor``."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import click

from apps.cli.lines import wrapped
from pipelines.errors import DeviceError, EiqError, MissingDependency, ModelError
from pipelines.resources import bundled_configs

DESKTOP = "pip install 'eiq-demo[desktop]'"


HANG = 24
"""Where a line's text begins, behind its mark and name."""
PROOFS = {"bundle": "kws", "onnx": "kws", "opencv": "kws", "sklearn": "fan_state_svm", "tflm": "kws"}
"""A bundled model that each engine must load."""


@click.command()
def doctor() -> None:
    """Say what works on this machine, and the command that mends what does not.

    Exit code 1 where the bundled demos cannot run; a missing microphone or camera matters for --live alone, and a model
    that is to be fetched for its own demo.

    \b
    eiq-demo doctor
    """
    bad = _section("the bundled demos need", {
        "Python": lambda: f"{platform.python_version()} on {platform.platform()}",
        "TensorFlow Lite": _tflite,
        "OpenCV": _opencv,
        "audio files": _soundfile,
        "models": _models,
    })  # fmt: skip
    demos = {path.name: partial(_demo, path) for path in bundled_configs()}
    missing = _section("the bundled demos", demos)
    _section("the other engines need", {name: partial(_engine, name, model) for name, model in PROOFS.items()}
             | {"armnn": _armnn})  # fmt: skip
    _section("clustering needs", {"scikit-learn": _sklearn})
    _section("the target rt needs", {
        "rt:host": partial(_board, "host"),
        "rt:qemu": partial(_board, "mps2-an500"),
        "rt:PORT": _serial,
    })  # fmt: skip
    _section("--live needs", {"microphone": _microphone, "camera": _camera})
    if bad:
        raise EiqError(f"{bad} of the things that the bundled demos need do not work; see above")
    click.echo(f"{'the other' if missing else 'all'} bundled demos can run: eiq-demo run kws.yaml")


def _section(title: str, checks: Mapping[str, Callable[[], str]]) -> int:
    click.echo(f"{title}:")
    bad = 0
    for name, check in checks.items():
        try:
            mark, text = "ok ", check()
        except EiqError as error:
            mark, text = "BAD", str(error)
            bad += 1
        head, *others = text.splitlines()
        for line in (f"  {mark}  {name:<16} {head}", *(" " * HANG + other for other in others)):
            for part in wrapped(line, HANG):
                click.echo(part)
    return bad


def _tflite() -> str:
    from pipelines.engines.tflite import Tflite
    from pipelines.models import open_model

    # the proof is a model that loads, with the kernels that it really gets
    engine = Tflite(Tflite.Config(model="kws"), open_model("kws", Path.cwd()).path)
    engine.close()
    return engine.description


def _engine(name: str, model: str) -> str:
    from pipelines import registry
    from pipelines.models import open_model

    kind = registry.load("engines", name)
    engine = kind(kind.Config(model=model), open_model(model, Path.cwd(), engine=name).path)
    engine.close()
    return str(engine.description)


def _armnn() -> str:
    from pipelines.engines import armnn

    return armnn.available()


def _sklearn() -> str:
    from pipelines.optional import require

    sklearn = require("sklearn", purpose="the step cluster", install="pip install 'eiq-demo[classical]'")
    return f"scikit-learn {sklearn.__version__}"


def _opencv() -> str:
    from pipelines.optional import require

    cv2 = require("cv2", purpose="pictures and cameras", install=DESKTOP)
    return f"{cv2.__version__}"


def _soundfile() -> str:
    from pipelines.optional import require

    return f"soundfile {require('soundfile', purpose='audio files', install=DESKTOP).__version__}"


def _models() -> str:
    from pipelines.models import find_file, read_manifest, state, verify
    from pipelines.resources import absent_models, manifests

    found = manifests()
    if not found:
        raise ModelError("no model is there; install eiq-demo again, or name a folder of models with EIQ_MODELS")
    to_fetch, right = [], []
    for manifest in map(read_manifest, found.values()):
        states = {state(manifest, file) for file in manifest.files}
        if states & {"to fetch", "quoted"}:
            to_fetch += [manifest.name] if "to fetch" in states else []
            continue
        for file in manifest.files:
            verify(find_file(manifest, file), file)
        right.append(manifest.name)
    rest = f"; {len(to_fetch)} more are to fetch (eiq-demo models list)" if to_fetch else ""
    return f"{', '.join(right)}: every file has its manifest's sha256{rest}{absent_models()}"


def _demo(path: Path) -> str:
    from contextlib import ExitStack

    from hal.sim.target import Sim
    from pipelines.config.demo import load_demo
    from pipelines.graph import resolve

    with ExitStack() as stack:
        resolve(load_demo(str(path), Sim()), Sim(), stack)
    return "here"


def _board(board: str) -> str:
    from hal.rt.firmware import needed
    from pipelines.optional import require

    require("tflite", purpose="compiling a model into a firmware", install="pip install 'eiq-demo[rt]'")
    missing = needed(board)
    if missing:
        raise MissingDependency(missing)
    return f"the firmware can be built and run for {board}"


def _serial() -> str:
    from pipelines.optional import require

    serial = require("serial", purpose="a board at a serial port", install="pip install 'eiq-demo[rt]'")
    require("serial.tools.list_ports", purpose="serial ports", install="pip install 'eiq-demo[rt]'")
    found = sorted(port.device for port in serial.tools.list_ports.comports())
    return f"pyserial {serial.__version__}; ports: {', '.join(found) or 'none is there'}"


def _microphone() -> str:
    from hal.live.portaudio import inputs, sounddevice

    found = inputs(sounddevice())
    if not found:
        raise DeviceError("no microphone is there; plug one in, or start the sound server")
    return ", ".join(f"{device.index} {device.name}" for device in found)


def _camera() -> str:
    found = sorted(str(path) for path in Path("/dev").glob("video*"))
    if not found:
        raise DeviceError("no /dev/video* is there; plug in a camera, or give a URL with --set sensor.camera.device=…")
    return ", ".join(found)
