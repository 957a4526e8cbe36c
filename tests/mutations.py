"""Damage for files: cut short, bytes changed, numbers put in, parts moved; and models that are whole, but nonsense."""

from __future__ import annotations

import random
from copy import copy
from dataclasses import replace
from struct import pack

from tflite_builder import Builder, BuiltOperator, BuiltTensor

NUMBERS = (0, 1, 2, 3, 4, 7, 8, 100, 255, 256, 1 << 15, 1 << 20, (1 << 31) - 1, -1, -2, -128, -(1 << 31))


def mutated(data: bytes, rng: random.Random) -> bytes:
    """One to three of these, most often one."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice((_truncated, _flipped, _flipped, _numbered, _numbered, _numbered, _spliced, _removed))(
            data, rng
        )
    return data


def _truncated(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _flipped(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(min(rng.randint(1, 8), len(out))):
        out[rng.randrange(len(out))] ^= rng.choice((1, 2, 4, 8, 16, 32, 64, 128, 255))
    return bytes(out)


def _numbered(data: bytes, rng: random.Random) -> bytes:
    """An aligned int32, float32 or byte becomes another."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(max(1, len(out) // 4)) * 4
        number = rng.choice(NUMBERS)
        if rng.random() < 0.2:
            out[at : at + 4] = pack("<f", rng.choice((0.0, -1.0, 1e-40, 1e-30, 1e30, float("inf"), float("nan"))))
        elif rng.random() < 0.3:
            out[at : at + 1] = pack("<b", rng.randint(-128, 127))
        else:
            out[at : at + 4] = pack("<i", number)
    return bytes(out)


def _spliced(data: bytes, rng: random.Random) -> bytes:
    """A part of the file over another part."""
    if len(data) < 8:
        return data
    out, size = bytearray(data), rng.choice((4, 8, 16, 64)) % len(data)
    source, target = (rng.randrange(0, len(data) - size + 1, 4) for _ in range(2))
    out[target : target + size] = data[source : source + size]
    return bytes(out)


def _removed(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at + rng.choice((1, 4, 8, 32)) :]


def altered(builder: Builder, inputs: list[int], outputs: list[int], rng: random.Random) -> bytes:
    """The model with one to three tensors, operators or ends changed: a sound file that means something else."""
    b = copy(builder)
    b.tensors, b.operators, ends = list(b.tensors), list(b.operators), [list(inputs), list(outputs)]
    for _ in range(rng.choice((1, 1, 2, 3))):
        kind = rng.random()
        if kind < 0.45:
            place = rng.randrange(len(b.tensors))
            b.tensors[place] = _altered_tensor(b.tensors[place], rng)
        elif kind < 0.9:
            place = rng.randrange(len(b.operators))
            b.operators[place] = _altered_operator(b.operators[place], len(b.tensors), rng)
        else:
            end = rng.choice(ends)
            end[rng.randrange(len(end))] = rng.randrange(len(b.tensors))
    return b.model(*ends)


def _altered_tensor(tensor: BuiltTensor, rng: random.Random) -> BuiltTensor:
    shape, place = list(tensor.shape), rng.randrange(max(1, len(tensor.shape)))
    match rng.randrange(7):
        case 0 if shape:
            shape[place] = rng.choice((0, 1, 2, 3, 5, 64, 1 << 14, 1 << 28, -1, shape[place] + 1))
        case 1:
            shape.insert(place, rng.choice((1, 1, 2)))
        case 2 if shape:
            del shape[place]
        case 3:
            return replace(tensor, dtype=rng.choice(("float32", "int32", "uint8", "int64", "bool", "int16", "int8")))
        case 4:
            scales = rng.choice(((), (1.0,), (1e-30,), (1e30,), (1e-45,), (0.0,), (float("nan"),), (0.1, 0.2)))
            return replace(tensor, scales=scales, zero_points=(0,) * len(scales))
        case 5 if tensor.scales:
            zero = rng.choice((-129, -128, 0, 5, 127, 128, 1 << 40))
            return replace(tensor, zero_points=(zero,) * len(tensor.scales))
        case 6:
            return replace(tensor, axis=rng.choice((-1, 1, 9))) if tensor.data is None else replace(tensor, data=None)
    return replace(tensor, shape=tuple(shape))


def _altered_operator(op: BuiltOperator, tensors: int, rng: random.Random) -> BuiltOperator:
    match rng.randrange(5):
        case 0 | 1 if op.options:
            key = rng.choice(sorted(op.options))
            number = rng.choice((0, 1, 2, 3, 5, 7, 127, -1))
            return replace(op, options={**op.options, key: type(op.options[key])(number)})
        case 2 if op.inputs:
            inputs = list(op.inputs)
            inputs[rng.randrange(len(inputs))] = rng.choice((-1, rng.randrange(tensors)))
            return replace(op, inputs=tuple(inputs))
        case 3:
            more = (*op.inputs, rng.randrange(tensors))
            return replace(op, inputs=rng.choice((op.inputs[:-1], more, ())))
        case 4:
            return replace(op, outputs=rng.choice(((), (rng.randrange(tensors),), op.outputs * 2)))
    names = ("RELU", "TANH", "LOGISTIC", "SUB", "QUANTIZE", "DEQUANTIZE", "CAST")
    return replace(op, name=rng.choice(names), options={})
