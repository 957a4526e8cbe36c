"""What a board says that it has: models with their tensors, and sensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hal.rt import protocol
from hal.rt.link import Link
from hal.rt.protocol import (
    DESCRIBE_MODEL,
    DESCRIBE_SENSOR,
    DESCRIBE_TENSOR,
    BoardInfo,
    DType,
    ModelInfo,
    SensorInfo,
    TensorInfo,
)
from hal.rt.session import CALL_S, refuse, told_twice
from pipelines.errors import DeviceMismatch

DTYPES = {DType.INT8: "int8", DType.UINT8: "uint8", DType.INT16: "int16", DType.INT32: "int32",
          DType.FLOAT32: "float32", DType.BOOL: "bool"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class BoardModel:
    """A model that is compiled into the board's firmware."""

    index: int
    info: ModelInfo
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]


def described(link: Link, info: BoardInfo) -> tuple[tuple[BoardModel, ...], tuple[SensorInfo, ...]]:
    """Everything that a board has. Raises DeviceMismatch where a description contradicts itself, DeviceError."""
    models = tuple(_model(link, index) for index in range(info.models))
    return models, tuple(_sensor(link, index) for index in range(info.sensors))


def _model(link: Link, index: int) -> BoardModel:
    info, status = told_twice(link, DESCRIBE_MODEL, protocol.describe_model(index), CALL_S)
    refuse(status, f"model {index}")
    tensors = []
    for tensor in range(info.inputs + info.outputs):
        found, status = told_twice(link, DESCRIBE_TENSOR, protocol.describe_tensor(index, tensor), CALL_S)
        refuse(status, f"tensor {tensor} of {info.name}")
        blob = info.input_bytes if tensor < info.inputs else info.output_bytes
        size = int(np.prod(found.shape, dtype=np.int64)) * np.dtype(DTYPES[found.dtype]).itemsize
        if found.bytes != size or found.place + found.bytes > blob:
            raise DeviceMismatch(
                f"the tensor {found.name} of {info.name} has {found.bytes} bytes at {found.place} of {blob}, "
                f"expected {size} bytes within; build the firmware again"
            )
        tensors.append(found)
    return BoardModel(index, info, tuple(tensors[: info.inputs]), tuple(tensors[info.inputs :]))


def _sensor(link: Link, index: int) -> SensorInfo:
    info, status = told_twice(link, DESCRIBE_SENSOR, protocol.describe_sensor(index), CALL_S)
    refuse(status, f"sensor {index}")
    return info
