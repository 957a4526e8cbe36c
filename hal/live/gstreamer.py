"""A camera through GStreamer itself (``gi``), without a copy between its appsink and numpy."""

from __future__ import annotations

import ctypes
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from ctypes import POINTER, byref, c_int, c_size_t, c_uint, c_uint64, c_ulong, c_void_p
from functools import cache
from typing import Any

import numpy as np

from hal.live.camera_source import describe
from hal.opencv import opencv
from hal.recordings.pictures import RGB
from pipelines.core import Array, Frame, Signal
from pipelines.errors import DeviceError, DeviceLost
from pipelines.optional import require

FORMATS = ("RGB", "BGR", "GRAY8", "NV12")
"""What the appsink takes, the first that the pipeline offers. RGB, BGR and GRAY8 are views; NV12 is converted."""
QUEUED = 1
"""Pictures that wait in the appsink: the newest."""
HELD = 5
"""Pictures that may be out at once: in the run's queue, in work, shown as a preview, in a cascade, and one spare."""
RESERVED = QUEUED + 2
"""Of a pool with an end, what the source needs to go on: one to fill, one on its way, and those that wait."""
POLL_NS = 100_000_000
INSTALL = (
    "on Debian: apt-get install python3-gi gir1.2-gst-plugins-base-1.0 gstreamer1.0-plugins-base "
    "gstreamer1.0-plugins-good"
)
MAP_READ = 1
PROBE_QUERY_DOWNSTREAM = 1 << 9
ALLOCATION = 35846  # GST_QUERY_MAKE_TYPE (140, DOWNSTREAM | SERIALIZED), gst/gstquery.h
PROBE_OK, PROBE_HANDLED = 1, 4
NO_OFFSET = 2**64 - 1


class GStreamerCamera:
    """A Sensor of RGB pictures, uint8 [height, width, 3], read-only: a frame owns the mapping of its buffer.

    RGB, BGR and GRAY8 are not copied, with one exception, which ``copied`` counts: where the source's pool has an end
    (a driver with four buffers), and those that are out would leave it none to fill, a picture is copied.

    A stream that cannot have an end (a camera's, not a file's) and ends is a loss.

    Args:
        pipeline: as gst-launch takes it; an appsink is put at its end unless it has one there.
        fps, width_px, height_px: that the pipeline has to negotiate.
        clock: monotonic time in s.
        stall_s: a source that sends nothing for so long counts as lost.

    Raises:
        MissingDependency: gi or GStreamer is not installed.
    """

    live = True

    def __init__(
        self,
        pipeline: str,
        *,
        fps: float | None = None,
        width_px: int | None = None,
        height_px: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        stall_s: float = 5.0,
    ) -> None:
        self._gst = gstreamer()
        self._text, self._caps = pipeline, _caps(fps, width_px, height_px)
        self._name = describe(pipeline)
        self._fps, self._clock, self._stall_s = fps, clock, stall_s
        self._closed = threading.Event()
        self._origin: float | None = None
        self._seq, self._at, self._t = -1, -1, 0.0
        self.copied = 0
        self.output = Signal((height_px, width_px, 3), "uint8", fps, "image", RGB)

    def frames(self) -> Iterator[Frame]:
        """Run the pipeline and deliver; the end of a stream ends it."""
        if self._closed.is_set():
            return
        try:
            yield from self._delivered()
        except DeviceError as error:
            if self._origin is None or isinstance(error, DeviceLost):
                raise
            raise DeviceLost(str(error)) from error  # it ran before, so it went away and may come back

    def close(self) -> None:
        """End frames() soon, from any thread. May be called twice."""
        self._closed.set()

    def _delivered(self) -> Iterator[Frame]:
        running = _Running(self._gst, self._text, self._caps, self._name)
        try:
            last, first, seq, at = self._clock(), None, self._seq, self._at
            while not self._closed.is_set():
                picture = running.pull()
                if picture is None:
                    if running.check():
                        return
                    if self._clock() - last > self._stall_s:
                        raise DeviceLost(
                            f"{self._name} sent no picture for {self._stall_s:g} s; check its cable or network"
                        )
                    continue
                data, number, copied = picture
                self.copied += copied
                last = arrived = self._clock()
                if self._origin is None:
                    self._origin = arrived
                if first is None:  # after a loss, the time without pictures counts
                    first = number
                    seq += 1
                    at = max(at + 1, at + round((arrived - self._origin - self._t) * (self._fps or 0.0)))
                self._t = arrived - self._origin
                self._seq, self._at = seq + number - first, at + number - first
                yield Frame(data, self._t, self._seq, self._at, arrived)
                del data, picture  # or the next one waits for it
        finally:
            running.close()


