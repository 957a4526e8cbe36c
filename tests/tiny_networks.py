"""Networks of one layer for Caffe and TensorFlow, written byte for byte: y [1, 3] = x [1, 4] W, plus B for Caffe.

Messages and field numbers are those of BVLC/caffe's caffe.proto and tensorflow/core/framework/*.proto.
"""

from __future__ import annotations

import numpy as np

from tiny_onnx import _message, _number

WEIGHTS = np.arange(12, dtype=np.float32).reshape(4, 3) / 4
BIAS = np.array([1, 2, -3], np.float32)

PROTOTXT = """\
name: "tiny"
input: "x"
input_shape { dim: 1 dim: 4 }
layer { name: "y" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 3 } }
"""


def caffemodel() -> bytes:
    """The weights of PROTOTXT's layer."""
    layer = _message(1, b"y") + _message(2, b"InnerProduct") + _blob(WEIGHTS.T) + _blob(BIAS)
    return _message(1, b"tiny") + _message(100, layer)


def _blob(data: np.ndarray) -> bytes:
    shape = b"".join(_number(1, size) for size in data.shape)
    return _message(7, _message(5, np.ascontiguousarray(data).tobytes()) + _message(7, shape))


def frozen_graph() -> bytes:
    """A GraphDef: Placeholder, Const, MatMul."""
    tensor = _number(1, 1) + _message(2, _shape(4, 3)) + _message(4, WEIGHTS.tobytes())
    kind = ("dtype", _number(6, 1))
    return b"".join([
        _node("x", "Placeholder", [], kind, ("shape", _message(7, _shape(1, 4)))),
        _node("w", "Const", [], kind, ("value", _message(8, tensor))),
        _node("y", "MatMul", ["x", "w"], ("T", _number(6, 1)), ("transpose_a", _number(5, 0)),
              ("transpose_b", _number(5, 0))),
    ])  # fmt: skip


def _shape(*sizes: int) -> bytes:
    return b"".join(_message(2, _number(1, size)) for size in sizes)


def _node(name: str, op: str, inputs: list[str], *attributes: tuple[str, bytes]) -> bytes:
    parts = [_message(1, name.encode()), _message(2, op.encode()), *(_message(3, i.encode()) for i in inputs)]
    parts += [_message(5, _message(1, key.encode()) + _message(2, value)) for key, value in attributes]
    return _message(1, b"".join(parts))
