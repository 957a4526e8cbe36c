"""A scikit-learn model out of a .skops file: data and names of known types, never code."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.engines._looks_like import looks_like
from pipelines.errors import ModelError
from pipelines.optional import require

_TRUSTED = ("sklearn.calibration._CalibratedClassifier", "sklearn.calibration._SigmoidCalibration",
            "sklearn.tree._tree.Tree")  # fmt: skip
"""What skops leaves to be decided: plain data, but for trees, whose places are checked here (``_check_tree``)."""
_TAKEN = ("support vector machines, linear models, trees, forests, gradient boosting, naive Bayes, discriminant "
          "analysis, Gaussian mixtures or k-means, in pipelines with scalers")  # fmt: skip
MOST_BYTES = 1 << 29
"""Of what a file unpacks to."""
_ARCHIVE = b"PK\x03\x04"
_INSTALL = "pip install 'eiq-demo[classical]'"
_PICKLES = (b"\x80", b"cos\n", b"cposix\n", b"c__builtin__\n", b"(lp", b"(dp", b"x\x9c", b"x\x01", b"x^", b"x\xda")
"""How pickles begin, and zlib, in which joblib packs them."""


def load(path: Path) -> tuple[Any, tuple[int, ...] | None, str]:
    """The estimator, its input's shape without the batch where the file states one, and scikit-learn's version of it.

    The file holds an estimator, or a dict of ``estimator`` and ``input_shape``.

    Raises:
        ModelError: no such file, a pickle, not written by skops, damaged, or with a type that is not trusted.
        MissingDependency: skops or scikit-learn is not installed.
    """
    data = _read(path)
    io = require("skops.io", purpose="the engine sklearn", install=_INSTALL)
    try:
        strange = [name for name in io.get_untrusted_types(data=data) if name not in _TRUSTED]
        if strange:
            raise ModelError(f"{path} holds the type {strange[0]}, which is not loaded; expected scikit-learn's "
                             f"{_TAKEN}; train one of those, or convert it to ONNX")  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # another version of scikit-learn; the description tells it
            held = io.loads(data, trusted=list(_TRUSTED))
    except ModelError:
        raise
    # whatever a damaged file makes of skops and of the constructors that it calls
    except Exception as error:
        raise ModelError(f"{path} is damaged, or no model that this version of skops reads ({first_line(error)}); save "
                         "it again with skops.io.dump") from error  # fmt: skip
    parts: dict[str, Any] = held if isinstance(held, dict) else {"estimator": held}
    estimator, shape = parts.get("estimator"), parts.get("input_shape")
    if not hasattr(estimator, "n_features_in_"):
        raise ModelError(f"{path} holds {type(estimator).__name__}, expected a trained scikit-learn estimator")
    if shape is not None and not (
        isinstance(shape, list | tuple) and all(type(size) is int and 0 < size < 1 << 20 for size in shape)
    ):
        raise ModelError(f"{path} states the input shape {shape}, expected whole numbers above 0")
    for part in list(_parts(estimator)):
        if _is_tree(part):
            _check_tree(part, path)
            continue
        vars(part).pop("feature_names_in_", None)  # of the table that it learned from: rows have none here
        if "n_jobs" in vars(part):
            part.n_jobs = None  # one thread
    return estimator, None if shape is None else tuple(shape), str(getattr(estimator, "__sklearn_version__", ""))


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except IsADirectoryError as problem:
        raise ModelError(f"{path} is a directory, expected a .skops file; name the file inside it") from problem
    except OSError as problem:
        raise ModelError(f"cannot read the model {path} ({problem.strerror}), expected a .skops file") from problem
    names = _names(data, path)
    if data.startswith(_PICKLES) or any(name.endswith(".pkl") for name in names):  # PyTorch's lie in an archive
        raise ModelError(f"{path} is a pickle, whose loading may run any code, and is never loaded; save the model "
                         "with skops.io.dump, or convert it to ONNX")  # fmt: skip
    if "schema.json" not in names:
        raise ModelError(f"{path} looks like {looks_like(data)}, expected a .skops file; save it with skops.io.dump")
    return data


def _names(data: bytes, path: Path) -> list[str]:
    """Of the files in a ZIP archive; none where it is no archive.

    Raises:
        ModelError: it is cut short, or unpacks to more than any model needs.
    """
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            files = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError) as problem:
        if data.startswith(_ARCHIVE):
            raise ModelError(f"{path} is cut short or damaged ({first_line(problem)}); fetch it again") from problem
        return []
    size = sum(file.file_size for file in files)
    if size > MOST_BYTES:
        raise ModelError(f"{path} unpacks to {size:,} bytes, expected {MOST_BYTES:,} at most; train a smaller model")
    return [file.filename for file in files]


def first_line(error: Exception) -> str:
    """What an error says first, without the full stop."""
    return next((line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()), type(error).__name__)


def labels_of(path: Path, labels: tuple[str, ...]) -> tuple[str, ...]:
    """The labels of a model: those that were given, or of a classifier in a .skops file the words of its ``classes_``.

    Raises:
        ModelError: its classes are words, and the labels are others, or stand in another order; or as ``load``.
    """
    if path.suffix != ".skops":
        return labels
    classes = getattr(load(path)[0], "classes_", ())
    words = tuple(str(one) for one in classes if isinstance(one, str))
    if not words or len(words) != len(classes):
        return labels
    if labels and labels != words:
        raise ModelError(f"got the labels {', '.join(labels)}, expected the classes that {path} was trained with, in "
                         f"its order: {', '.join(words)}; write these, or leave labels out")  # fmt: skip
    return words


def _is_tree(held: Any) -> bool:
    return type(held).__name__ == "Tree" and hasattr(held, "children_left")


def _parts(held: Any, seen: set[int] | None = None) -> Iterator[Any]:
    """All objects of scikit-learn's inside an estimator, itself too."""
    seen = set() if seen is None else seen
    if id(held) in seen:
        return
    seen.add(id(held))
    if _is_tree(held):
        yield held
    elif isinstance(held, dict):
        for value in held.values():
            yield from _parts(value, seen)
    elif isinstance(held, list | tuple) or (isinstance(held, np.ndarray) and held.dtype == object):
        for value in held:
            yield from _parts(value, seen)
    elif type(held).__module__.startswith("sklearn.") and hasattr(held, "__dict__"):
        yield held
        yield from _parts(vars(held), seen)


def _check_tree(tree: Any, path: Path) -> None:
    """scikit-learn follows a tree's places without looking: one that points elsewhere would crash, or never end."""
    count, places = tree.node_count, np.arange(tree.node_count)
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    inner = left != -1
    fits = (
        np.array_equal(inner, right != -1)
        and np.all((left[inner] > places[inner]) & (left[inner] < count))  # children come after their parent
        and np.all((right[inner] > places[inner]) & (right[inner] < count))
        and np.all((feature[inner] >= 0) & (feature[inner] < tree.n_features))
    )
    if not fits:
        raise ModelError(f"{path} is damaged: one of its trees points to what it does not have; fetch it again")
