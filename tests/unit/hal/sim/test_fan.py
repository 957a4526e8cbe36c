from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hal.sim import sensors
from hal.sim.fan import COUNTS_PER_G, RANGE_G, RATED_RPM, Fan, FanConfig, Phase
from hal.sim.sensors import Motion, Synthetic
from hal.sim.target import Sim
from pipelines.errors import CapabilityError

CHANNELS = ("ax_g", "ay_g", "az_g")
STATES = {"none": "on", "clog": "clog", "friction": "friction", "off": "off"}


def fan(*, rate_hz: float = 200.0, channels: tuple[str, ...] = CHANNELS, chunk_ms: float = 20, **keys: Any) -> Fan:
    return Fan(FanConfig(**keys), rate_hz=rate_hz, channels=channels, chunk_ms=chunk_ms)


def played(made_up: Fan) -> np.ndarray:
    return np.concatenate(list(made_up.read()))


def line_hz(samples: np.ndarray, rate_hz: float = 200.0) -> float:
    """The strongest frequency of one axis."""
    spectrum = np.abs(np.fft.rfft((samples - samples.mean()) * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / rate_hz)[spectrum.argmax()])


def test_the_same_seed_gives_the_same_samples_and_another_one_others() -> None:
    keys: dict[str, Any] = {"seconds": 3, "fault": "friction", "fault_at_s": 1}
    first = played(fan(**keys))
    assert first.dtype == np.float32
    assert first.shape == (600, 3)
    made_up = fan(**keys)
    assert np.array_equal(first, played(made_up))
    assert np.array_equal(first, played(made_up))  # once more from the start
    assert not np.array_equal(first, played(fan(**keys, seed=2)))


@settings(max_examples=20)
@given(chunk_ms=st.floats(1, 3000), rate_hz=st.sampled_from([50.0, 119.0, 200.0, 800.0]))
def test_chunking_changes_nothing(chunk_ms: float, rate_hz: float) -> None:
    keys: dict[str, Any] = {"rate_hz": rate_hz, "seconds": 2, "sensor_fault": "stuck", "sensor_fault_at_s": 1.1,
                            "schedule": (Phase(fault="none", for_s=0.3), Phase(fault="clog", for_s=0.35))}  # fmt: skip
    whole, parts = played(fan(chunk_ms=10_000, **keys)), played(fan(chunk_ms=chunk_ms, **keys))
    # a sum in another order may round to the next count
    assert np.abs(whole - parts).max() <= 1.01 / COUNTS_PER_G
    assert np.mean(whole != parts) < 0.001


def test_a_shaft_turns_as_fast_as_it_is_set_to() -> None:
    for rpm in (1200.0, RATED_RPM):
        assert line_hz(played(fan(seconds=20, speed_rpm=rpm))[:, 1]) == pytest.approx(rpm / 60, rel=0.02)


def test_an_imbalances_force_grows_with_the_speed_squared() -> None:
    def line_mg(**keys: Any) -> float:
        # alone: no noise of the sensor; the broadband shaking is taken out by the other fan's
        one, none = (played(fan(seconds=10, noise_mg=0, imbalance=i, **keys)) for i in (50, 0))
        return float((one - none)[:, 1].std())

    assert line_mg(speed_rpm=600) / line_mg(speed_rpm=300) == pytest.approx(4, rel=0.05)


def test_the_phase_goes_on_through_a_change_of_speed() -> None:
    made_up = fan(rate_hz=2000, seconds=4, noise_mg=0, imbalance=100, chunk_ms=50)
    chunks = []
    for i, chunk in enumerate(made_up.read()):
        if i == 20:
            made_up.speed_rpm = 1500
        chunks.append(chunk[:, 1])
    signal = np.concatenate(chunks)
    # a jump of the phase would be a step from one sample to the next, far beyond a sine's own slope
    slope = np.abs(np.diff(signal))
    assert slope[1900:2200].max() <= 1.2 * slope[:1900].max()
    assert signal[4000:].std() < 0.6 * signal[:1900].std()
    assert made_up.rps == pytest.approx(1500 / 60, rel=0.2)


def test_it_runs_down_with_inertia() -> None:
    made_up = fan(seconds=20, fault="off", fault_at_s=5)
    data = played(made_up)
    spread = data.reshape(20, 200, 3).std(axis=1)[:, 1]
    assert spread[4] > 0.03 > spread[6] > 2 * spread[19]
    assert spread[19] == pytest.approx(0.0015, rel=0.1)  # the sensor's own noise is left
    assert made_up.rps < 0.01


def test_it_is_driven_while_it_plays() -> None:
    made_up = fan(chunk_ms=1000)
    chunks = made_up.read()
    still = [next(chunks) for _ in range(3)][-1]
    made_up.fault = "friction"
    rubbed = list(islice(chunks, 6))[-1]
    made_up.fault, made_up.imbalance = "none", 0.0
    balanced = list(islice(chunks, 10))[-1]
    assert rubbed[:, 0].std() > 2 * still[:, 0].std()
    assert balanced[:, 1].std() < still[:, 1].std() / 2
    made_up.sensor_fault = "stuck"
    assert not next(chunks).std(axis=0).any()


