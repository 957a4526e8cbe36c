"""What cv2.dnn computes otherwise than ONNX says, without a word, told from the graph before it runs.

Found with 12,000 random graphs of one operator against ONNX Runtime, with OpenCV 4.6, 4.7, 4.8, 4.10, 4.14 and 5.0.
Where ONNX Runtime and the reference of the onnx package disagree themselves (SAME_LOWER of pools, Softmax before opset
13, scales that leave a rest), there is no answer to trust, and OpenCV's is a third.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.engines._protobuf import Graph, Node

_CONV, _POOL = ("Conv", "ConvTranspose"), ("MaxPool", "AveragePool")
_SQUARES = ("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceSumSquare")


@dataclass(frozen=True, slots=True)
class _Case:
    node: Node
    graph: Graph
    version: tuple[int, int]

    @property
    def four(self) -> bool:
        return self.before(5, 0)

    def before(self, major: int, minor: int) -> bool:
        return self.version < (major, minor)

    def numbers(self, name: str, size: int = 2) -> tuple[int, ...]:
        """An attribute that is 1 for each axis where it is left out."""
        found = self.node.attributes.get(name)
        return tuple(int(n) for n in found) if isinstance(found, tuple) else (1,) * size

    def number(self, name: str, default: float) -> float:
        found = self.node.attributes.get(name, default)
        return found if isinstance(found, int | float) else default

    def text(self, name: str, default: str) -> str:
        found = self.node.attributes.get(name, default)
        return found if isinstance(found, str) else default

    def shape(self, place: int) -> tuple[int | None, ...] | None:
        """Of an input; None where the file does not say."""
        return self.graph.shapes.get(self.node.inputs[place]) if place < len(self.node.inputs) else None

    def values(self, place: int) -> tuple[float, ...] | None:
        """Of an input that is a constant of a few numbers."""
        return self.graph.values.get(self.node.inputs[place]) if place < len(self.node.inputs) else None


def fault(graph: Graph, version: tuple[int, int]) -> str:
    """The first fault in words, such as ``node 3 (AveragePool) with count_include_pad``; empty where there is none."""
    for index, node in enumerate(graph.nodes):
        for what in _faults(_Case(node, graph, version)):
            name = repr(node.name) if node.name else str(index)
            return f"node {name} ({node.operator}) with {what}"
    return ""


def _faults(case: _Case) -> Iterator[str]:
    operator = case.node.operator
    if operator in (*_CONV, *_POOL):
        yield from _windows(case)
    elif operator in ("Softmax", "LogSoftmax", "Hardmax"):
        yield from _softmax(case)
    elif operator == "Resize":
        yield from _resize(case)
    elif operator == "PRelu":
        yield from _prelu(case)
    elif operator.startswith("Reduce"):
        yield from _reduce(case)
    elif operator == "Concat" and case.four and any(name in case.graph.constants for name in case.node.inputs):
        yield "a constant"
    elif operator == "GRU":
        yield "its state"
    else:
        yield from _of_older(case)
    if case.before(4, 7) and operator != "Reshape":
        for name in case.node.inputs:
            if name in case.graph.inputs and len(case.graph.shapes.get(name, ())) == 3:
                yield "an input of three axes"


# ---- convolution and pooling -------------------------------------------------------------------------------------


def _windows(case: _Case) -> Iterator[str]:
    operator, attributes = case.node.operator, case.node.attributes
    weights = case.shape(1) if operator in _CONV else None
    kernel = case.numbers("kernel_shape", 0) or tuple(size or 0 for size in (weights or ())[2:])
    strides, dilations = (case.numbers(name, len(kernel)) for name in ("strides", "dilations"))
    pads = case.numbers("pads", 0)
    padded = case.text("auto_pad", "NOTSET")
    if padded in ("SAME_LOWER", "SAME_UPPER") and (padded == "SAME_LOWER" or not case.four or operator == _CONV[1]):
        even = all(size == 1 or (stride == 1 and (size - 1) * step % 2 == 0)
                   for size, stride, step in zip(kernel, strides, dilations, strict=False))  # fmt: skip
        if not kernel or not even or operator == _CONV[1]:
            yield f"auto_pad {padded}"
    if case.four and any(step != 1 for step in dilations) and operator in ("MaxPool", "ConvTranspose"):
        yield "dilations"
    if operator == "ConvTranspose" and "output_shape" in attributes:
        yield "output_shape"
    if operator == "Conv" and case.four and len(pads) == 2 and pads[0] != pads[1]:
        yield "pads that differ on the two sides"
    if operator in _POOL:
        if case.number("ceil_mode", 0) and (
            any(stride > size for stride, size in zip(strides, kernel, strict=False)) or (any(pads) and not case.four)
        ):
            yield "ceil_mode"
        if case.four and case.number("count_include_pad", 0) and (any(pads) or padded.startswith("SAME")):
            yield "count_include_pad"
        if case.before(4, 7) and len(kernel) == 1:
            yield "windows along one axis"


def _softmax(case: _Case) -> Iterator[str]:
    operator, shape = case.node.operator, case.shape(0) or case.graph.shapes.get(case.node.outputs[0])
    before_13 = case.graph.opset < 13
    if operator == "Hardmax":
        yield "the largest number"
    axis = int(case.number("axis", 1 if before_13 else -1))
    last = axis == -1 or (shape is not None and axis == len(shape) - 1)
    if before_13 and not last:  # all axes from that one on are one, so other axes of size 1 make no difference
        if shape is None or axis < 0 or any(size != 1 for size in shape[axis + 1 :]):
            yield f"axis {axis} before opset 13"
    elif (
        case.before(4, 10)
        and "axis" not in case.node.attributes
        and not before_13
        and (shape is None or len(shape) != 2)
    ):
        yield "no axis"


def _prelu(case: _Case) -> Iterator[str]:
    slope, shape = case.shape(1), case.shape(0)
    if slope is None or all(size == 1 for size in slope) or (shape is not None and len(shape) == 2):
        return
    if slope[-2:] != (1, 1) and (case.before(4, 10) or slope != shape):
        yield "a slope that is not one per channel, such as [channels, 1, 1]"


def _reduce(case: _Case) -> Iterator[str]:
    axes = case.numbers("axes", 0) or tuple(int(axis) for axis in case.values(1) or ())
    shape = case.shape(0) or ()
    single = any(-len(shape) <= axis < len(shape) and shape[axis] == 1 for axis in axes)
    if case.before(4, 7) and len(case.node.inputs) > 1:
        yield "axes as an input"
    elif case.before(4, 11) and not axes:
        yield "all axes"
    elif (
        not case.before(4, 7)
        and case.four
        and case.node.operator in _SQUARES
        and (len(axes) > 2 or 0 in axes or single)
    ):
        yield f"axes {list(axes)}"
    elif not case.before(4, 8) and case.four and (len(axes) > 2 or (axes and len(axes) == len(shape))):
        yield f"axes {list(axes)}"  # all of them, named, end the program


# ---- sizes -------------------------------------------------------------------------------------------------------


def _resize(case: _Case) -> Iterator[str]:
    mode, nearest = case.text("mode", "nearest"), case.text("nearest_mode", "round_prefer_floor")
    place = 1 if case.graph.opset < 11 else 2
    where = case.text("coordinate_transformation_mode", "asymmetric" if place == 1 else "half_pixel")
    sized = len(case.node.inputs) > 3
    scales = () if sized else case.values(place) or ()
    if any(scale % 1 for scale in scales):
        yield "scales that are not whole"
    if mode == "linear" and place == 1 and not case.four:
        yield "mode linear in opset 10"
    if mode == "nearest" and case.four and place == 2:
        halves = where in ("half_pixel", "pytorch_half_pixel") and nearest.startswith("round") and not sized
        if not halves and (where, nearest) != ("asymmetric", "floor"):
            yield f"nearest_mode {nearest} of {where}"


# ---- older ones --------------------------------------------------------------------------------------------------


def _of_older(case: _Case) -> Iterator[str]:
    """Mended in 4.7, in 4.10, in 4.11 and in 5."""
    older, old, recent = case.before(4, 7), case.before(4, 10), case.before(4, 11)
    match case.node.operator:
        case "Split" if older and len(case.node.inputs) > 1 and len(set(case.values(1) or (0, 1))) > 1:
            yield "parts of several sizes"
        case "Gather" if older and case.number("axis", 0) < 0:
            yield "a negative axis"  # it ends the program
        case "Div" if older and case.node.inputs[0] in case.graph.constants:
            yield "a constant divided"
        case "Slice" if case.four and any(step < 0 for step in case.values(4) or ()):
            yield "a negative step"
        case "CumSum" if old:
            yield "its sums"
        case "Gemm" if old and (case.number("alpha", 1), case.number("beta", 1)) != (1, 1):
            yield "alpha or beta"
        case "Add" | "Sub" | "Mul" | "Div" | "Min" | "Max" | "Mod" | "Pow" if case.four and _is_row(case):
            yield "one row for a picture of one channel, or a square one"
        case "Tile" if recent:
            yield "its repeats"
        case "Min" | "Max" if recent and any(_is_array(case, name) for name in case.node.inputs):
            yield "a constant of several numbers"


def _is_row(case: _Case) -> bool:
    """It is taken for a column, where that would fit as well."""
    shapes = [case.graph.shapes.get(name, ()) for name in case.node.inputs]
    rows = any(len(shape) == 1 and shape != (1,) for shape in shapes)
    return rows and any(len(shape) == 4 and (shape[1] == 1 or shape[2] == shape[3]) for shape in shapes)


def _is_array(case: _Case, name: str) -> bool:
    return name in case.graph.constants and any(size != 1 for size in case.graph.shapes[name])
