"""What the target rt decides before a board is started."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.recordings.replay import Replay
from hal.rt.engine import BoardEngine
from hal.rt.offload import BoardStream
from hal.rt.place import Place
from hal.rt.sensors import BoardSensor, Microphone, Motion
from hal.rt.target import Rt
from hal.targets import open_target, shown
from pipelines.config.demo import Overrides, load_demo
from pipelines.errors import CapabilityError, ConfigError, DeviceError
from pipelines.graph import Graph, resolve

SAMPLES = Path(__file__).parents[4] / "samples"
SOUND, GESTURE = str(SAMPLES / "kws.wav"), str(SAMPLES / "gesture.csv")


def resolved(config: str, place: str, *sets: str) -> tuple[Graph, Rt]:
    target = Rt(place)
    with ExitStack() as stack:
        (graph,) = resolve(load_demo(config, target, Overrides(sets=sets)), target, stack)
    return graph, target


def test_a_place_is_named_behind_the_colon() -> None:
    assert shown(open_target("rt:host")) == "rt:host"
    assert shown(open_target("sim")) == "sim"
    with pytest.raises(CapabilityError, match="got the target rt, expected a place with it: rt:host "):
        open_target("rt")
    with pytest.raises(CapabilityError, match="got the target sim:x, but sim has no places; expected sim alone"):
        open_target("sim:x")


@pytest.mark.parametrize(
    ("text", "rate"), [("host", float("inf")), ("/dev/ttyACM0", 11_520.0), ("COM3@921600", 92_160.0)]
)
def test_what_a_link_carries(text: str, rate: float) -> None:
    assert Place(text).bytes_per_s == rate


@pytest.mark.parametrize("baud", ["", "fast", "-1", "0", "1e6", "999999999999"])
def test_a_baud_rate_is_a_number(baud: str) -> None:
    if baud:
        with pytest.raises(CapabilityError, match=f"got the baud rate {baud} in rt:/dev/ttyACM0@{baud}"):
            Place(f"/dev/ttyACM0@{baud}")
    else:
        assert Place("/dev/ttyACM0@").baud == 115_200


@given(st.text(st.characters(exclude_characters="@"), min_size=1))
def test_any_other_place_is_a_serial_port_or_refused(text: str) -> None:
    if not text.startswith(("/", "COM", "tty")):
        text = f"/dev/{text}"
    place = Place(text)
    assert not place.emulated
    assert place.path == text


@pytest.mark.parametrize(("text", "says"), [
    ("hsot", 'expected rt:host, rt:qemu or a serial port such as rt:/dev/ttyACM0; did you mean "host"'),
    ("board", "expected rt:host, rt:qemu or a serial port"),
    ("host@9600", "host is emulated and has no baud rate; expected rt:host"),
])  # fmt: skip
def test_a_place_misspelt(text: str, says: str) -> None:
    with pytest.raises(CapabilityError, match=f"got rt:{text}.*{says}"):
        Place(text)


@pytest.mark.parametrize(("place", "kind"), [("host", BoardSensor), ("qemu", Replay), ("/dev/ttyACM0", Replay)])
def test_sound_crosses_the_link_where_it_carries_it(place: str, kind: type) -> None:
    assert isinstance(Rt(place).sensor("microphone", Microphone(file=SOUND)), kind)


def test_sound_that_the_link_does_not_carry_is_refused() -> None:
    says = r"32,000 bytes/s, expected at most 80% of the 20,000 bytes/s that the link to rt:qemu carries; let the board"
    with pytest.raises(CapabilityError, match=says):
        Rt("qemu").sensor("microphone", Microphone(file=SOUND, place="board"))


@pytest.mark.parametrize(("place", "config", "says"), [
    ("/dev/ttyACM0", Microphone(file=SOUND, place="board"), "rt:/dev/ttyACM0 has no microphone"),
    ("host", Microphone(live=True, place="board"), "rt:host has no microphone; only an emulated board has one"),
    ("host", Motion(live=True), "got --live, but rt:host is emulated"),
    ("/dev/ttyACM0", Motion(file=GESTURE, rate_hz=119, place="board"), "rt:/dev/ttyACM0 plays no recordings"),
])  # fmt: skip
def test_a_sensor_that_is_not_there(place: str, config: Any, says: str) -> None:
    capability = "motion" if isinstance(config, Motion) else "microphone"
    with pytest.raises(CapabilityError, match=says):
        Rt(place).sensor(capability, config)


def test_a_recorded_movement_is_the_boards_where_it_is_emulated() -> None:
    config = Motion(file=GESTURE, rate_hz=119, pace="fast")
    sensor = Rt("qemu").sensor("motion", config)
    assert isinstance(sensor, BoardSensor)
    assert not sensor.live
    played = [
        frame.array
        for frame in Rt("qemu").sensor("motion", Motion(file=GESTURE, rate_hz=119, pace="fast", place="host")).frames()
    ]
    recorded = sensor.clip.recorded
    assert recorded is not None
    assert recorded.data.tolist() == [row for chunk in played for row in chunk.tolist()]
    assert isinstance(Rt("/dev/ttyACM0").sensor("motion", config), Replay)


def test_a_fan_without_an_end_does_not_fit_the_boards_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    from hal.sim.fan import FanConfig
    from hal.sim.sensors import Synthetic

    config = Motion(rate_hz=3200, channels=("ax_g", "ay_g", "az_g"), synthetic=Synthetic(fan=FanConfig()))
    monkeypatch.setattr("hal.rt.sensors.MOST_BYTES", 100_000)
    with pytest.raises(CapabilityError, match="got a recording of more than 100,000 bytes, or one without an end"):
        Rt("host").sensor("motion", config)


@pytest.mark.parametrize(("config", "says"), [
    ({}, "got neither file, synthetic nor live, expected one"),
    ({"file": "a.csv", "live": True}, "got file and live, expected one"),
    ({"live": True, "place": "host"}, "a host has no motion sensor"),
])  # fmt: skip
def test_motion_has_one_source(config: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Motion(**config)


def test_the_chain_is_the_simulators_with_the_engine_on_the_board() -> None:
    graph, _ = resolved("kws.yaml", "qemu")
    assert [stage.name for stage in graph.stages] == ["window", "mfcc", "board", "smooth", "top"]
    assert isinstance(graph.engines[0][1], BoardEngine)
    assert not graph.engines[0][1].ahead  # its results would wait for the next window
    assert resolved("cifar10.yaml", "qemu", "engine.ahead=true")[0].engines[0][1].ahead  # type: ignore[attr-defined]


def test_features_on_the_board_take_over_the_chain() -> None:
    graph, _ = resolved("kws.yaml", "qemu", "engine.offload=features")
    assert isinstance(graph.sensor, BoardStream)
    assert [stage.name for stage in graph.stages] == ["board", "smooth", "top"]
    recipe = graph.sensor.recipe
    assert (recipe.rate_hz, recipe.length, recipe.hop) == (16000, 16000, 1600)


NO_MICROPHONE = "needs a microphone on the board; rt:"


@pytest.mark.parametrize(("config", "place", "sets", "says"), [
    ("gesture.yaml", "host", ["engine.offload=features"], "offload: features takes over a microphone, window, mfcc"),
    ("kws.yaml", "/dev/ttyACM0", ["engine.offload=features"], NO_MICROPHONE + "/dev/ttyACM0 has none"),
    ("kws.yaml", "host", ["engine.offload=features", "sensor.microphone.place=host"], NO_MICROPHONE),
    ("kws.yaml", "host", ["engine.offload=features", "engine.shared=true"], "got shared: true with offload: features"),
    ("cifar10.yaml", "host", ["engine.ahead=true", "engine.shared=true"], "got shared: true with ahead: true"),
    ("cifar10.yaml", "host", ["engine.threads=2"], "tflite has no such option on the target rt; put it under targets"),
    ("kws.yaml", "host", ["engine.offload=all"], "engine.offload: expected one of engine, features"),
    ("kws.yaml", "host", ["engine.type=onnx"], "the target rt runs models that were compiled from .tflite"),
])  # fmt: skip
def test_what_cannot_be_offloaded(config: str, place: str, sets: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        resolved(config, place, *sets)


def test_a_model_that_no_kernel_runs_is_refused_before_a_board_is_built(shared_data: Path) -> None:
    (model,) = (shared_data / "refuse").glob("*.tflite")
    with pytest.raises(ConfigError, match=r"engine: .*operator"):
        resolved("cifar10.yaml", "host", f"engine.model={model}", "preprocess=[]")


def test_nothing_runs_before_the_start() -> None:
    graph, _ = resolved("gesture.yaml", "host")
    with pytest.raises(DeviceError, match="the board was not started before its sensor was read"):
        next(iter(graph.sensor.frames()))
    (spec,) = graph.engines[0][1].inputs
    import numpy as np

    with pytest.raises(DeviceError, match="the board was not started before its first inference"):
        graph.engines[0][1].infer(np.zeros(spec.shape, np.float32))


def test_two_streams_on_one_board_are_refused(tmp_path: Path) -> None:
    one = """
    sensor: {microphone: {rate_hz: 16000, file: samples/kws.wav}}
    preprocess:
      - window: {length_ms: 1000, hop_ms: 100}
      - mfcc: {window_ms: 30, hop_ms: 20, mels: 40, fmin_hz: 0, fmax_hz: 4000, coefficients: 10}
    engine: {model: kws, offload: features}
    postprocess: [top]
"""
    (tmp_path / "two.yaml").write_text(f"pipelines:\n  a:{one}  b:{one}")
    with pytest.raises(ConfigError, match="got offload: features in two pipelines, expected one"):
        resolved(str(tmp_path / "two.yaml"), "host")


def test_sound_that_clips_is_refused(tmp_path: Path) -> None:
    import numpy as np
    import soundfile

    loud = tmp_path / "loud.wav"
    soundfile.write(loud, np.array([0.1, -1.9, 0.5] * 100, np.float32), 16000, subtype="FLOAT")
    with pytest.raises(
        CapabilityError, match="got sound up to 1.9, expected at most 1: the board's microphone has 16 bits"
    ):
        Rt("host").sensor("microphone", Microphone(file=str(loud)))
