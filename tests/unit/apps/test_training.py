"""What every trainer says and leaves alike, with a trainer of two lines."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner

from apps import checkpoint
from apps.cli.train import TRAINERS, Trainers, train
from apps.shipping import write_whole
from apps.training import Options, Stopped, stoppable, training_options
from pipelines.errors import DataError, MissingDependency, OutputError


def trained(
    name: str, folder: Path, *arguments: str | Path, does: Any = lambda told: None, needs: tuple[str, ...] = ()
) -> Any:
    @click.command(name)
    @training_options(name, epochs=7, needs=needs, free=("test",))
    @click.option("--plain", is_flag=True)
    @click.option("--fold", default=0)
    @click.option("--test", type=click.Path(path_type=Path))
    @click.option("--none", type=click.Path(path_type=Path))
    def command(plain: bool, fold: int, test: Path | None, none: Path | None, **options: Any) -> None:
        does(Options(**options))

    (folder / "data").mkdir(exist_ok=True)
    given = ["--data", folder / "data", "--out", folder / "out", "--work", folder / "work", *arguments]
    return CliRunner().invoke(command, list(map(str, given)))


def test_a_trainer_is_told_its_options(tmp_path: Path) -> None:
    seen: list[Options] = []
    assert trained("kws", tmp_path, "--seed", "3", does=seen.append).exit_code == 0
    assert seen == [Options(tmp_path / "data", tmp_path / "out", tmp_path / "work", epochs=7, seed=3,
                            asked="--seed 3, --fold 0")]  # fmt: skip
    assert seen[0].work.is_dir()


def test_at_its_end_it_says_how_to_run_the_model(tmp_path: Path) -> None:
    manifest = tmp_path / "out" / "manifest.yaml"
    assert f"eiq-demo run kws.yaml --set engine.model={manifest}" in trained("kws", tmp_path).stderr
    assert trained("nothing", tmp_path).stderr == f"{manifest} is written\n"


def test_what_is_not_installed_is_told_before_a_folder_is_made(tmp_path: Path) -> None:
    done = trained("kws", tmp_path, needs=("json", "no_such_framework"), does=lambda told: pytest.fail("it trained"))
    assert isinstance(done.exception, MissingDependency)
    assert "training needs the module no_such_framework" in str(done.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_training_is_told_by_its_seed_and_its_own_options(tmp_path: Path) -> None:
    seen: list[str] = []
    none = tmp_path / "none"
    for arguments in ([], ["--plain", "--fold", "2", "--none", none, "--test", tmp_path, "--epochs", "9", "--resume"]):
        assert trained("kws", tmp_path, *arguments, does=lambda told: seen.append(told.asked)).exit_code == 0
    assert [sorted(asked.split(", ")) for asked in seen] == [
        ["--fold 0", "--seed 1"], ["--fold 2", f"--none {none}", "--plain", "--seed 1"],
    ]  # fmt: skip


def test_ctrl_c_is_one_sentence(tmp_path: Path) -> None:
    def stop(told: Options) -> None:
        raise KeyboardInterrupt

    done = trained("kws", tmp_path, does=stop)
    assert isinstance(done.exception, Stopped)
    assert done.exception.exit_code == 130
    assert str(done.exception) == "stopped; the same command with --resume goes on from the last checkpoint"


def test_a_folder_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = trained("kws", tmp_path, "--out", tmp_path / "file" / "out", does=lambda told: pytest.fail("it trained"))
    assert isinstance(done.exception, OutputError)
    assert "cannot make the folder" in str(done.exception)


def test_a_file_is_written_as_a_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.tflite"
    write_whole(path, b"first")

    def full(self: Path, data: bytes) -> None:
        self.open("wb").close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="cannot write .*model.tflite .No space left on device."):
        write_whole(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


class Variable:
    def __init__(self, value: Any) -> None:
        self.value = np.asarray(value)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.value

    def assign(self, value: Any) -> None:
        self.value = value


class Network:
    """As much of a Keras model as a checkpoint touches."""

    def __init__(self, start: float) -> None:
        self.weights = [Variable(np.full((2, 3), start)), Variable(np.full(3, start))]
        self.trainable_variables = self.weights
        self.optimizer = self
        self.variables: list[Variable] = []
        self.build(self.weights)

    def build(self, variables: list[Variable]) -> None:
        self.variables = [Variable(np.array(9)), *(Variable(np.zeros_like(v.value)) for v in variables)]

    def get_weights(self) -> list[Any]:
        return [weight.value for weight in self.weights]

    def set_weights(self, values: list[Any]) -> None:
        for weight, value in zip(self.weights, values, strict=True):
            weight.assign(value)


def test_a_checkpoint_brings_everything_back(tmp_path: Path) -> None:
    one, other = Network(1.5), Network(0.0)
    one.variables[0].assign(np.array(42))
    one.variables[2].assign(np.array([1.0, 2.0, 3.0]))
    checkpoint.save(tmp_path / "kept.npz", one, 4)
    assert checkpoint.load(tmp_path / "kept.npz", other) == 4
    for mine, yours in zip([*one.weights, *one.variables], [*other.weights, *other.variables], strict=True):
        assert (mine.value == yours.value).all()


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kept.npz"
    checkpoint.save(path, Network(1.5), 4, "--seed 1, --fold 0")
    assert checkpoint.load(path, Network(0.0), "--seed 1, --fold 0") == 4
    other = Network(0.0)
    with pytest.raises(DataError) as told:
        checkpoint.load(path, other, "--seed 2, --fold 0")
    assert str(told.value) == (f"{path} is of a training with --seed 1, --fold 0, got --seed 2, --fold 0; give the "
                               "same, or leave --resume out to begin anew")  # fmt: skip
    assert not other.weights[0].value.any()  # nothing was taken of it
    earlier = {name: array for name, array in np.load(path).items() if name != "asked"}
    np.savez(path, **earlier)  # as an earlier version wrote it
    assert checkpoint.load(path, Network(0.0), "--seed 2, --fold 0") == 4


def test_a_checkpoint_of_another_model_and_a_damaged_one_are_told(tmp_path: Path) -> None:
    path = tmp_path / "kept.npz"
    checkpoint.save(path, Network(1.5), 4)
    whole = path.read_bytes()
    np.savez(path, w0=np.zeros((2, 3)), epochs=np.array(1))
    with pytest.raises(DataError, match=r"kept.npz is of another model .* expected a checkpoint of this training"):
        checkpoint.load(path, Network(0.0))
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"kept.npz cannot be read as NPZ .* expected a checkpoint of this training"):
        checkpoint.load(path, Network(0.0))


def test_every_trainer_is_a_command() -> None:
    assert {"cifar10", "kws", "label_image"} <= set(TRAINERS)
    assert "cli" not in TRAINERS
    assert isinstance(train, Trainers)
    context = click.Context(train)
    for name in TRAINERS:
        found = train.get_command(context, name)
        assert found is not None
        assert found.name == name
        assert found.help
    assert train.get_command(context, "nothing") is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_that_a_framework_makes_an_error_of_is_a_stop_all_the_same(
    number: signal.Signals, tmp_path: Path
) -> None:
    def interrupted(told: Options) -> None:
        try:
            os.kill(os.getpid(), number)
        except KeyboardInterrupt as error:
            raise RuntimeError("Graph execution error") from error

    before = signal.getsignal(number)
    assert isinstance(trained("kws", tmp_path, does=interrupted).exception, Stopped)
    assert signal.getsignal(number) is before


def test_an_error_without_an_interrupt_stays_what_it_is() -> None:
    with pytest.raises(ZeroDivisionError), stoppable():
        _ = 1 // 0
