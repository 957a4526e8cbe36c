"""One inference over a link: an input blob there, an output blob back, and never a wrong one."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

from hal.rt import protocol
from hal.rt.calls import Pending
from hal.rt.link import Link
from hal.rt.protocol import INFER, READ_OUTPUT, WRITE_INPUT, Inference, Status
from hal.rt.session import refuse
from pipelines.errors import DeviceCorrupt

LEAST_CHUNK = 64
MOST_WRONG = 8
"""Outputs with a wrong CRC-32, one after the other: no cable is so bad."""
CHECKED = struct.Struct("<III")


@dataclass(frozen=True, slots=True)
class Job:
    """An input for a model.

    Args:
        model: its index.
        blob: all inputs.
        output_bytes: of the output blob.
        check: CRC-32 of ``blob``.
    """

    model: int
    blob: bytes
    output_bytes: int
    check: int

    @classmethod
    def of(cls, model: int, blob: bytes, output_bytes: int) -> Job:
        """With its check."""
        return cls(model, blob, output_bytes, crc32(blob))


@dataclass(slots=True)
class Exchange:
    """A job on its way over one link, in one session.

    Raises, from every method:
        DeviceError: as Link.call.
    """

    link: Link
    session: int
    job: Job
    end: float
    """When it must be done, by ``clock``."""
    pending: Pending[tuple[Inference, Status]] | None = None
    chunk: int = 0

    def send(self, now: float) -> None:
        """Input and call."""
        self.chunk = self.link.max_frame - protocol.WRITE_INPUT_REQUEST_BYTES
        whole = len(self.job.blob) <= self.link.max_frame - protocol.INFER_REQUEST_BYTES
        self._ask(now, [] if whole else [(0, len(self.job.blob))])

    def result(self) -> tuple[bytes, int]:
        """The output blob, and the board's ticks. Raises DeviceError, DeviceReset."""
        wrong = 0
        refused: Status | None = None
        while True:
            assert self.pending is not None
            result, status = self.pending.wait()
            parts: list[tuple[int, int]] = []
            if status == Status.OK:
                blob = self._complete(result)
                checked = CHECKED.pack(self.job.check, self.job.model, result.ticks)
                if blob is not None and crc32(blob, crc32(checked)) == result.check:
                    return blob, result.ticks
                wrong += 1
            elif status == Status.INCOMPLETE:
                parts = self._missing(result.missing)
            elif status == Status.CORRUPT:
                parts = [(0, len(self.job.blob))]
            elif status == refused:  # told twice; once may be a request that noise changed
                refuse(status, f"an inference of model {self.job.model}")
            refused = status
            now = self.pending.answered
            if now >= self.end or wrong == MOST_WRONG:
                why = "its output never fitted its CRC-32" if wrong else "parts of its input never arrived"
                raise DeviceCorrupt(f"model {self.job.model} gave no right answer: {why}; check the cable")
            self._ask(now, parts)

    def _ask(self, now: float, parts: list[tuple[int, int]]) -> None:
        job = self.job
        whole = job.blob if len(job.blob) <= self.link.max_frame - protocol.INFER_REQUEST_BYTES else b""
        arguments = protocol.infer(self.session, job.model, job.check, whole)
        frames = [] if whole else self._frames(parts)
        again = self.pending is not None
        key = ("infer", job.model)
        self.pending = self.link.begin(INFER, arguments, self.end - now, key, frames, alone=True, first=again)

    def _frames(self, parts: list[tuple[int, int]]) -> Iterator[bytes]:
        job, blob = self.job, memoryview(self.job.blob)
        for offset, length in parts:
            for at in range(offset, offset + length, self.chunk):
                data = bytes(blob[at : min(at + self.chunk, offset + length)])
                arguments = protocol.write_input(self.session, job.model, job.check, at, data)
                yield self.link.frame_of(WRITE_INPUT, arguments)

    def _missing(self, missing: tuple[int, ...]) -> list[tuple[int, int]]:
        """The parts to send again: those that the board names, where they make sense."""
        size = len(self.job.blob)
        pairs = zip(missing[::2], missing[1::2], strict=False)
        parts = [(at, min(length, size - at)) for at, length in pairs if at < size and length]
        if 3 * sum(length for _, length in parts) > size:  # most frames break: shorter ones break less often
            self.chunk = max(LEAST_CHUNK, self.chunk // 2)
        return parts or [(0, size)]

    def _complete(self, result: Inference) -> bytes | None:
        """The whole output blob; None where parts of it cannot be had."""
        have, size = len(result.output), self.job.output_bytes
        if have >= size:
            return result.output
        step = self.link.max_frame - protocol.READ_OUTPUT_REPLY_BYTES
        assert self.pending is not None
        left = self.end - self.pending.answered
        calls = []
        for at in range(have, size, step):
            arguments = protocol.read_output(self.session, self.job.model, self.job.check, at, min(step, size - at))
            calls.append(self.link.begin(READ_OUTPUT, arguments, left))
        answers = [call.wait() for call in calls]
        for _, status in answers:
            if status == Status.NO_SESSION:
                refuse(status, "")
        return b"".join([result.output, *(data for data, _ in answers)])
