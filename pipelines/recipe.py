"""Does the preprocessing of a config make what the model was trained on?"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pipelines import registry
from pipelines.config.schema import Config, Step
from pipelines.core import Signal
from pipelines.errors import Problem, SignalMismatch
from pipelines.models import Model, ModelInput, Source, sha256


def compare_recipe(model: Model, captured: Signal, signal: Signal, steps: list[Step], problems: list[Problem]) -> None:
    """Compare the steps before an engine with its model's manifest, option by option.

    Options that a transform names in its ``free`` set (a window's hop) do not change what the model sees and are free.
    So are transforms that only hold frames back (``passes``, such as health): ``steps`` comes without them.

    Args:
        model: whose manifest counts; a bare file has none, and anything goes.
        captured: what the preprocessing starts from.
        signal: what arrives at the engine.
        steps: the transforms since the sensor, or since the decoder before in a cascade.
        problems: gets one problem for every option that differs.

    Raises:
        SignalMismatch: other steps than the manifest's, or another signal.
    """
    if model.manifest is None:
        return
    _compare_source(captured, model.manifest.source, model.name)
    wanted = [step for step in model.manifest.preprocess if not _passes(step)]
    if [step.name for step in steps] != [step.name for step in wanted]:
        raise SignalMismatch(
            f"the preprocessing {_chain(steps)}",
            f"{_chain(wanted)}, on which model {model.name} was trained",
            f"copy it from the manifest: eiq-demo models info {model.name}",
        )
    before = len(problems)
    for step, trained in zip(steps, wanted, strict=True):
        problems.extend(_differences(step, trained, model.name))
    if len(problems) == before:
        _compare_signal(signal, model.manifest.input, model.name)


def described(captured: Signal, steps: list[Step], models: Mapping[str, Model]) -> tuple[str, ...]:
    """What ``steps`` make of the captured signal, in words: what was learned behind it fits the same words alone.

    Options in ``free`` are left out, as they change nothing that can be seen behind.

    Args:
        models: of the engines among the steps, by the step's path; a model trained anew is another one.
    """
    return (str(captured), *(f"{step.name} {_shown_options(step, models)}".strip() for step in steps))


def _shown_options(step: Step, models: Mapping[str, Model]) -> str:
    if step.kind == "engines":
        model = models[step.path]
        return f"{model.name} {sha256(model.path)[:12]} {step.config.residual or ''}".strip()
    free = _free(step)
    fields = (field for field in msgspec.structs.fields(step.config) if field.name not in free)
    options = {field.encode_name: getattr(step.config, field.name) for field in fields}
    return msgspec.json.encode(options, enc_hook=str).decode() if options else ""


def _free(step: Step) -> frozenset[str]:
    free: frozenset[str] = getattr(registry.load(step.kind, step.name), "free", frozenset())
    return free


def _passes(step: Step) -> bool:
    return bool(getattr(registry.load(step.kind, step.name), "passes", False))


def _chain(steps: list[Step]) -> str:
    return "[" + ", ".join(step.name for step in steps) + "]"


def _differences(step: Step, trained: Step, model: str) -> list[Problem]:
    free = _free(step)
    found = []
    for field in msgspec.structs.fields(step.config):
        got, want = getattr(step.config, field.name), getattr(trained.config, field.name)
        if field.name in free or _same(got, want):
            continue
        entry = (step.node.entries or {}).get(field.encode_name)
        mark = entry.node.mark if entry else step.node.mark
        message = f"got {_shown(got)}, but model {model} was trained with {_shown(want)}"
        found.append(mark.problem(f"{step.path}.{field.encode_name}", message))
    return found


def _same(got: object, want: object) -> bool:
    if isinstance(got, tuple) and isinstance(want, tuple):
        return len(got) == len(want) and all(map(_same, got, want))
    if isinstance(got, Step) and isinstance(want, Step):  # a fork's branches
        return got.name == want.name and not _differences(got, want, "")
    return got == want


def _shown(value: object) -> str:
    if isinstance(value, tuple | Config):
        return msgspec.json.encode(value, enc_hook=str).decode()
    return "no value" if value is None else str(value)


def _compare_source(captured: Signal, wanted: Source | None, model: str) -> None:
    if wanted is None:
        return
    rate = wanted.rate_hz is None or captured.rate_hz == wanted.rate_hz
    if captured.kind != wanted.kind or not rate or (wanted.channels and captured.channels != wanted.channels):
        at = f" at {wanted.rate_hz:g} Hz" if wanted.rate_hz else ""
        named = f" ({' '.join(wanted.channels)})" if wanted.channels else ""
        raise SignalMismatch(captured, f"{wanted.kind}{at}{named}, on which model {model} was trained",
                             _other_source(captured, wanted))  # fmt: skip


def _other_source(captured: Signal, wanted: Source) -> str:
    """What to do about a sensor that gives something else: another unit, other axes, another rate."""
    got, want = ([name.rpartition("_") for name in channels] for channels in (captured.channels, wanted.channels))
    if captured.kind == wanted.kind and [axis for axis, _, _ in got] == [axis for axis, _, _ in want]:
        for (axis, _, unit), (_, _, trained) in zip(got, want, strict=True):
            if unit != trained:
                return f"{axis} is in {unit}, the model takes {trained}: convert the data to {trained}"
    if captured.kind == wanted.kind and wanted.rate_hz not in (None, captured.rate_hz):
        return f"take a sensor or recording at {wanted.rate_hz:g} Hz"
    return "correct the sensor"


def _compare_signal(signal: Signal, wanted: ModelInput, model: str) -> None:
    expected = Signal(wanted.shape, wanted.dtype, wanted.rate_hz, wanted.kind, wanted.channels)
    fits = (
        signal.kind == wanted.kind
        and signal.shape == wanted.shape
        and signal.dtype == wanted.dtype
        and (wanted.rate_hz is None or signal.rate_hz == wanted.rate_hz)
        and (not wanted.channels or signal.channels == wanted.channels)
    )
    if not fits:
        raise SignalMismatch(signal, f"{expected}, on which model {model} was trained",
                             "correct the sensor's rate or channels, or the preprocessing")  # fmt: skip
