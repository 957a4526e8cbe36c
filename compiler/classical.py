"""A .skops file as a Graph: scikit-learn's scalers, support vector machines and trees, with operators of our own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from compiler.graph import Array, Graph, Node, Tensor
from pipelines.engines import _skops
from pipelines.engines.sklearn import Sklearn
from pipelines.errors import ModelError

SCALERS = ("StandardScaler", "MinMaxScaler")
MACHINES = {"SVC": 1, "NuSVC": 1, "SVR": 1, "NuSVR": 1, "OneClassSVM": -1}
"""By libsvm, and the sign of what the engine sklearn gives to their decision."""
LINEAR = ("LinearSVC", "SGDClassifier", "RidgeClassifier")
TREES = ("DecisionTreeClassifier", "ExtraTreeClassifier", "DecisionTreeRegressor", "ExtraTreeRegressor")
FORESTS = ("RandomForestClassifier", "ExtraTreesClassifier", "RandomForestRegressor", "ExtraTreesRegressor")
TAKEN = (f"{', '.join(SCALERS)} before SVC, NuSVC, {', '.join(LINEAR)} (in CalibratedClassifierCV with "
         f"ensemble=False, method='sigmoid'), SVR, NuSVR, OneClassSVM, {', '.join((*TREES, *FORESTS))} or "
         "IsolationForest")  # fmt: skip
KERNELS = ("linear", "poly", "rbf", "sigmoid")
LEAF, MOST_PLACES, MOST_NODES = 0xFFFF, 1 << 16, 1 << 20
MOST = float(np.finfo(np.float32).max)
MOST_APART, ROUNDING, POINTS = 1e-3, 1e-6, 64
"""What float32 may do to a machine's decisions: of their range, and of themselves; the points at which it is looked."""
ROWS = 4096  # thresholds that are brought through the scalers at once


def read_skops(path: Path, name: str) -> Graph:
    """Read a model of scikit-learn, as the engine sklearn does: its inputs and outputs are that engine's.

    Args:
        path: the .skops file.
        name: an identifier in C.

    Raises:
        ModelError: no .skops file, one that the engine sklearn does not take, damaged, or an estimator that has no
            operators here.
        MissingDependency: scikit-learn or skops is not installed.
    """
    engine = Sklearn(Sklearn.Config(model=str(path)), path)  # whatever is wrong is said by it
    estimator, _, _ = _skops.load(path)
    (x,), (y,) = engine.inputs, engine.outputs
    try:
        reader = _Reader(path, Tensor(x.name, x.shape, "float32"), int(estimator.n_features_in_))
        with np.errstate(over="ignore", invalid="ignore"):
            reader.read(estimator)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as problem:
        raise ModelError(f"{path} is damaged, or its estimator was never trained; train it again") from problem
    tensors = [*reader.tensors]
    last = reader.nodes[-1].outputs[0]
    tensors[last] = Tensor(y.name, y.shape, "float32")
    source = f"{path.name}, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}"
    return Graph(name, tuple(tensors), tuple(reader.nodes), (0,), (last,), source)


