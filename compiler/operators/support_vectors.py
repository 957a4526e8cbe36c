"""What a support vector machine decides, of each pair of classes (kernels/support_vectors.c)."""

from __future__ import annotations

import numpy as np

from compiler.graph import Array, Graph, Node
from compiler.layer import Layer, Struct
from compiler.operators import _float

KERNELS = {"linear": "l", "poly": "p", "rbf": "r", "sigmoid": "s"}


def lower(graph: Graph, node: Node) -> Layer:
    """A machine of a .skops file: inputs x, vectors, coefficients, intercepts; see compiler/classical.py."""
    vectors, coefficients, intercepts = _float.constants(graph, node)
    (count, features), rows, options = vectors.shape, coefficients.shape[1], node.options
    numbers = (options["degree"], *(_float.literal(options[key]) for key in ("gamma", "coef0", "sign")))
    shape = Struct("eiq_support_shape", (count, features, rows, intercepts.size, *numbers))
    pointers = ", ".join([*(_float.at(place) for place in range(3)), "{w3}", "{w4}"])
    call = f"&{{s0}}, {{in0}}, {pointers}, {{out}}, {{scratch}}, '{KERNELS[options['kernel']]}'"
    constants = (vectors, coefficients, intercepts, np.cumsum(options["counts"]).astype(np.int32), _pairs(rows))
    return Layer(
        node, "eiq_support_vectors", ("float_exp", "float_tanh", "support_vectors"), (call,), constants, (shape,),
        scratch=4 * intercepts.size, macs=count * (features + rows), status=True,
        reason=f"float, {options['kernel']}, vector by vector",
    )  # fmt: skip


def _pairs(rows: int) -> Array:
    """Of each class the places of its pairs among (0, 1), (0, 2), … (1, 2), …"""
    if rows == 1:
        return np.zeros((2, 1), np.int32)
    pairs = [(i, j) for i in range(rows + 1) for j in range(i + 1, rows + 1)]
    return np.array([[at for at, pair in enumerate(pairs) if one in pair] for one in range(rows + 1)], np.int32)
