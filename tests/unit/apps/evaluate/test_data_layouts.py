from __future__ import annotations

import pickle
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.evaluate.datasets.arrays import RECORD, row_of
from apps.evaluate.datasets.items import DataSet, Request
from apps.evaluate.datasets.layouts import LAYOUTS, layout_of, read
from demos import sound
from pipelines.errors import DataError

KWS = ("yes", "no", "silence", "unknown")


def items(where: Path, split: str | None = None, sensor: str = "camera", labels: tuple[str, ...] = ()) -> DataSet:
    return read(Request(where, split, sensor, labels))


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def pairs(found: DataSet) -> list[tuple[str, str]]:
    return [(item.name, item.label) for item in found.items]


# ---- folders -----------------------------------------------------------------------------------------------------


def test_a_folder_is_a_label_and_other_files_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path / "cat/2.png", tmp_path / "cat/1.JPG", tmp_path / "cat/notes.txt", tmp_path / "cat/.hidden.png",
          tmp_path / "dog/a.bmp", tmp_path / "readme.md", tmp_path / ".git/x.png")  # fmt: skip
    (tmp_path / "cat/folder.png").mkdir()
    found = items(tmp_path)
    assert (found.layout, found.split) == ("labelled folders", None)
    assert pairs(found) == [("cat/1.JPG", "cat"), ("cat/2.png", "cat"), ("dog/a.bmp", "dog")]
    assert pairs(items(tmp_path, sensor="motion")) == [("cat/notes.txt", "cat")]


def test_splits_are_folders_of_labels(tmp_path: Path) -> None:
    touch(tmp_path / "train/cat/1.png", tmp_path / "test/cat/2.png", tmp_path / "val/dog/3.png")
    assert [(s, items(tmp_path, s).split, pairs(items(tmp_path, s))) for s in (None, "train", "validation")] == [
        (None, "test", [("test/cat/2.png", "cat")]),
        ("train", "train", [("train/cat/1.png", "cat")]),
        ("validation", "validation", [("val/dog/3.png", "dog")]),
    ]


def test_labels_called_test_among_others_are_labels(tmp_path: Path) -> None:
    touch(tmp_path / "test/1.png", tmp_path / "cat/1.png")
    assert {item.label for item in items(tmp_path).items} == {"test", "cat"}


@pytest.mark.parametrize(
    ("files", "split", "said"),
    [
        ([], None, "holds no items for the camera"),
        (["cat/1.wav"], None, "holds no items for the camera (.bmp .jpeg"),
        (["1.png"], None, "expected a folder for each label"),
        (["cat/1.png"], "test", "has no folders of splits; leave it out"),
        (["test/cat/1.png", "train/cat/1.png"], "validation", "has the splits test, train, got --split validation"),
    ],
)
def test_folders_that_are_no_data_set(tmp_path: Path, files: list[str], split: str | None, said: str) -> None:
    touch(*(tmp_path / file for file in files))
    with pytest.raises(DataError, match=said.replace("(", r"\(").replace(".", r"\.")):
        items(tmp_path, split)


def test_what_is_not_there_and_what_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not there, expected a folder of labelled folders"):
        items(tmp_path / "nix")
    touch(tmp_path / "a.tar.gz")
    with pytest.raises(DataError, match=r"a.tar.gz is no data set, expected"):
        items(tmp_path / "a.tar.gz")


# ---- csv ---------------------------------------------------------------------------------------------------------


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_csv_has_a_line_for_each_item(tmp_path: Path) -> None:
    index = write(tmp_path / "index.csv", '\ufeffLabel, by ,FILE\ncat,me,a/1.png\n\n"dog, big",you,2.png\n')
    found = items(index)
    assert pairs(found) == [("a/1.png", "cat"), ("2.png", "dog, big")]
    assert [item.path for item in found.items] == [tmp_path / "a/1.png", tmp_path / "2.png"]