def test_a_fault_comes_at_its_time_and_goes() -> None:
    made_up = fan(chunk_ms=100, seconds=9, fault="clog", fault_at_s=3, fault_for_s=2)
    faults = [made_up.fault for _ in made_up.read()]
    assert [faults.index("clog"), faults.count("clog"), faults[-1]] == [30, 20, "none"]


def test_a_schedule_is_played_in_turn_and_again() -> None:
    schedule = (Phase(fault="none", for_s=1), Phase(fault="clog", for_s=2))
    made_up = fan(chunk_ms=500, schedule=schedule)
    assert [made_up.fault for _ in made_up.read()] == ["none"] * 2 + ["clog"] * 4
    made_up = fan(chunk_ms=500, schedule=schedule, seconds=6.5)
    assert [made_up.fault for _ in made_up.read()] == (["none"] * 2 + ["clog"] * 4) * 2 + ["none"]
    with pytest.raises(ValueError, match="got fault and schedule together"):
        FanConfig(schedule=schedule, fault="clog")


def test_the_sensors_own_faults() -> None:
    def faulty(name: str) -> np.ndarray:
        return played(fan(seconds=2, sensor_fault=name, sensor_fault_at_s=1))[200:]

    assert np.isnan(faulty("nan")).all()
    assert not faulty("stuck").std(axis=0).any()
    missing = faulty("missing")
    assert not missing[:, 2].any()
    assert missing[:, :2].std(axis=0).all()
    clipping = np.abs(faulty("clipping"))
    assert clipping.max() == RANGE_G
    assert np.mean((clipping > 0.999 * RANGE_G).any(axis=1)) > 0.5
    well = played(fan(seconds=2, sensor_fault="nan", sensor_fault_at_s=1, sensor_fault_for_s=0.5))
    assert np.isnan(well).any(axis=1).nonzero()[0].tolist() == list(range(200, 300))


def test_the_sensor_counts_in_whole_counts() -> None:
    counts = played(fan(seconds=1)).astype(np.float64) * COUNTS_PER_G
    assert np.array_equal(counts, np.rint(counts))


def test_units_and_axes() -> None:
    g = played(fan(seconds=1))
    assert np.allclose(played(fan(seconds=1, channels=("az_mg", "ay_mps2"))), g[:, [2, 1]] * (1000, 9.80665), rtol=1e-5)
    for channel in ("gx_dps", "bx_g", "ax_uT"):
        with pytest.raises(CapabilityError, match=f"no channel {channel}; expected ax, ay, az"):
            fan(channels=("ax_g", channel))


def test_it_ends_or_goes_on() -> None:
    assert len(played(fan(seconds=0.001))) == 1
    assert len(played(fan(seconds=0.05))) == 10
    assert len(list(islice(fan().read(), 500))) == 500


def test_it_is_the_targets_motion_sensor() -> None:
    sim = Sim()
    config = Motion(rate_hz=200, channels=CHANNELS, pace="fast", synthetic=Synthetic(fan=FanConfig(seconds=1)))
    frames = sim.sensor("motion", config).frames()
    first = next(frames)
    sim.fans[0].fault = "off"
    assert len(sim.fans) == 1
    assert [first.t, first.at, first.array.shape] == [0.02, 0, (4, 3)]
    assert [frame.at for frame in frames][-1] == 196
    assert sim.fans[0].rps < 0.6 * RATED_RPM / 60


def test_a_recording_or_the_synthetic_one() -> None:
    fan_ = Synthetic(fan=FanConfig())
    with pytest.raises(ValueError, match="got file and synthetic together"):
        Motion(file=sensors.InputPath("a.csv"), synthetic=fan_)
    with pytest.raises(ValueError, match=r"no motion sensor; expected a recording .* or synthetic"):
        Motion(live=True, synthetic=fan_)


@pytest.mark.parametrize("fault", STATES)
def test_it_shakes_as_the_real_fan_1_does(shared_data: Path, fault: str) -> None:
    """Axis by axis, and at the same frequency; recordings of one state differ by a quarter among themselves."""
    with np.load(shared_data / "fan" / "fan_1_3.npz") as data:
        real = np.concatenate([data[f"fan-1-vd{i}-{STATES[fault]}"][20000:].astype(float) for i in (1, 2, 3)])
    made_up = played(fan(seconds=60, fault=fault))[4000:]
    real_mg, made_up_mg = 1000 * (real / COUNTS_PER_G).std(axis=0), 1000 * made_up.std(axis=0)
    assert made_up_mg == pytest.approx(real_mg, rel=0.25)
    if fault in ("none", "clog"):
        assert line_hz(made_up[:, 1]) == pytest.approx(line_hz(real[:8000, 1]), rel=0.05)
