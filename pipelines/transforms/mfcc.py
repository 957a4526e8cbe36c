"""Mel-frequency cepstral coefficients of audio windows."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from pipelines.config.schema import Positive
from pipelines.core import Frame, Signal
from pipelines.transforms._energies import Tables
from pipelines.transforms._mel import Float64
from pipelines.transforms.log_mel import LogMel


class Mfcc:
    """The first cosine components of a log-mel picture: audio windows ``[n]`` to ``[frames, coefficients]`` float32.

    Everything up to the picture is ``log_mel``: each analysis frame of a stream is computed once. The defaults are
    those of embedded keyword spotting; for what ``librosa.feature.mfcc(y=y, sr=22050)`` gives (transposed), write::

        mfcc:
          window_samples: 2048
          hop_samples: 512
          mels: 128
          scale: slaney
          norm: slaney
          center: true
          log: {unit: db, offset: 0, floor: 1e-10, top_db: 80}
          coefficients: 20
          dct: ortho
    """

    class Config(LogMel.Config, frozen=True, kw_only=True):
        """Options of ``mfcc``: those of ``log_mel``, and these.

        Args:
            coefficients: how many, from the 0th.
            dct: htk is a DCT-II times sqrt(2 / mels) (HTK, TensorFlow); ortho the orthonormal one (librosa), whose 0th
                coefficient is smaller by sqrt(2).
            lifter: librosa's: the n-th coefficient (from 1) is multiplied by 1 + lifter/2 · sin(π n / lifter); 0: off.
        """

        coefficients: Positive = 10
        dct: Literal["htk", "ortho"] = "htk"
        lifter: Annotated[float, Meta(ge=0, le=1000)] = 0.0

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.coefficients > self.mels:
                raise ValueError(
                    f"got {self.coefficients} coefficients of {self.mels} mels, expected no more coefficients than "
                    "mels; lower coefficients or raise mels"
                )

    free: ClassVar[frozenset[str]] = LogMel.free

    def __init__(self, config: Config) -> None:
        self._config = config
        self._log_mel = LogMel(config)

    def resolve(self, signal: Signal) -> Signal:
        """Audio ``[n]`` to features ``[frames, coefficients]`` at the frames' rate.

        Raises:
            SignalMismatch: as ``log_mel``'s.
        """
        picture = self._log_mel.resolve(signal)
        resolved = picture.but(shape=(picture.shape[0], self._config.coefficients))
        self._cosines = cosines(self._config)
        self._out = np.empty([size or 0 for size in resolved.shape], np.float32)
        return resolved

    def tables(self, signal: Signal) -> Tables:
        """The numbers that windows of ``signal`` are computed with. Raises SignalMismatch as ``resolve``."""
        return replace(self._log_mel.tables(signal), cosines=cosines(self._config))

    def process(self, frame: Frame) -> tuple[Frame]:
        """One set of coefficients for one window."""
        self._out[:] = self._log_mel.logs(frame) @ self._cosines
        return (frame.with_data(self._out),)


def cosines(config: Mfcc.Config) -> Float64:
    """The DCT and lifter of a config as one matrix ``[mels, coefficients]``."""
    mels, order = config.mels, np.arange(config.coefficients)
    matrix = np.sqrt(2 / mels) * np.cos(np.pi / mels * np.outer(np.arange(mels) + 0.5, order))
    if config.dct == "ortho":
        matrix[:, 0] /= np.sqrt(2)
    if config.lifter:
        matrix *= 1 + config.lifter / 2 * np.sin(np.pi * (order + 1) / config.lifter)
    return np.asarray(matrix)