def test_a_csv_may_have_splits(tmp_path: Path) -> None:
    index = write(tmp_path / "index.csv", "file,label,split\n1.png,cat,train\n2.png,dog,test\n")
    assert pairs(items(index)) == [("2.png", "dog")]
    assert pairs(items(index, "train")) == [("1.png", "cat")]
    with pytest.raises(DataError, match="no lines of the split validation, but of test, train"):
        items(index, "validation")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ax_g,ay_g,label\n1,2,on\n", "has the columns ax_g, ay_g, label, expected file and label"),
        ("name,class\n1.png,cat\n", "has the columns name, class, expected file and label"),
        ("file,file,label\n1.png,2.png,cat\n", "has the columns file, file, label"),
        ("file,label\n1.png\n", "index.csv:2: got 1.png, expected a value for each of file, label"),
        ("file,label\n1.png,cat,dog\n", "index.csv:2: got 1.png, cat, dog, expected a value for each"),
        ("file,label\n,cat\n", "index.csv:2: got , cat"),
        ('file,label\n"1.png,cat\n', "is not CSV"),
        ("file,label\n", "holds no items"),
        ("", "index.csv is empty, expected a CSV with the columns file and label"),
    ],
)
def test_other_csvs_are_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError) as error:
        items(write(tmp_path / "index.csv", text))
    assert said in str(error.value)


@given(st.binary(max_size=200))
def test_any_bytes_as_csv_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    index = tmp_path_factory.mktemp("csv") / "index.csv"
    index.write_bytes(b"file,label\n" + content)
    try:
        found = items(index)
    except DataError:
        return
    assert all(item.name and item.label for item in found.items)


# ---- npz ---------------------------------------------------------------------------------------------------------

PICTURES = np.arange(3 * 2 * 2 * 3, dtype=np.uint8).reshape(3, 2, 2, 3)


def test_an_npz_counts_labels_names_them_or_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=PICTURES, labels=np.array([1, 0, 1], np.uint8))
    assert pairs(items(path, labels=("cat", "dog"))) == [("a.npz[0]", "dog"), ("a.npz[1]", "cat"), ("a.npz[2]", "dog")]
    np.savez_compressed(path, x=PICTURES, y=np.array([1, 0, 1]), label_names=np.array(["hen", "cow"]))
    assert [item.label for item in items(path, labels=("cat", "dog")).items] == ["cow", "hen", "cow"]
    np.savez(path, x=PICTURES[::-1], y=np.array(["a", "b", "a"]))
    found = items(path)
    assert [item.label for item in found.items] == ["a", "b", "a"]
    np.testing.assert_array_equal(row_of(path, 0), PICTURES[2])  # the file of now, not an earlier one


