"""A Keras model or a TensorFlow SavedModel to an int8 .tflite, quantised after training by TensorFlow's converter.

python -m apps.convert MODEL.keras SAMPLES.npy MODEL.tflite
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from apps import script
from apps.shipping import write_whole
from pipelines.errors import DataError, EiqError, ModelError
from pipelines.optional import require

USAGE = (
    "expected three arguments: a .keras or .h5 file or a SavedModel's folder, samples as .npy, and a .tflite to write"
)


def convert(source: Path, samples: Path) -> bytes:
    """The flatbuffer, int8 in and out.

    Args:
        source: a .keras or .h5 file, or the folder of a SavedModel.
        samples: .npy of inputs as the model takes them, float32 [count, ...]; their range becomes the scales.

    Raises:
        DataError: the samples cannot be read.
        MissingDependency: TensorFlow is not installed.
        ModelError: the model cannot be read or converted.
    """
    examples = _examples(samples)
    tf = require("tensorflow", purpose="converting models", install="pip install 'eiq-demo[train]'")
    from apps.int8 import quantised

    try:
        if source.is_dir():
            converter = tf.lite.TFLiteConverter.from_saved_model(str(source))
        else:
            converter = tf.lite.TFLiteConverter.from_keras_model(tf.keras.models.load_model(source))
        return quantised(converter, lambda: (example[None] for example in examples))
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{source} cannot be converted ({first}); expected a .keras or .h5 file or a SavedModel's "
                         f"folder that takes samples such as those given") from error  # fmt: skip


def _examples(path: Path) -> Any:
    try:
        found = np.load(path)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read ({error}); expected samples as .npy") from error
    if not isinstance(found, np.ndarray) or found.ndim < 2 or not len(found):
        raise DataError(f"{path} holds no samples; expected an array [count, ...] of inputs")
    return found.astype(np.float32)


def main() -> None:
    """Convert by the command line's three arguments."""
    if len(sys.argv) != 4:
        raise EiqError(f"got {len(sys.argv) - 1} arguments, {USAGE}")
    source, samples, target = map(Path, sys.argv[1:])
    write_whole(target, convert(source, samples))
    print(f"wrote {target}", file=sys.stderr)


if __name__ == "__main__":
    script.run(main)
