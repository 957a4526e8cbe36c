"""The boards' accelerometer samples between interrupt and host: firmware/ports/mcux/eiq_motion.c, built with cc."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.resources import bundled

KEPT = 1024
LAST = 2**32
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-pedantic")


class Motion(ctypes.Structure):
    """struct eiq_motion."""

    _fields_ = (("samples", ctypes.c_int16 * 3 * KEPT), ("ready", ctypes.c_uint32), ("gap", ctypes.c_uint32))


@pytest.fixture(scope="module")
def c(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The C, as a library."""
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler (cc)")
    source = bundled() / "firmware" / "ports" / "mcux" / "eiq_motion.c"
    library = tmp_path_factory.mktemp("c") / "motion.so"
    done = subprocess.run(["cc", "-std=c99", "-O2", *WARNINGS, "-shared", "-fPIC", "-o", library, source],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = ctypes.CDLL(str(library))
    loaded.eiq_motion_lost.argtypes = (ctypes.c_uint64, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32)
    loaded.eiq_motion_lost.restype = loaded.eiq_motion_get.restype = ctypes.c_uint32
    return loaded


def as_sent(counts: np.ndarray) -> bytes:
    """The chip's bytes for counts of 14 bits."""
    return (counts.astype(np.int32) * 4).astype(">i2").tobytes()


def numbered(first: int, count: int) -> np.ndarray:
    """Samples [count, 3] that tell their index."""
    index = np.arange(first, first + count) % 16384 - 8192
    return np.stack((index, -1 - index, index ^ 5), axis=1).astype(np.int16)


def get(c: Any, motion: Motion, at: int, count: int) -> tuple[int, np.ndarray]:
    place, out = ctypes.c_uint32(at % LAST), np.full((count + 1, 3), 9999, np.int16)
    found = c.eiq_motion_get(ctypes.byref(motion), ctypes.byref(place), count, out.ctypes.data_as(ctypes.c_void_p))
    assert (out[found:] == 9999).all(), "wrote behind the samples"
    return place.value, out[:found]


def test_counts_are_the_chips_own(c: Any) -> None:
    """Every word of 14 bits: numpy's big-endian int16 without the two lowest bits is the oracle."""
    words = np.arange(-32768, 32768, 4).astype(">i2")
    for part in words.reshape(-1, 1024):
        motion = Motion()
        triple = np.repeat(part, 3)
        c.eiq_motion_put(ctypes.byref(motion), triple.tobytes(), 1024)
        at, found = get(c, motion, 0, 1024)
        assert at == 0
        np.testing.assert_array_equal(found[:, 2], part.astype(np.int16) >> 2)


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 32)),
        st.tuples(st.just("burst"), st.integers(0, 2 * KEPT)),
        st.tuples(st.just("lose"), st.integers(1, 3000)),
        st.tuples(st.just("get"), st.integers(-2500, 40), st.integers(0, 1200)),
    ),
    max_size=40,
)


@given(OPERATIONS, st.sampled_from([0, 1, LAST - 700, LAST - 1]))
def test_every_sample_once_or_known_to_be_lost(c: Any, operations: list[tuple[Any, ...]], start: int) -> None:
    """Against a dictionary from index to sample; indices pass 2^32 too."""
    motion, kept, ready, gap = Motion(ready=start, gap=start), {}, start, start
    for name, *numbers in operations:
        if name in ("put", "burst"):
            data = numbered(ready, numbers[0])
            c.eiq_motion_put(ctypes.byref(motion), as_sent(data), numbers[0])
            kept |= dict(zip(range(ready, ready + numbers[0]), data.tolist(), strict=True))
            ready += numbers[0]
        elif name == "lose":
            c.eiq_motion_lose(ctypes.byref(motion), numbers[0])
            ready += numbers[0]
            gap = ready
        else:
            wanted = max(start, ready + numbers[0])
            at, found = get(c, motion, wanted, numbers[1])
            if wanted > ready:
                assert at == wanted % LAST
                assert len(found) == 0
                continue
            first = max(wanted, gap, ready - KEPT)
            assert at == first % LAST
            assert found.tolist() == [kept[index] for index in range(first, min(ready, first + numbers[1]))]
    assert motion.ready == ready % LAST


@pytest.mark.parametrize("count", [KEPT - 1, KEPT, KEPT + 1])
def test_the_latest_are_kept(c: Any, count: int) -> None:
    motion = Motion()
    c.eiq_motion_put(ctypes.byref(motion), as_sent(numbered(0, count)), count)
    at, found = get(c, motion, 0, 2 * KEPT)
    assert at == max(0, count - KEPT)
    np.testing.assert_array_equal(found, numbered(at, count - at))


def test_a_start_forgets(c: Any) -> None:
    motion = Motion(ready=77, gap=12)
    c.eiq_motion_begin(ctypes.byref(motion))
    assert (motion.ready, motion.gap) == (0, 0)
    assert len(get(c, motion, 0, 10)[1]) == 0


@pytest.mark.parametrize(
    ("seconds", "rate_hz", "kept", "lost"),
    [(1.0, 100, 32, 68), (0.1, 400, 32, 8), (0.08, 400, 32, 0), (0.0, 400, 32, 0), (86400.0, 400, 32, 34_559_968)],
)
def test_what_a_chip_lost_is_told_by_the_clock(c: Any, seconds: float, rate_hz: int, kept: int, lost: int) -> None:
    assert c.eiq_motion_lost(int(seconds * 600_000_000), 600_000_000, rate_hz, kept) == lost
