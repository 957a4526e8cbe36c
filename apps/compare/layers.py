"""Where in a network two engines begin to differ: the same model with every layer's output as an output of its own.

Both engines run that, on the input of the first frame whose scores differ. Whatever the engine (XNNPACK, reference
kernels, compiled C), an output is what it hands on. In a board's place runs the engine ``bundle``: the same C here.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from apps.compare.differences import Taken
from apps.compare.report import Layer
from pipelines import registry
from pipelines.core import Array, Data, Engine, Stage
from pipelines.errors import EiqError, ModelError
from pipelines.process_engine import ProcessEngine
from pipelines.shared_engine import SharedEngine

NUMBERS = ("FLOAT32", "FLOAT16", "INT8", "UINT8", "INT16", "INT32", "INT64")


@dataclass(frozen=True)
class Made:
    """One operator's output, as the model has it."""

    index: int
    operator: str
    tensor: int
    name: str


def config_of(stage: Stage) -> Any:
    """What a stage's engine was built from: where it says so itself, a target has settled what the file leaves open."""
    engine = stage.part.inner if isinstance(stage.part, SharedEngine) else stage.part
    return getattr(engine, "config", stage.config)


def kind_of(engine: Engine) -> type[Any] | None:
    """The registry's class of an engine, also of one that is shared or in a process; None for a board's."""
    while isinstance(engine, SharedEngine):
        engine = engine.inner
    kind = engine.kind if isinstance(engine, ProcessEngine) else type(engine)
    return kind if f"{kind.__module__}:{kind.__qualname__}" in registry.table("engines").values() else None


def first_layer(
    path: Path, stages: tuple[Stage, Stage], data: Data, scores: Sequence[Taken] | None
) -> tuple[Layer | None, str | None]:
    """The first layer that differs, or why it cannot be shown.

    Args:
        path: the model file that both run.
        stages: of the reference's engine, and the variant's.
        data: what went into the engine.
        scores: what either engine made of it in the run; None where something else was taken down (a residual).
    """
    if path.suffix != ".tflite":
        return None, f"layers are shown of .tflite models, and {path.name} is another kind"
    parts = data if isinstance(data, tuple) else (data,)
    if [part.size for part in parts] != [math.prod(spec.shape) for spec in stages[1].part.inputs]:
        return None, "the board computed the engine's input itself"
    try:
        with tempfile.TemporaryDirectory(prefix="eiq-demo-") as folder:
            opened = Path(folder) / path.name
            made, ends = _opened(path, opened)
            a, b = (_outputs(_engine(stage, opened), parts) for stage in stages)
    except EiqError as error:
        return None, f"with every layer as an output it does not run: {error}"
    for stage, outputs, taken in zip(stages, (a, b), scores or (), strict=bool(scores)):
        if np.concatenate([outputs[end][0].ravel() for end in ends]).tobytes() != taken.values.tobytes():
            return (
                None,
                f"with every layer as an output and the same input, {stage.part.description} gives other scores",
            )
    return _first(made, a, b)


def _opened(path: Path, out: Path) -> tuple[list[Made], list[int]]:
    """Write the model with every layer's output; what they are, and which of them are the model's own outputs.

    Raises:
        ModelError: it has several graphs, or hands on its own input.
        MissingDependency: the schema's package is not installed.
    """
    from apps.flatbuffer import packed, schema, unpacked

    model = unpacked(path.read_bytes())
    graph = model.subgraphs[0]
    operators = {value: name for name, value in vars(schema().BuiltinOperator).items() if isinstance(value, int)}
    types = {value: name for name, value in vars(schema().TensorType).items() if isinstance(value, int)}
    own = [int(tensor) for tensor in graph.outputs]
    made = []
    for index, operator in enumerate(graph.operators):
        code = model.operatorCodes[operator.opcodeIndex]
        name = operators[max(code.builtinCode, code.deprecatedBuiltinCode)]
        for tensor in map(int, operator.outputs):
            if types[graph.tensors[tensor].type] in NUMBERS or tensor in own:
                made.append(Made(index, name, tensor, graph.tensors[tensor].name.decode("utf-8", "replace")))
    places = [one.tensor for one in made]
    if len(model.subgraphs) != 1 or not set(own) <= set(places):
        raise ModelError(f"{path} has {len(model.subgraphs)} graphs, expected one whose outputs it computes")
    graph.outputs = places
    model.signatureDefs = []  # they name the outputs
    out.write_bytes(packed(model))
    return made, [places.index(tensor) for tensor in own]


def _engine(stage: Stage, path: Path) -> Engine:
    """The stage's engine with another model, or, for one that is not here, the compiled C that a board has too."""
    if kind := kind_of(stage.part):
        engine: Engine = kind(msgspec.structs.replace(config_of(stage), model=str(path)), path)
        return engine
    bundle = registry.load("engines", "bundle")
    compiled: Engine = bundle(bundle.Config(model=str(path)), path)
    return compiled


def _outputs(engine: Engine, parts: tuple[Array, ...]) -> list[tuple[Array, float]]:
    """Every output and the size of its step."""
    try:
        y = engine.infer(*(part.reshape(spec.shape) for part, spec in zip(parts, engine.inputs, strict=True)))
        return [(array.copy(), spec.scale) for array, spec in zip(y, engine.outputs, strict=True)]
    finally:
        engine.close()


def _first(
    made: list[Made], a: list[tuple[Array, float]], b: list[tuple[Array, float]]
) -> tuple[Layer | None, str | None]:
    operators = made[-1].index + 1 if made else 0
    for one, (x, step), (y, _) in zip(made, a, b, strict=True):
        differs = x.view(np.uint32) != y.view(np.uint32)
        if differs.any():
            largest = _largest(x, y)
            steps = round(largest / step, 2) if step else None
            return Layer(one.index, operators, one.operator, one.name, x.size, int(differs.sum()), largest, steps), None
    return None, "given the same input, no layer differs: the inputs do"


def _largest(x: Array, y: Array) -> float:
    apart: Any = np.abs(x.astype(np.float64) - y)
    return float(apart[np.isfinite(apart)].max(initial=0.0))
