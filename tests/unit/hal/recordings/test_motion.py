from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hal.recordings.motion import MotionFile
from pipelines.errors import DataError

AXES = ("ax_g", "ay_g", "gz_dps")


def motion(path: Path, rate_hz: float = 100.0, channels: tuple[str, ...] = AXES) -> MotionFile:
    return MotionFile(path, rate_hz=rate_hz, channels=channels, chunk_ms=20)


def moved(path: Path, rate_hz: float = 100.0) -> np.ndarray:
    return np.concatenate(list(motion(path, rate_hz).read()))


def csv(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    return path


PLAIN = [[1.0, 2.0, 3.0], [4.0, 5.5, -6.0], [7.0, 8.0, 9e2]]


@pytest.mark.parametrize(
    "text",
    [
        "ax_g,ay_g,gz_dps\n1,2,3\n4,5.5,-6\n7,8,9e2\n",
        "aX,aY,gZ\n1,2,3\n4,5.5,-6\n7,8,9e2",
        "1,2,3\r\n4,5.5,-6\r\n7,8,9e2\r\n",
        "\ufeffgz_dps, label ,ay_g,ax_g\n3,swing,2,1\n-6,swing,5.5,4\n9e2,swing,8,7\n",
        "time_ms,ax,ay,gz\n0,1,2,3\n10,4,5.5,-6\n20,7,8,9e2\n",
        "t,ax,ay,gz\n5.00,1,2,3\n\n5.01,4,5.5,-6\n5.02,7,8,9e2\n",
        "\n\n ax_g , ay_g , gz_dps \n 1, 2, 3\n4,5.5,-6\n7,8,9e2\n",
    ],
)
def test_csv(tmp_path: Path, text: str) -> None:
    chunks = list(motion(csv(tmp_path, text)).read())
    assert [chunk.shape for chunk in chunks] == [(2, 3), (1, 3)]
    assert all(chunk.dtype == np.float32 and chunk.flags.owndata for chunk in chunks)
    assert np.concatenate(chunks).tolist() == PLAIN


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_npy(tmp_path: Path, dtype: str) -> None:
    data = np.arange(15).reshape(5, 3).astype(dtype)
    np.save(tmp_path / "a.npy", data)
    chunks = list(motion(tmp_path / "a.npy").read())
    assert [chunk.shape for chunk in chunks] == [(2, 3), (2, 3), (1, 3)]
    assert all(chunk.dtype == np.float32 and chunk.flags.owndata for chunk in chunks)
    assert (np.concatenate(chunks) == data).all()


def test_signal(tmp_path: Path) -> None:
    signal = motion(csv(tmp_path, "1,2,3\n")).signal
    assert (signal.shape, signal.dtype, signal.rate_hz, signal.channels) == ((None, 3), "float32", 100.0, AXES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ax_g,ay_g,gz_dps\n", "holds no samples"),
        ("\n \n", "holds no samples"),
        ("ax_g,ay_g\n1,2\n", r'a\.csv:1: got the columns ax_g, ay_g, expected one called "gz_dps" or "gz"'),
        ("ax,ax,ay,gz\n1,2,3,4\n", 'expected one called "ax_g"'),
        ("1,2\n", r"a\.csv:1: got 2 columns, expected 3"),
        ("1;2;3\n", r"a\.csv:1: got"),
        ("1,2,3\n4,5\n", r"a\.csv:2: got 2 values, expected 3"),
        ("1,2,3\n4,,6\n", r'a\.csv:2: column 2 holds "", expected a number'),
        ("1,2,3\n\n4,nan,6\n", r'a\.csv:3: column 2 holds "nan"'),
        ("1,2,3\n4,1_0,6\n", 'column 2 holds "1_0"'),
        ("1,2,3\ninf,1,6\n", 'column 1 holds "inf"'),
        ("t,ax,ay,gz\n0,1,2,3\n0,1,2,3\n", r"a\.csv:3: time 0 s follows 0 s"),
        ("t,ax,ay,gz\n0,1,2,3\n0.02,1,2,3\n0.04,1,2,3", "says 50 Hz on the whole, expected 100 Hz; set rate_hz: 50"),
        ('1,2,"3\n', "is not CSV"),
        ("a\0b,c,d\n1,2,3\n", "not CSV|got the columns"),
    ],
)
def test_odd_csv_is_one_sentence_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as info:
        moved(csv(tmp_path, text))
    assert "\n" not in str(info.value)


