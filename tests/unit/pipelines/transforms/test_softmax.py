import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from pipelines.core import Frame, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms.softmax import Softmax

LOGITS = Signal((3,), "float32", None, "scores", ("a", "b", "c"))


def softmax(x: np.ndarray) -> np.ndarray:
    step = Softmax(Softmax.Config())
    assert step.resolve(LOGITS.but(shape=x.shape)) == LOGITS.but(shape=x.shape)
    (frame,) = step.process(Frame(x, t=1.0, seq=3))
    assert (frame.t, frame.seq) == (1.0, 3)
    return frame.array


@given(st_numpy.arrays(np.float32, 5, elements=st.floats(-1e4, 1e4, width=32)))
def test_it_sums_to_1_and_keeps_the_order(x: np.ndarray) -> None:
    y = softmax(x)
    assert y.dtype == np.float32
    assert y.sum() == pytest.approx(1, abs=1e-5)
    assert y[x.argmax()] == y.max()


def test_known_values() -> None:
    np.testing.assert_allclose(softmax(np.log(np.array([[1, 2, 7]], np.float32))), [[0.1, 0.2, 0.7]], rtol=1e-6)


def test_what_is_no_scores_is_refused() -> None:
    for signal in (LOGITS.but(kind="audio"), LOGITS.but(shape=(None,))):
        with pytest.raises(SignalMismatch):
            Softmax(Softmax.Config()).resolve(signal)