class _Reader:
    """From an estimator to nodes, each on what the one before it made."""

    def __init__(self, path: Path, x: Tensor, features: int) -> None:
        self.path, self.features = path, features
        self.tensors, self.nodes, self.now = [x], list[Node](), 0

    def read(self, estimator: Any) -> None:
        scalers, last = _steps(estimator)
        kind = _kind(last)
        if kind == "CalibratedClassifierCV":
            self._calibrated(scalers, last)
        elif kind in MACHINES and kind not in ("SVC", "NuSVC"):
            self._machine(scalers, last)
        elif kind in (*TREES, *FORESTS, "IsolationForest"):
            self._check_scalers(scalers)
            self._forest(scalers, last, kind)
        else:
            raise self._strange(kind)

    def _calibrated(self, scalers: list[Any], last: Any) -> None:
        inner, a, b = self._sigmoids(last)
        more, machine = _steps(inner)
        kind, classes = _kind(machine), len(last.classes_)
        if kind in LINEAR:  # whose decisions may lie close together, far from 0: the sigmoid's two numbers go in
            rows = len(a)
            weights = np.reshape(machine.coef_, (rows, self.features)) * a[:, None]
            self._linear([*scalers, *more], weights, np.ravel(machine.intercept_) * a + b, rows)
            a, b = np.ones(rows), np.zeros(rows)
        elif kind in ("SVC", "NuSVC"):
            self._machine([*scalers, *more], machine, classes)
        else:
            raise self._strange(f"{kind} in CalibratedClassifierCV")
        self._add("calibrated", {"a": _whole(a), "b": _whole(b)}, classes)

    def _sigmoids(self, last: Any) -> tuple[Any, Array, Array]:
        """What was calibrated, and of each class (of the second alone, of two) the two numbers of its sigmoid."""
        if len(last.calibrated_classifiers_) != 1 or last.calibrated_classifiers_[0].method != "sigmoid":
            raise self._strange("CalibratedClassifierCV with several machines or another method than the sigmoid")
        one = last.calibrated_classifiers_[0]
        numbers = [(each.a_, each.b_) for each in one.calibrators]
        if len(numbers) != (1 if len(last.classes_) == 2 else len(last.classes_)):
            raise ValueError("sigmoids")
        return one.estimator, *(np.array(column, np.float64) for column in zip(*numbers, strict=True))

    def _linear(self, scalers: list[Any], coefficients: Any, intercepts: Any, rows: int) -> None:
        """Weighted sums, with the scalers taken in where none of them clips."""
        self._check_scalers(scalers)
        weights = np.reshape(np.asarray(coefficients, np.float64), (rows, self.features))
        bias = np.reshape(np.asarray(intercepts, np.float64), rows)
        affine = [_affine(scaler, self.features) for scaler in scalers]
        if any((low, high) != (-MOST, MOST) for *_, low, high in affine):
            self._scale(scalers)
        else:
            for centre, factor, _, _ in reversed(affine):
                weights = weights * factor
                bias = bias - weights @ centre
        held = dict(zip(("weights", "weights_rest"), _halves(weights), strict=True))
        self._add("linear", held | dict(zip(("bias", "bias_rest"), _halves(bias), strict=True)), rows)

    def _machine(self, scalers: list[Any], machine: Any, classes: int = 0) -> None:
        """A machine by libsvm: decisions of each pair of classes, and of several classes one of each."""
        if machine.kernel not in KERNELS:
            raise self._strange(f"{_kind(machine)} with the kernel {machine.kernel!s:.40}")
        if classes > 2 and machine.decision_function_shape != "ovr":
            raise self._strange(f"{_kind(machine)} with the decision_function_shape 'ovo'")
        rows, pairs = max(1, classes - 1), max(1, classes * (classes - 1) // 2)
        count = len(machine.support_vectors_)
        counts = [int(one) for one in machine.n_support_] if classes else [count]
        if sum(counts) != count or min(counts) < 0 or len(counts) != max(1, classes):
            raise ValueError("counts of support vectors")
        sign = MACHINES[_kind(machine)]
        if machine.kernel == "linear":
            self._linear(scalers, sign * machine.coef_, sign * machine.intercept_, pairs)
        else:
            self._scale(scalers)
            self._support_vectors(machine, count, rows, pairs, counts, sign)
        if classes > 2:
            self._add("one_vs_one", {}, classes)

    def _support_vectors(self, machine: Any, count: int, rows: int, pairs: int, counts: list[int], sign: int) -> None:
        """A machine of another kernel than the linear one, vector by vector."""
        held = {
            "vectors": np.reshape(machine.support_vectors_, (count, self.features)),
            "coefficients": np.reshape(machine.dual_coef_, (rows, count)).T,
            "intercepts": np.reshape(machine.intercept_, pairs),
        }
        options = {
            "kernel": machine.kernel, "gamma": float(machine._gamma), "coef0": float(machine.coef0),
            "degree": int(machine.degree), "counts": tuple(counts), "sign": sign,
        }  # fmt: skip
        _whole([options["gamma"], options["coef0"]])
        self._check_rounding(machine, held["vectors"], _by_pair(held["coefficients"], counts))
        self._add("support_vectors", {key: _whole(value) for key, value in held.items()}, pairs, options)

    def _check_rounding(self, machine: Any, vectors: Array, coefficients: Array) -> None:
        """Refuse a machine whose decisions drown in float32's rounding, as kernels/support_vectors.c computes them."""
        if not len(vectors):
            return
        x = _near(vectors)
        exact = _in_common(machine, x, vectors) @ coefficients
        rounded = _in_common(machine, _whole(x), _whole(vectors)).astype(np.float64) @ _whole(coefficients)
        apart = np.nan_to_num(np.abs(rounded - exact).max(axis=0), nan=np.inf, posinf=np.inf)
        span = np.ptp(exact, axis=0)
        if not (apart <= MOST_APART * span + ROUNDING * np.abs(exact).max(axis=0)).all():
            worst = int(np.argmax(apart - MOST_APART * span))
            raise ModelError(
                f"{self.path} holds {_kind(machine)} with the kernel {machine.kernel}, whose decisions float32 shifts "
                f"by {apart[worst]:.2g} of a range of {span[worst]:.2g}: its features (up to "
                f"{np.abs(vectors).max():.4g}) are large or lie far from 0, or its kernel hardly varies; put "
                "StandardScaler before it and train it again, or take the engine sklearn"
            )

    def _forest(self, scalers: list[Any], last: Any, kind: str) -> None:
        trees = [last.tree_] if kind in TREES else [one.tree_ for one in last.estimators_]
        places: Sequence[Any] = [np.arange(self.features)] * len(trees)
        if kind == "IsolationForest":
            if last._max_features != self.features:
                places = last.estimators_features_
            values = _depths(last, len(trees))
        elif kind.endswith("Regressor"):
            values = [tree.value[:, :, 0] for tree in trees]
        elif last.n_outputs_ != 1:
            raise self._strange(f"{kind} of {last.n_outputs_} outputs")
        else:
            values = [tree.value[:, 0, :] for tree in trees]
        nodes, roots, table = self._laid_out(scalers, trees, values, places)
        mean = 1.0 if kind == "IsolationForest" else 1 / len(trees)
        held = {"nodes": nodes, "roots": roots, "values": table}
        self._add("trees", held, table.shape[1], {"trees": len(trees), "factor": mean})
        if kind == "IsolationForest":
            options = {"factor": -np.log(2), "offset": float(_whole(last.offset_))}
            self._add("isolation", {}, 1, options)

    def _laid_out(
        self, scalers: list[Any], trees: list[Any], values: list[Array], places: Sequence[Any]
    ) -> tuple[Array, Array, Array]:
        """The nodes of all trees as kernels/trees.c has them, their roots, and the leaves' values, each once."""
        if sum(tree.node_count for tree in trees) > MOST_NODES or self.features >= LEAF:
            raise ModelError(f"{self.path} has {sum(tree.node_count for tree in trees):,} nodes in {len(trees):,} "
                             f"trees of {self.features:,} features, expected at most {MOST_NODES:,} nodes of fewer "
                             f"than {LEAF:,} features; train fewer trees, or set max_depth")  # fmt: skip
        table, at = np.unique(_whole(np.concatenate(values)), axis=0, return_inverse=True)
        rows: list[Array] = []
        roots, first = list[int](), 0
        for tree, own in zip(trees, places, strict=True):
            features = np.asarray(own)[np.maximum(tree.feature, 0)]
            thresholds = _floors(tree.threshold, features, scalers, self.features)
            leaves = at.reshape(-1)[first : first + tree.node_count] * table.shape[1]
            roots.append(sum(len(row) for row in rows))
            rows.append(self._nodes(tree, features, thresholds, leaves))
            first += tree.node_count
        return np.concatenate(rows), np.array(roots, np.int32), table

    def _nodes(self, tree: Any, features: Array, thresholds: Array, leaves: Array) -> Array:
        """A tree from its root, each left child behind its parent: [nodes, 2]."""
        order, waiting = [], [0]
        while waiting:
            order.append(waiting.pop())
            if tree.children_left[order[-1]] != -1:
                waiting += [tree.children_right[order[-1]], tree.children_left[order[-1]]]
            if len(order) > tree.node_count:
                raise ValueError("a node with two parents")
        new = np.zeros(tree.node_count, np.int64)
        new[order] = np.arange(len(order))
        chosen = np.array(order)
        inner = tree.children_left[chosen] != -1
        further = np.where(inner, new[tree.children_right[chosen]] - np.arange(len(order)), 0)
        if further.max() >= MOST_PLACES:
            raise ModelError(f"{self.path} has a tree of {len(order):,} nodes, expected fewer than {MOST_PLACES:,} to "
                             "the left of each; set max_depth")  # fmt: skip
        found = np.empty((len(order), 2), np.uint32)
        found[:, 0] = np.where(inner, thresholds.view(np.uint32)[chosen], leaves[chosen])
        found[:, 1] = np.where(inner, features[chosen] | further << 16, LEAF)
        return found

    def _scale(self, scalers: list[Any]) -> None:
        self._check_scalers(scalers)
        for scaler in scalers:
            centre, factor, low, high = _affine(scaler, self.features)
            held = {**dict(zip(("centre", "rest"), _halves(centre), strict=True)), "factor": _whole(factor)}
            self._add("standard_scaler", held, self.features, {"low": low, "high": high})

    def _check_scalers(self, scalers: list[Any]) -> None:
        for scaler in scalers:
            if _kind(scaler) not in SCALERS:
                raise self._strange(_kind(scaler))

    def _add(self, op: str, held: Mapping[str, Array], size: int, options: Mapping[str, Any] | None = None) -> None:
        """A node on what there is now, with constants, that makes [1, size]."""
        index, inputs = len(self.nodes), [self.now]
        for name, array in held.items():
            inputs.append(len(self.tensors))
            self.tensors.append(Tensor(f"{op}_{index}_{name}", array.shape, array.dtype.name, data=array))
        self.now = len(self.tensors)
        self.tensors.append(Tensor(f"{op}_{index}", (1, size), "float32"))
        self.nodes.append(Node(op, tuple(inputs), (self.now,), options or {}, index))

    def _strange(self, what: str) -> ModelError:
        return ModelError(f"{self.path} holds {what}, which cannot be compiled; expected {TAKEN}; or take the engine "
                          "sklearn")  # fmt: skip


def _kind(estimator: Any) -> str:
    return type(estimator).__name__


def _steps(estimator: Any) -> tuple[list[Any], Any]:
    """What comes before the last step of a pipeline, and the last one."""
    steps = [estimator]
    while hasattr(steps[-1], "steps"):
        steps += [step for _, step in steps.pop().steps if step not in (None, "passthrough")]
    return steps[:-1], steps[-1]


def _whole(numbers: Any) -> Array:
    """As float32. Raises ValueError where one is none."""
    found = np.ascontiguousarray(numbers, np.float32)
    if not np.isfinite(found).all():
        raise ValueError("a number beyond float32")
    return found.reshape(np.shape(numbers))


def _halves(numbers: Array) -> tuple[Array, Array]:
    """A float64 as a sum of two float32. Raises ValueError where one is none."""
    near = _whole(numbers)
    return near, _whole(numbers - near)


def _by_pair(coefficients: Array, counts: list[int]) -> Array:
    """The coefficient of each vector in each pair of classes: [vectors, pairs]."""
    if coefficients.shape[1] == 1:
        return coefficients
    own = np.repeat(np.arange(len(counts)), counts)
    pairs = combinations(range(len(counts)), 2)
    columns = [np.select([own == i, own == j], [coefficients[:, j - 1], coefficients[:, i]]) for i, j in pairs]
    return np.stack(columns, axis=1)


def _near(vectors: Array) -> Array:
    """Some of the vectors, and points about them, as float32 holds them: [points, features]."""
    some = vectors[:: -(-len(vectors) // POINTS)]
    noise = np.random.default_rng(1).standard_normal((POINTS, vectors.shape[1]))
    found: Array = np.concatenate([some, vectors.mean(axis=0) + noise * vectors.std(axis=0)])
    return found.astype(np.float32).astype(np.float64)


def _in_common(machine: Any, x: Array, vectors: Array) -> Array:
    """The kernel of each x with each vector, in their type: feature by feature, as the C sums."""
    kind = x.dtype.type
    gamma, coef0 = kind(machine._gamma), kind(machine.coef0)
    found: Array = np.zeros((len(x), len(vectors)), kind)
    for a, b in zip(x.T, vectors.T, strict=True):
        found += (a[:, None] - b) ** 2 if machine.kernel == "rbf" else a[:, None] * b
    if machine.kernel == "rbf":
        found = np.exp(-gamma * found)
    elif machine.kernel == "sigmoid":
        found = np.tanh(gamma * found + coef0)
    else:
        found = (gamma * found + coef0) ** int(machine.degree)
    return found


def _affine(scaler: Any, features: int) -> tuple[Array, Array, float, float]:
    """A scaler as (x - centre) * factor within limits."""
    if _kind(scaler) == "StandardScaler":
        centre = scaler.mean_ if scaler.with_mean else np.zeros(features)
        factor = 1 / scaler.scale_ if scaler.with_std else np.ones(features)
        low, high = -MOST, MOST
    else:
        factor = np.asarray(scaler.scale_, np.float64)  # of features in float32 it is float32 itself
        centre = -scaler.min_ / factor
        low, high = map(float, scaler.feature_range) if scaler.clip else (-MOST, MOST)
    return np.reshape(centre, features), np.reshape(factor, features), low, high


def _depths(last: Any, count: int) -> list[Array]:
    """Of each node of each tree, its part of an isolation forest's mean depth, in units of the depth to expect."""
    from sklearn.ensemble._iforest import _average_path_length

    whole = count * _average_path_length([last._max_samples])[0]
    if not whole:
        return [np.full((len(lengths), 1), 1 / count) for lengths in last._decision_path_lengths]
    lengths = zip(last._decision_path_lengths, last._average_path_length_per_tree, strict=True)
    return [np.reshape((path + beyond - 1.0) / whole, (-1, 1)) for path, beyond in lengths]


def _floors(thresholds: Array, features: Array, scalers: list[Any], width: int) -> Array:
    """The greatest float32 that goes left at each threshold in scikit-learn, so that all go where they go there.

    scikit-learn scales in float64, rounds to float32, and compares that with a threshold in float64. Scaling and
    rounding keep the order, so that there is such a greatest number: halving the interval finds it.
    """
    found = np.empty(len(thresholds), np.float32)
    for start in range(0, len(thresholds), ROWS):
        part = slice(start, start + ROWS)
        limits, rows = thresholds[part], np.arange(len(thresholds[part]))
        least, most = (np.full(len(rows), edge) for edge in (-_PLACE_OF_INFINITY, _PLACE_OF_INFINITY))
        while (most - least > 1).any():
            middle = np.clip((least + most) // 2, 1 - _PLACE_OF_INFINITY, _PLACE_OF_INFINITY - 1)  # all finite
            x = np.zeros((len(rows), width))
            x[rows, features[part]] = _at_place(middle)
            for scaler in scalers:
                x = scaler.transform(x)
            left = x[rows, features[part]].astype(np.float32) <= limits
            least, most = np.where(left, middle, least), np.where(left, most, middle)
        found[part] = _at_place(least)
    return found


_PLACE_OF_INFINITY = 0x7F800000


def _at_place(places: Array) -> Array:
    """The float32 at a place in their order; 0 stands at 0."""
    bits = np.where(places < 0, -places | 0x80000000, places).astype(np.uint32)
    return bits.view(np.float32)