def test_npz_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    cases: list[tuple[dict[str, object], str]] = [
        ({"pixels": PICTURES}, "holds pixels, expected an NPZ with images (or x) and labels (or y)"),
        ({"x": PICTURES}, "expected an NPZ with images"),
        ({"x": PICTURES, "y": np.array([0, 1])}, "holds labels [2] for items [3, 2, 2, 3], expected one label an item"),
        ({"x": PICTURES, "y": np.array([0, 1, 2])}, "holds labels 0 to 2, expected 0 to 1, as the model has 2"),
        ({"x": PICTURES, "y": np.array([0, -1, 1])}, "holds labels -1 to 1, expected 0 to 1"),
        ({"x": PICTURES, "y": np.array([0, 7, 1]), "label_names": np.array(["a"])}, "as label_names has 1"),
        ({"x": PICTURES, "y": np.array([0.5, 1, 1])}, "holds labels of float64, expected words or whole numbers"),
        ({"x": PICTURES[:0], "y": np.array([], int)}, "holds no items"),
        ({"x": np.array([{}, {}, {}]), "y": np.array([0, 1, 1])}, "cannot be read as NPZ"),  # a pickle
    ]
    for arrays, said in cases:
        np.savez(path, **arrays)
        with pytest.raises(DataError) as error:
            items(path, labels=("cat", "dog"))
        assert said in str(error.value)
    np.savez(path, x=PICTURES, y=np.array([0, 1, 1]))
    with pytest.raises(DataError, match="counts its labels and the model has none"):
        items(path)
    with pytest.raises(DataError, match="has no splits"):
        items(path, "test", labels=("cat", "dog"))
    whole = path.read_bytes()
    for damaged in (whole[:100], b"x" * 50, b"", whole[:60] + b"\xff" * 30 + whole[90:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError):
            items(path, labels=("cat", "dog"))
    for header in ("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000000,), }", "{'descr': (((( "):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
        with pytest.raises(DataError, match="cannot be read as NPZ"):
            items(path, labels=("cat", "dog"))
    encrypted = bytearray(whole)
    encrypted[6] |= 1
    encrypted[whole.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(encrypted)
    with pytest.raises(DataError, match="cannot be read as NPZ .*encrypted"):
        items(path, labels=("cat", "dog"))
    np.save(tmp_path / "b.npy", PICTURES)
    (tmp_path / "b.npy").rename(path)
    with pytest.raises(DataError, match="holds one array alone"):
        items(path)


def test_a_file_that_has_shrunk_since(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=PICTURES, y=np.array([0, 1, 1]))
    with pytest.raises(DataError, match="holds 3 items, expected more than 3"):
        row_of(tmp_path / "a.npz", 3)
    with pytest.raises(DataError, match="check that it is still there"):
        row_of(tmp_path / "b.npz", 0)


# ---- cifar-10 ----------------------------------------------------------------------------------------------------


@pytest.fixture
def cifar(tmp_path: Path) -> Path:
    (tmp_path / "batches.meta.txt").write_text("airplane\nautomobile\nbird\n\n")
    rng = np.random.default_rng(1)
    for n, name in enumerate(["test_batch", *(f"data_batch_{n}" for n in range(1, 6))]):
        records = rng.integers(0, 256, (2, RECORD), np.uint8)
        records[:, 0] = [n % 3, (n + 1) % 3]
        records.tofile(tmp_path / f"{name}.bin")
    return tmp_path


def test_cifar10_binary_is_planes_of_red_green_blue(cifar: Path) -> None:
    found = items(cifar)
    assert (found.layout, found.split) == ("CIFAR-10", "test")
    assert pairs(found) == [("test_batch.bin[0]", "airplane"), ("test_batch.bin[1]", "automobile")]
    stored = np.fromfile(cifar / "test_batch.bin", np.uint8)[RECORD + 1 :]
    picture = row_of(cifar / "test_batch.bin", 1)
    assert picture.shape == (32, 32, 3)
    for channel in range(3):
        np.testing.assert_array_equal(picture[..., channel].ravel(), stored[1024 * channel :][:1024])
    assert len(items(cifar, "train").items) == 10


def test_cifar10_that_is_damaged_or_in_pickles(cifar: Path) -> None:
    with pytest.raises(DataError, match="has the splits test and train, got --split validation"):
        items(cifar, "validation")
    (cifar / "batches.meta.txt").write_text("airplane\n")
    with pytest.raises(DataError, match=r"test_batch.bin: picture 1 has the label 1, expected 0 to 0"):
        items(cifar)
    with (cifar / "test_batch.bin").open("ab") as file:
        file.write(b"x")
    with pytest.raises(DataError, match="has 6,147 bytes, expected pictures of 3073 bytes each"):
        items(cifar)
    (cifar / "test_batch.bin").unlink()
    with pytest.raises(DataError, match="cannot open"):
        items(cifar)


def test_the_python_version_is_refused_unread(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))  # type: ignore[return-value]

    for name in ("batches.meta", "test_batch", "data_batch_1"):
        (tmp_path / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match=r"python version, pickles .* expected the binary version"):
        items(tmp_path)
    assert not (tmp_path / "sprung").exists()


# ---- speech commands ---------------------------------------------------------------------------------------------


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """yes, no: 30 clips each; cat, dog: 20 each. A third each is of the test and validation lists; 10 s of noise."""
    test, validation = [], []
    for word, count in {"yes": 30, "no": 30, "cat": 20, "dog": 20}.items():
        for n in range(count):
            touch(tmp_path / word / f"{n:02}.wav")
            (test if n % 3 == 0 else validation if n % 3 == 1 else []).append(f"{word}/{n:02}.wav")
    (tmp_path / "testing_list.txt").write_text("\n".join(test) + "\n")
    (tmp_path / "validation_list.txt").write_text("\n".join(validation))
    (tmp_path / "_background_noise_").mkdir()
    sound(tmp_path / "_background_noise_/hum.wav", np.zeros(16000 * 10 + 5000, np.int16), 16000)
    touch(tmp_path / "_background_noise_/README.md")
    return tmp_path


def test_the_whole_set_has_a_tenth_of_silence_and_unknown(speech: Path) -> None:
    found = items(speech, sensor="microphone", labels=KWS)
    assert (found.layout, found.split) == ("Speech Commands", "test")
    assert Counter(item.label for item in found.items) == {"yes": 10, "no": 10, "unknown": 2, "silence": 2}
    listed = (speech / "testing_list.txt").read_text().split()
    assert all(item.name in listed for item in found.items if item.label != "silence")
    assert {item.name.partition("/")[0] for item in found.items if item.label == "unknown"} <= {"cat", "dog"}
    silence = [item for item in found.items if item.label == "silence"]
    assert len({item.start_s for item in silence}) == 2
    assert all(0 <= item.start_s <= 9 and item.length_s == 1 for item in silence)
    assert found == items(speech, "test", "microphone", KWS)  # the same draw
    train = {item.name for item in items(speech, "train", "microphone", ("yes", "no")).items}
    assert train == {f"{word}/{n:02}.wav" for word in ("yes", "no") for n in range(2, 30, 3)}


def test_a_model_without_silence_or_with_underscores(speech: Path) -> None:
    assert {item.label for item in items(speech, None, "microphone", ("yes", "cat")).items} == {"yes", "cat"}
    found = items(speech, None, "microphone", ("yes", "_unknown_", "_silence_"))
    assert {item.label for item in found.items} == {"yes", "_unknown_", "_silence_"}


def test_the_prepared_set_is_taken_whole(tmp_path: Path) -> None:
    touch(tmp_path / "yes/a.wav", tmp_path / "_silence_/b.wav", tmp_path / "_unknown_/c.wav")
    found = items(tmp_path, sensor="microphone", labels=KWS)
    assert pairs(found) == [("_silence_/b.wav", "silence"), ("_unknown_/c.wav", "unknown"), ("yes/a.wav", "yes")]
    assert found.split == "test"
    assert all(item.length_s == 1 for item in found.items)
    with pytest.raises(DataError, match="prepared test set, got --split train"):
        items(tmp_path, "train", "microphone", KWS)


def test_a_list_or_a_noise_that_is_not_there(speech: Path) -> None:
    (speech / "_background_noise_/broken.wav").write_bytes(b"RIFFnothing")
    with pytest.raises(DataError, match=r"broken.wav is not a sound file"):
        items(speech, sensor="microphone", labels=KWS)
    (speech / "validation_list.txt").unlink()
    with pytest.raises(DataError, match=r"validation_list.txt .*Speech Commands' list of a split's clips"):
        items(speech, sensor="microphone", labels=KWS)


def test_layouts_are_found_out(cifar: Path, speech: Path) -> None:
    # both fixtures share one folder here: CIFAR-10's files say more than a list
    assert layout_of(cifar) == "cifar10"
    (cifar / "batches.meta.txt").unlink()
    assert layout_of(speech) == "speech_commands"


def test_the_command_line_offers_these_layouts() -> None:
    from apps.cli.evaluate import LAYOUTS as OFFERED

    assert tuple(LAYOUTS) == OFFERED