def test_the_header_and_first_line_are_checked_before_it_runs(tmp_path: Path) -> None:
    for text in ("ax,ay\n1,2\n", "ax,ay,gz\n1,2,x\n", "ax,ay,gz\n"):
        with pytest.raises(DataError):
            motion(csv(tmp_path, text))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.integers(0, 5), text=st.text(st.characters(codec="utf-8"), max_size=12))
def test_a_mutated_line_is_read_or_refused_in_one_sentence(tmp_path: Path, line: int, text: str) -> None:
    lines = ["ax_g,ay_g,gz_dps", *["1,2,3"] * 5]
    lines[line] = text
    message = ""
    try:
        data = moved(csv(tmp_path, "\n".join(lines)))
        assert np.isfinite(data).all()
        assert data.shape[1] == 3
    except DataError as error:
        message = str(error)
    assert "\n" not in message


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((5, 2)), r"holds float64 \[5, 2\], expected numbers \[samples, 3\]"),
        (np.zeros(5), "expected numbers"),
        (np.zeros((0, 3)), "holds no samples"),
        (np.array([["a", "b", "c"]]), "expected numbers"),
        (np.array([[None, 1, 2]]), "cannot be read as .npy"),
        (np.array([[0, 1, 2], [0, np.nan, 2.0]]), "sample 1 is .*expected finite numbers"),
    ],
)
def test_odd_npy_is_one_sentence(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(DataError, match=message):
        moved(tmp_path / "a.npy")


@pytest.mark.parametrize("content", [b"x", b"\x93NUMPY\1\0", b"PK\3\4", bytes(256)])
def test_what_is_no_npy(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as .npy"):
        motion(tmp_path / "a.npy")


def test_npy_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((100, 3)))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="cannot be read as .npy"):
        motion(path)


def test_several_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.zeros((2, 3)))
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    with pytest.raises(DataError, match="cannot be read as .npy"):
        motion(tmp_path / "a.npy")


def test_another_ending(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"x")
    with pytest.raises(DataError, match=r'ends in "\.wav", expected a motion recording'):
        motion(tmp_path / "a.wav")


def test_a_real_gesture_recording(shared_data: Path) -> None:
    axes = ("ax_g", "ay_g", "az_g", "gx_dps", "gy_dps", "gz_dps")
    recorded = motion(sorted((shared_data / "wand" / "train").glob("*.csv"))[0], 119.0, axes)
    assert sum(len(chunk) for chunk in recorded.read()) == 2261


@pytest.mark.parametrize("ending", ["csv", "npy"])
def test_what_is_no_number_is_kept_where_that_is_asked_for(tmp_path: Path, ending: str) -> None:
    rows = [[1, 2, 3], [4, np.nan, 6], [-np.inf, 8, 9]]
    np.save(tmp_path / "a.npy", np.array(rows))
    csv(tmp_path, "time_ms,ax,ay,gz\n0,1,2,3\n10,4, NaN ,6\n20,-inf,8,9\n")
    path = tmp_path / f"a.{ending}"
    with pytest.raises(DataError, match=r"or keep it \(the sensor's nan: keep\) and put the step health first"):
        moved(path)
    kept = MotionFile(path, rate_hz=100.0, channels=AXES, chunk_ms=20, keep_nan=True)
    np.testing.assert_array_equal(np.concatenate(list(kept.read())), np.array(rows, np.float32))


@pytest.mark.parametrize("text", ["1,2,\n", "1,x,3\n", "1,1_0,3\n", "t,ax,ay,gz\n0,1,2,3\nnan,1,2,3\n"])
def test_no_value_and_no_time_are_never_kept(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError):
        list(MotionFile(csv(tmp_path, text), rate_hz=100.0, channels=AXES, chunk_ms=20, keep_nan=True).read())


def test_another_unit_is_told_as_that(tmp_path: Path) -> None:
    path = csv(tmp_path, "ax_mg,ay,gz\n0,1,2\n")
    with pytest.raises(DataError, match=r'got "ax_mg", expected "ax_g": the units differ; convert the data'):
        motion(path)


def test_another_rate_is_told_before_the_run(tmp_path: Path) -> None:
    lines = "".join(f"{20 * i},1,2,3\n" for i in range(150))
    with pytest.raises(DataError, match="says 50 Hz in its first samples, expected 100 Hz; set rate_hz: 50"):
        motion(csv(tmp_path, "t_ms,ax,ay,gz\n" + lines))