class _Running:
    """One run of a pipeline."""

    def __init__(self, gst: Any, text: str, caps: str, name: str) -> None:
        self._gst, self._name, self._library = gst, name, _library()
        last = text.rpartition("!")[2].split()
        try:
            self._pipeline = gst.parse_launch(text if last[:1] == ["appsink"] else f"{text} ! appsink")
        except Exception as error:  # GLib.Error, which is imported with gi alone
            if not hasattr(error, "message"):
                raise
            raise DeviceError(f"{name} is no pipeline ({error.message}); {_correction(error.message)}") from error
        self._sink = self._find_sink()
        self._sink.set_property("caps", gst.Caps.from_string(caps))
        for key, value in {"max-buffers": QUEUED, "drop": True, "sync": False, "emit-signals": False,
                           "enable-last-sample": False}.items():  # fmt: skip
            self._sink.set_property(key, value)
        self._pointer = _pointer(self._sink)
        # kept here for as long as GStreamer may call it
        self._answer = self._library.answer_allocation()
        pad = self._sink.get_static_pad("sink")
        self._library.gst.gst_pad_add_probe(_pointer(pad), PROBE_QUERY_DOWNSTREAM, self._answer, None, None)
        self._bus = self._pipeline.get_bus()
        self._count = -1
        self._first: int | None = None
        self._out: weakref.WeakSet[_Memory] = weakref.WeakSet()
        self._pool: tuple[int | None, int] = None, 0
        try:
            if self._pipeline.set_state(gst.State.PLAYING) == gst.StateChangeReturn.FAILURE:
                self.check()
                raise DeviceError(f"{name} does not start; try it with gst-launch-1.0")
        except BaseException:
            self.close()
            raise

    def _find_sink(self) -> Any:
        sinks = [sink for sink in self._elements("iterate_sinks") if sink.get_factory().get_name() == "appsink"]
        if len(sinks) != 1:
            raise DeviceError(f"{self._name} has {len(sinks)} appsinks, expected one at its end; correct device")
        return sinks[0]

    def _elements(self, which: str) -> Iterator[Any]:
        """What a method of Gst.Bin that iterates finds; a pipeline of one element is no bin."""
        found = getattr(self._pipeline, which)() if hasattr(self._pipeline, which) else None
        while found is not None:
            outcome, element = found.next()
            if outcome != self._gst.IteratorResult.OK:
                break
            yield element

    def pull(self) -> tuple[Array, int, bool] | None:
        """The newest picture, its number in the stream, and whether it is a copy; None: none came within 0.1 s."""
        sample = self._library.app.gst_app_sink_try_pull_sample(self._pointer, POLL_NS)
        if not sample:
            return None
        memory = _Memory(self._library, sample)
        self._count += 1
        if memory.offset != NO_OFFSET:  # the source counts: what the appsink dropped is a gap
            self._first = memory.offset if self._first is None else self._first
            self._count = max(self._count, memory.offset - self._first)
        if memory.pool != self._pool[0]:
            self._pool = memory.pool, self._library.most_buffers(memory.pool)
        most = self._pool[1]
        self._out.add(memory)
        if most and len(self._out) + RESERVED > most:
            copy = memory.picture().copy()
            copy.setflags(write=False)
            return copy, self._count, True
        return memory.picture(), self._count, False

    def check(self) -> bool:
        """Whether the stream has ended, as one may that has an end.

        Raises:
            DeviceError: the pipeline reports an error, or a camera's stream ended.
        """
        kinds = self._gst.MessageType
        message = self._bus.timed_pop_filtered(0, kinds.ERROR | kinds.EOS)
        if message is None:
            return False
        if message.type == kinds.EOS:
            if self._may_end():
                return True
            raise DeviceError(f"{self._name} ended its stream; check the device, its cable or network")
        error, detail = message.parse_error()
        why = _why(error.message, detail or "")
        raise DeviceError(f"{self._name} failed in {message.src.get_name()}: {why}")

    def _may_end(self) -> bool:
        """Whether it is a file's stream, one of a known duration or of so many pictures."""
        for source in self._elements("iterate_sources"):
            if source.find_property("num-buffers") is not None and source.get_property("num-buffers") >= 0:
                return True
            if "File" in source.get_metadata("klass"):
                return True
        known, duration_ns = self._pipeline.query_duration(self._gst.Format.TIME)
        return bool(known and duration_ns > 0)  # a live one may answer that it does not know

    def close(self) -> None:
        """Stop it. Pictures that are out stay valid."""
        self._pipeline.set_state(self._gst.State.NULL)


