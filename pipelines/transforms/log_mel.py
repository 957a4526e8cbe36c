"""Log-mel pictures of audio windows."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from pipelines.config.schema import Config as Base
from pipelines.config.schema import NonNegative, Positive, PositiveFloat
from pipelines.core import Array, Frame, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms._energies import Framing, MelEnergies, Tables, hann
from pipelines.transforms._log import Log
from pipelines.transforms._mel import Float64, MelBank, mel_weights
from pipelines.transforms._samples import Milliseconds, rate_of, whole_samples

_MOST_FRAMES = 1 << 16
_MOST_NUMBERS = 50_000_000  # 400 MB of float64


class LogMel:
    """Logarithms of the energies in mel bands: audio windows ``[n]`` to features ``[frames, mels]`` float32.

    Each analysis frame of the stream is computed once, however much the windows overlap; the result is the same to the
    bit as that of each window on its own. Computed in float64.

    The defaults are those of embedded keyword spotting: periodic Hann window, power, HTK's mel scale, ln(x + 1e-6). For
    what ``librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=22050))`` gives (transposed), write::

        log_mel:
          window_samples: 2048
          hop_samples: 512
          mels: 128
          scale: slaney
          norm: slaney
          center: true
          log: {unit: db, offset: 0, floor: 1e-10, top_db: 80}
    """

    class Config(Base, frozen=True, kw_only=True):
        """Options of ``log_mel``.

        Args:
            window_ms, window_samples: length of an analysis frame, one of the two (ms to the nearest whole sample).
            hop_ms, hop_samples: from frame to frame, one of the two.
            fft: points; frames are filled with zeros up to it. The next power of two where absent.
            mels: bands.
            fmin_hz, fmax_hz: lower end of the first band, upper end of the last; half the sampling rate where absent.
            scale: mel scale: htk, or slaney (librosa's default).
            triangles: what the bands' sides are straight lines of: hz (librosa), or mel (HTK, TensorFlow).
            norm: slaney gives each band the area 1 (librosa's default); none gives it the height 1.
            spectrum: what the bands sum: power, or magnitude.
            center: frames are centred on multiples of the hop, zeros around the window (librosa's default), instead of
                starting there.
            gain: each window is divided by its largest sample (max), or by its largest absolute one (peak), before
                anything else; one that has no sample above zero is left as it is.
            log: how energies become logarithms.
        """

        window_ms: Milliseconds | None = None
        window_samples: Positive | None = None
        hop_ms: Milliseconds | None = None
        hop_samples: Positive | None = None
        fft: Annotated[int, Meta(gt=1, le=1 << 16)] | None = None
        mels: Annotated[int, Meta(gt=0, le=512)] = 40
        fmin_hz: NonNegative = 0.0
        fmax_hz: PositiveFloat | None = None
        scale: Literal["htk", "slaney"] = "htk"
        triangles: Literal["hz", "mel"] = "hz"
        norm: Literal["none", "slaney"] = "none"
        spectrum: Literal["power", "magnitude"] = "power"
        center: bool = False
        gain: Literal["none", "max", "peak"] = "none"
        log: Log = Log()

        def __post_init__(self) -> None:
            for name in ("window", "hop"):
                if (getattr(self, f"{name}_ms") is None) == (getattr(self, f"{name}_samples") is None):
                    raise ValueError(f"expected either {name}_ms or {name}_samples; give one of the two")
            if self.fmax_hz is not None and self.fmin_hz >= self.fmax_hz:
                raise ValueError(f"got fmin_hz {self.fmin_hz:g}, expected less than fmax_hz {self.fmax_hz:g}")

    free: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, config: Config) -> None:
        self._config = config

    def resolve(self, signal: Signal) -> Signal:
        """Audio ``[n]`` to features ``[frames, mels]`` at the frames' rate.

        Raises:
            SignalMismatch: not audio windows of one length, or options that do not fit the signal's rate and length.
        """
        tables = self.tables(signal)
        framing = tables.framing
        self._energies = MelEnergies(
            framing, tables.bank, magnitude=self._config.spectrum == "magnitude", dtype=signal.dtype
        )
        self._out = np.empty((framing.frames, self._config.mels), np.float32)
        return Signal(self._out.shape, "float32", rate_of(signal) / framing.hop, "features")

    def tables(self, signal: Signal) -> Tables:
        """The numbers that windows of ``signal`` are computed with. Raises SignalMismatch as ``resolve``."""
        if signal.kind != "audio" or len(signal.shape) != 1 or signal.dtype not in ("float32", "float64"):
            raise SignalMismatch(signal, "audio [n] float32", "give it audio with one channel")
        if signal.shape[0] is None:
            fix = "put a window before it, such as - window: {length_ms: 1000, hop_ms: 100}"
            raise SignalMismatch(signal, "audio in windows of one length", fix)
        framing = self._framing(signal, signal.shape[0])
        return Tables(framing, hann(framing.window), self._bank(signal, framing.fft))

    def process(self, frame: Frame) -> tuple[Frame]:
        """One picture for one window."""
        self._out[:] = self.logs(frame)
        return (frame.with_data(self._out),)

    def logs(self, frame: Frame) -> Float64:
        """The picture ``[frames, mels]`` before it is rounded to float32, a new array."""
        energies = self._energies(frame.array, frame.at)
        gain = self._gain(frame.array)
        return self._config.log.take(energies * gain if gain != 1.0 else energies)

    def _gain(self, window: Array) -> float:
        """What the energies of the window are multiplied by to be those of the window with its gain."""
        if self._config.gain == "none":
            return 1.0
        peak = float(window.max() if self._config.gain == "max" else np.abs(window).max())
        if peak <= 0.0:
            return 1.0
        return 1.0 / peak if self._config.spectrum == "magnitude" else 1.0 / peak**2

    def _framing(self, signal: Signal, length: int) -> Framing:
        config = self._config
        window = config.window_samples or whole_samples("window_ms", config.window_ms or 0, signal)
        hop = config.hop_samples or whole_samples("hop_ms", config.hop_ms or 0, signal)
        fft = config.fft or _power_of_two(window)
        if window > fft:
            got = f"analysis frames of {window} samples with fft {fft}"
            raise SignalMismatch(got, "an fft of at least a frame's length", f"set fft to {_power_of_two(window)}")
        framing = Framing(length, window, hop, fft, config.center)
        if window > length:
            fix = "shorten the analysis frame, or lengthen the window before it"
            raise SignalMismatch(signal, f"windows of at least one analysis frame, {window} samples", fix)
        if framing.frames > _MOST_FRAMES:
            got = f"{framing.frames} analysis frames in one window"
            raise SignalMismatch(got, f"at most {_MOST_FRAMES}", "lengthen the hop, or shorten the window before it")
        if fft * max(framing.frames, config.mels) > _MOST_NUMBERS:
            got = f"{fft} FFT points for {framing.frames} analysis frames and {config.mels} mels"
            fix = "lower fft or mels, lengthen the hop, or shorten the window before it"
            raise SignalMismatch(got, f"at most {_MOST_NUMBERS:,} numbers in memory at a time", fix)
        return framing

    def _bank(self, signal: Signal, fft: int) -> MelBank:
        config, nyquist_hz = self._config, rate_of(signal) / 2
        fmax_hz = config.fmax_hz or nyquist_hz
        bin_hz = 2 * nyquist_hz / fft
        if not config.fmin_hz + bin_hz <= fmax_hz <= nyquist_hz:
            expected = (
                f"a range of at least one FFT bin ({bin_hz:g} Hz), up to half the sampling rate ({nyquist_hz:g} Hz)"
            )
            fix = "change fmin_hz and fmax_hz, or the sensor's rate_hz"
            raise SignalMismatch(f"bands from {config.fmin_hz:g} to {fmax_hz:g} Hz on {signal}", expected, fix)
        weights = mel_weights(
            rate_hz=2 * nyquist_hz,
            fft=fft,
            mels=config.mels,
            fmin_hz=config.fmin_hz,
            fmax_hz=fmax_hz,
            scale=config.scale,
            triangles=config.triangles,
            norm=config.norm,
        )
        empty = np.flatnonzero(~weights.any(axis=1))
        if len(empty):
            got = f"{len(empty)} of {config.mels} mel bands without any FFT bin (the first is band {empty[0]})"
            fix = f"lower mels, or raise fft above {fft}"
            raise SignalMismatch(got, f"at least one of the bins, {bin_hz:g} Hz apart, in each", fix)
        return MelBank.of(weights)


def _power_of_two(size: int) -> int:
    """The least one that is not below."""
    return 1 << (size - 1).bit_length()
