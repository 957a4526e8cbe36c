"""A .tflite as objects that can be changed, and back: TFLite's own schema, as ai-edge-litert ships it."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.optional import require

INSTALL = "pip install 'eiq-demo[desktop]'"


def schema() -> Any:
    """The classes of TFLite's schema. Raises MissingDependency."""
    return require("ai_edge_litert.schema_py_generated", purpose="changing a .tflite", install=INSTALL)


def unpacked(flatbuffer: bytes) -> Any:
    """The model (a ModelT) of a flatbuffer."""
    utils = require("ai_edge_litert.tools.flatbuffer_utils", purpose="changing a .tflite", install=INSTALL)
    return utils.convert_bytearray_to_object(bytearray(flatbuffer))


def packed(model: Any) -> bytes:
    """The flatbuffer of a ModelT; equal vectors are stored once.

    Weights are aligned to 16 bytes, as TFLite's schema asks (flatbuffers' Python packing alone would not).
    """
    import flatbuffers  # type: ignore[import-untyped,import-not-found,unused-ignore]

    class Sharing(flatbuffers.Builder):  # type: ignore[misc]
        """Writes a numeric vector only if an equal one was not written before."""

        def __init__(self) -> None:
            super().__init__(1024)
            self.written: dict[tuple[str, bytes], int] = {}

        def CreateNumpyVector(self, x: Any) -> int:  # noqa: N802 - flatbuffers' name
            """The offset of a vector equal to ``x``."""
            key = (x.dtype.str, x.tobytes())
            if key not in self.written:
                self.StartVector(x.itemsize, x.size, 16 if x.dtype == np.uint8 else x.itemsize)
                self.head -= x.nbytes
                self.Bytes[self.head : self.head + x.nbytes] = key[1]
                self.written[key] = self.EndVector()
            return self.written[key]

    builder = Sharing()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