class _Memory:
    """A sample whose buffer is mapped; unmapped and let go with the last array on it."""

    def __init__(self, library: _Library, sample: int) -> None:
        self._library, self._sample, self._map = library, sample, None
        self._buffer = library.gst.gst_sample_get_buffer(sample)
        info = _VideoInfo()
        library.video.gst_video_info_from_caps(byref(info), library.gst.gst_sample_get_caps(sample))
        self._format = library.video.gst_video_format_to_string(ctypes.cast(info.finfo, POINTER(c_int))[0]).decode()
        self._width, self._height = info.width, info.height
        self._strides, self._offsets = list(info.stride), list(info.offset)
        buffer = ctypes.cast(self._buffer, POINTER(_Buffer)).contents
        self.offset, self.pool = buffer.offset, buffer.pool
        if meta := library.video.gst_buffer_get_video_meta(self._buffer):
            self._strides, self._offsets = list(meta.contents.stride), list(meta.contents.offset)
        mapped = _MapInfo()
        if not library.gst.gst_buffer_map(self._buffer, byref(mapped), MAP_READ):
            raise DeviceError("a picture's memory cannot be mapped; put videoconvert at the pipeline's end")
        self._map = mapped

    def picture(self) -> Array:
        """RGB [height, width, 3], read-only."""
        height, width = self._height, self._width
        if self._format in ("RGB", "BGR"):
            pixels = self._plane(0, (height, width, 3), (self._strides[0], 3, 1))
            return pixels if self._format == "RGB" else pixels[:, :, ::-1]
        if self._format == "GRAY8":
            return np.broadcast_to(self._plane(0, (height, width, 1), (self._strides[0], 1, 1)), (height, width, 3))
        cv2 = opencv("pictures as NV12")
        luma = self._plane(0, (height, width), (self._strides[0], 1))
        chroma = self._plane(1, ((height + 1) // 2, (width + 1) // 2, 2), (self._strides[1], 2, 1))
        even = np.pad(luma, ((0, height % 2), (0, width % 2)), mode="edge")  # OpenCV takes even sizes alone
        converted = cv2.cvtColorTwoPlane(even, np.ascontiguousarray(chroma), cv2.COLOR_YUV2RGB_NV12)
        rgb: Array = converted[:height, :width]
        rgb.setflags(write=False)
        return rgb

    def _plane(self, number: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
        assert self._map is not None
        return np.asarray(_View(self, self._map.data + self._offsets[number], shape, strides))

    def __del__(self) -> None:
        if self._map is not None:
            self._library.gst.gst_buffer_unmap(self._buffer, byref(self._map))
        self._library.gst.gst_mini_object_unref(self._sample)


class _View:
    """What numpy takes as an array's base: it holds the memory."""

    def __init__(self, memory: _Memory, address: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.memory = memory
        self.__array_interface__ = {
            "version": 3, "typestr": "|u1", "data": (address, True), "shape": shape, "strides": strides,
        }  # fmt: skip


# ---- GStreamer's own functions -----------------------------------------------------------------------------------


def gstreamer() -> Any:
    """The module Gst, started.

    Raises:
        MissingDependency: it is not installed.
    """
    gi = require("gi", purpose="a GStreamer pipeline", install=INSTALL)
    _let_others_throw()
    try:
        gi.require_version("Gst", "1.0")
    except ValueError:
        require("gi.repository.Gst", purpose="a GStreamer pipeline", install=INSTALL)
    gst = require("gi.repository.Gst", purpose="a GStreamer pipeline", install=INSTALL)
    gst.init(None)
    return gst


def _let_others_throw() -> None:
    """GStreamer needs libunwind and gi shows its functions to every library loaded later. One that throws in C++ (Arm
    NN, at a model that it refuses) would take half of them from there and half from libgcc, and end the program:
    libgcc's are to be found first."""
    with suppress(OSError):  # another C library's system
        ctypes.CDLL("libgcc_s.so.1", mode=ctypes.RTLD_GLOBAL)


class _MapInfo(ctypes.Structure):
    """GstMapInfo, gst/gstmemory.h."""

    _fields_ = (("memory", c_void_p), ("flags", c_int), ("data", c_void_p), ("size", c_size_t), ("maxsize", c_size_t),
                ("user_data", c_void_p * 4), ("_reserved", c_void_p * 4))  # fmt: skip


class _VideoInfo(ctypes.Structure):
    """GstVideoInfo, gst/video/video-info.h, with room to spare."""

    _fields_ = (("finfo", c_void_p), ("interlace_mode", c_int), ("flags", c_int), ("width", c_int), ("height", c_int),
                ("size", c_size_t), ("views", c_int), ("chroma_site", c_int), ("colorimetry", c_int * 4),
                ("par_n", c_int), ("par_d", c_int), ("fps_n", c_int), ("fps_d", c_int),
                ("offset", c_size_t * 4), ("stride", c_int * 4), ("_spare", c_void_p * 32))  # fmt: skip


class _FormatInfo(ctypes.Structure):
    """The beginning of GstVideoFormatInfo."""

    _fields_ = (("format", c_int),)


class _VideoMeta(ctypes.Structure):
    """GstVideoMeta, gst/video/gstvideometa.h."""

    _fields_ = (("meta_flags", c_int), ("info", c_void_p), ("buffer", c_void_p), ("flags", c_int), ("format", c_int),
                ("id", c_int), ("width", c_uint), ("height", c_uint), ("n_planes", c_uint),
                ("offset", c_size_t * 4), ("stride", c_int * 4))  # fmt: skip


class _Buffer(ctypes.Structure):
    """GstBuffer up to its offset, gst/gstbuffer.h; a mini object is 64 bytes on 64-bit machines."""

    _fields_ = (("type", c_size_t), ("refcount", c_int), ("lockstate", c_int), ("flags", c_uint), ("copy", c_void_p),
                ("dispose", c_void_p), ("free", c_void_p), ("priv_uint", c_uint), ("priv_pointer", c_void_p),
                ("pool", c_void_p), ("pts", c_uint64), ("dts", c_uint64), ("duration", c_uint64),
                ("offset", c_uint64))  # fmt: skip


class _ProbeInfo(ctypes.Structure):
    """The beginning of GstPadProbeInfo, gst/gstpad.h."""

    _fields_ = (("type", c_int), ("id", c_ulong), ("data", c_void_p))


_Probe = ctypes.CFUNCTYPE(c_int, c_void_p, POINTER(_ProbeInfo), c_void_p)


class _Library:
    """The functions that ``gi`` has only with a copy, with their types."""

    def __init__(self) -> None:
        self.gst, self.app, self.video = (
            ctypes.CDLL(f"lib{name}-1.0.so.0") for name in ("gstreamer", "gstapp", "gstvideo")
        )
        for library, name, result, arguments in (
            (self.app, "gst_app_sink_try_pull_sample", c_void_p, [c_void_p, c_uint64]),
            (self.gst, "gst_sample_get_buffer", c_void_p, [c_void_p]),
            (self.gst, "gst_sample_get_caps", c_void_p, [c_void_p]),
            (self.gst, "gst_mini_object_unref", None, [c_void_p]),
            (self.gst, "gst_buffer_map", c_int, [c_void_p, POINTER(_MapInfo), c_int]),
            (self.gst, "gst_buffer_unmap", None, [c_void_p, POINTER(_MapInfo)]),
            (self.gst, "gst_pad_add_probe", c_ulong, [c_void_p, c_int, _Probe, c_void_p, c_void_p]),
            (self.gst, "gst_buffer_pool_get_config", c_void_p, [c_void_p]),
            (self.gst, "gst_buffer_pool_config_get_params", c_int,
             [c_void_p, POINTER(c_void_p), *[POINTER(c_uint)] * 3]),
            (self.gst, "gst_structure_free", None, [c_void_p]),
            (self.gst, "gst_query_parse_allocation", None, [c_void_p, POINTER(c_void_p), POINTER(c_int)]),
            (self.gst, "gst_query_add_allocation_pool", None, [c_void_p, c_void_p, c_uint, c_uint, c_uint]),
            (self.gst, "gst_query_add_allocation_meta", None, [c_void_p, c_size_t, c_void_p]),
            (self.video, "gst_video_info_from_caps", c_int, [POINTER(_VideoInfo), c_void_p]),
            (self.video, "gst_video_format_to_string", ctypes.c_char_p, [c_int]),
            (self.video, "gst_buffer_get_video_meta", POINTER(_VideoMeta), [c_void_p]),
            (self.video, "gst_video_meta_api_get_type", c_size_t, []),
        ):  # fmt: skip
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments

    def most_buffers(self, pool: int | None) -> int:
        """How many buffers that pool may ever have; 0: as many as are asked for."""
        if not pool:
            return 0
        most = c_uint(0)
        config = self.gst.gst_buffer_pool_get_config(pool)
        self.gst.gst_buffer_pool_config_get_params(config, None, None, None, byref(most))
        self.gst.gst_structure_free(config)
        return most.value

    def answer_allocation(self) -> Any:
        """A probe that asks upstream for a pool of more buffers than may be out at once, with strides as it likes."""
        meta = self.video.gst_video_meta_api_get_type()

        def answer(_pad: int, info: Any, _data: Any) -> int:
            query = info.contents.data
            if ctypes.cast(query, POINTER(_Query)).contents.kind != ALLOCATION:
                return PROBE_OK
            caps, info = c_void_p(), _VideoInfo()
            self.gst.gst_query_parse_allocation(query, byref(caps), None)
            if not caps or not self.video.gst_video_info_from_caps(byref(info), caps):
                return PROBE_OK
            self.gst.gst_query_add_allocation_pool(query, None, info.size, QUEUED + HELD + 1, 0)
            self.gst.gst_query_add_allocation_meta(query, meta, None)
            return PROBE_HANDLED

        return _Probe(answer)


class _Query(ctypes.Structure):
    """GstQuery, gst/gstquery.h: a mini object and its type."""

    _fields_ = (*_Buffer._fields_[:9], ("kind", c_int))


@cache
def _library() -> _Library:
    return _Library()


def _pointer(thing: Any) -> int:
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = c_void_p, [ctypes.py_object, ctypes.c_char_p]
    address: int = get(thing.__gpointer__, None)
    return address


def _caps(fps: float | None, width_px: int | None, height_px: int | None) -> str:
    text = f"video/x-raw,format=(string){{{','.join(FORMATS)}}}"
    text += f",width={width_px}" if width_px else ""
    text += f",height={height_px}" if height_px else ""
    return text + (f",framerate={round(fps * 1000)}/1000" if fps else "")


def _correction(message: str) -> str:
    """What to do about a text that is no pipeline."""
    if not (missing := re.search(r'no element "([^"]+)"', message)):
        return "correct device, and try it with gst-launch-1.0"
    if missing[1].startswith("imxvideoconvert"):
        return "it comes with NXP's BSP; elsewhere take videoconvert, which does it in software"
    if missing[1] == "libcamerasrc":
        return "install its plugin, on Debian: apt-get install gstreamer1.0-libcamera"
    return f"correct device, or install the plugin that has it (gst-inspect-1.0 {missing[1]} finds it)"


def _why(message: str, detail: str) -> str:
    if "not-negotiated" in detail or "not-linked" in detail:
        return (f"its format does not fit, expected {', '.join(FORMATS)} in the size and rate asked for; put "
                "videoconvert ! videoscale (imxvideoconvert_g2d on a board) at its end")  # fmt: skip
    return f"{message.rstrip('.')}; check the device, its cable or network"
