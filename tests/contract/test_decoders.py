"""What every registered decoder promises (pipelines.core.Decoder)."""

from typing import Any

import numpy as np
import pytest

from pipelines import registry
from pipelines.config.schema import Config
from pipelines.core import Array, Data, Decoder, Frame, Result, Signal
from pipelines.errors import ModelError, SignalMismatch

SCORES = Signal((3,), "float32", None, "scores", ("no", "off", "on"))
PART = Signal((3,), "float32", None, "scores")
DETECTOR = Signal((), "", None, "bundle", SCORES.channels, (PART.but(shape=(3, 4)), PART, PART, PART.but(shape=())))
CONFIGS: dict[str, dict[str, Any]] = {
    "boxes": {}, "top": {}, "threshold": {"above": 0.5, "of": "on"}, "value": {"of": "on"},
}  # fmt: skip
CAPTURED = Frame(np.zeros((8, 8, 3), np.uint8), t=2.5, seq=7)
FRAME = Frame(np.zeros(3, np.float32), t=2.5, seq=7, source=CAPTURED)


@pytest.fixture(params=registry.names("decoders"))
def decoder(request: pytest.FixtureRequest) -> Any:
    assert request.param in CONFIGS, f"add a config for the decoder {request.param} to this table"
    cls = registry.load("decoders", request.param)
    return cls(cls.Config(**CONFIGS[request.param]))


def signal_of(decoder: Any) -> Signal:
    return DETECTOR if type(decoder).__name__ == "Boxes" else SCORES


def data_for(decoder: Any, y: Array) -> Data:
    """The scores; for a detector's decoder as many boxes, of the whole picture, one of each class."""
    if signal_of(decoder) is SCORES:
        return y
    return np.tile(np.array([0, 0, 1, 1], np.float32), (3, 1)), np.arange(3, dtype=np.float32), y, np.array(3.0)


def decode(decoder: Any, *scores: float, frame: Frame = FRAME) -> list[Result]:
    decoder.resolve(signal_of(decoder))
    return list(decoder.decode(data_for(decoder, np.array(scores, np.float32)), frame))


def test_it_is_a_decoder(decoder: Any) -> None:
    assert isinstance(decoder, Decoder)
    assert issubclass(decoder.Config, Config)
    assert decoder.resolve(signal_of(decoder)) is None


def test_a_result_says_when_and_what_and_from_where(decoder: Any) -> None:
    (result,) = decode(decoder, 0.1, 0.1, 0.8)
    assert (result.t, result.label) == (2.5, "on")
    assert pytest.approx(0.8) in (result.score, result.value)  # a class's score, or a quantity
    assert isinstance(result.score, float)
    assert result.source is CAPTURED


def test_in_a_cascade_the_region_is_the_causes(decoder: Any) -> None:
    cause = Result(2.5, "face", 1.0, region=(1.0, 2.0, 3.0, 4.0))
    cropped = Frame(FRAME.data, 2.5, 7, source=CAPTURED, cause=cause, region=cause.region)
    (result,) = decode(decoder, 0.1, 0.1, 0.8, frame=cropped)
    assert result.region == (1.0, 2.0, 3.0, 4.0)


def test_the_scores_stay_as_they_are(decoder: Any) -> None:
    decoder.resolve(signal_of(decoder))
    y = np.array([0.1, 0.1, 0.8], np.float32)
    y.flags.writeable = False
    list(decoder.decode(data_for(decoder, y), FRAME))


def test_a_nan_is_an_error_and_no_silence(decoder: Any) -> None:
    with pytest.raises(ModelError):
        decode(decoder, 0.1, 0.1, float("nan"))


def test_a_stream_without_a_fixed_size_is_refused(decoder: Any) -> None:
    with pytest.raises(SignalMismatch):
        decoder.resolve(Signal((None,), "float32", 16000.0, "audio"))
