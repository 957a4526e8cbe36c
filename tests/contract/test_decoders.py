"""What every registered decoder promises (pipelines.core.Decoder)."""

from typing import Any

import numpy as np
import pytest

from pipelines import registry
from pipelines.config.schema import Config
from pipelines.core import Decoder, Frame, Result, Signal
from pipelines.errors import ModelError, SignalMismatch

SCORES = Signal((3,), "float32", None, "scores", ("no", "off", "on"))
CONFIGS: dict[str, dict[str, Any]] = {"top": {}, "threshold": {"above": 0.5, "of": "on"}, "value": {"of": "on"}}
CAPTURED = Frame(np.zeros(16, np.float32), t=2.5, seq=7)
FRAME = Frame(np.zeros(3, np.float32), t=2.5, seq=7, source=CAPTURED)


@pytest.fixture(params=registry.names("decoders"))
def decoder(request: pytest.FixtureRequest) -> Any:
    assert request.param in CONFIGS, f"add a config for the decoder {request.param} to this table"
    cls = registry.load("decoders", request.param)
    return cls(cls.Config(**CONFIGS[request.param]))


def decode(decoder: Any, *scores: float, frame: Frame = FRAME) -> list[Result]:
    decoder.resolve(SCORES)
    return list(decoder.decode(np.array(scores, np.float32), frame))


def test_it_is_a_decoder(decoder: Any) -> None:
    assert isinstance(decoder, Decoder)
    assert issubclass(decoder.Config, Config)
    assert decoder.resolve(SCORES) is None


def test_a_result_says_when_and_what_and_from_where(decoder: Any) -> None:
    (result,) = decode(decoder, 0.1, 0.1, 0.8)
    assert (result.t, result.label) == (2.5, "on")
    assert pytest.approx(0.8) in (result.score, result.value)  # a class's score, or a quantity
    assert isinstance(result.score, float)
    assert result.source is CAPTURED


def test_in_a_cascade_the_region_is_the_causes(decoder: Any) -> None:
    cause = Result(2.5, "face", 1.0, region=(1.0, 2.0, 3.0, 4.0))
    (result,) = decode(decoder, 0.1, 0.1, 0.8, frame=Frame(FRAME.data, 2.5, 7, source=CAPTURED, cause=cause))
    assert result.region == (1.0, 2.0, 3.0, 4.0)


def test_the_scores_stay_as_they_are(decoder: Any) -> None:
    decoder.resolve(SCORES)
    y = np.array([0.1, 0.1, 0.8], np.float32)
    y.flags.writeable = False
    list(decoder.decode(y, FRAME))


def test_a_nan_is_an_error_and_no_silence(decoder: Any) -> None:
    with pytest.raises(ModelError):
        decode(decoder, 0.1, 0.1, float("nan"))


def test_a_stream_without_a_fixed_size_is_refused(decoder: Any) -> None:
    with pytest.raises(SignalMismatch):
        decoder.resolve(Signal((None,), "float32", 16000.0, "audio"))
