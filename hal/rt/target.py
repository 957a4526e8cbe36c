"""The target ``rt``: inference on an i.MX RT board over a serial link, with its sensors or the host's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hal import capabilities
from hal.capabilities import unsupported
from hal.rt import matching, sensors
from hal.rt.engine import BoardEngine
from hal.rt.offload import BoardStream, Scores, recipe_of
from hal.rt.place import Place
from hal.rt.sensors import BoardSensor, clip_of, live_clip
from hal.sim import sensors as sim
from hal.sim.led import SimLed
from pipelines.config.schema import Config
from pipelines.core import Engine, Event, Observer, Sensor, Stage
from pipelines.errors import CapabilityError, DeviceError

if TYPE_CHECKING:
    from hal.rt.board import Board
    from hal.rt.firmware.running import Running
    from hal.rt.wire import Wire

ENGINES = ("bundle", "sklearn", "tflite")
SAMPLE_BYTES = 2
LINK_SHARE = 0.8
"""So much of the link raw sound may take: the rest is for calls."""


class Rt:
    """A Target at the end of a serial link.

    Everything that is asked of it is taken down first; ``start`` builds the firmware with these models and starts the
    emulated board, or connects to a real one and compares its models with the files.

    Args:
        place: ``host``, ``qemu``, or a serial port's path, see ``places``.

    Attributes:
        leds: the lights that were asked for, by name: the board's, in this order.
        board: once it is started.
        running: the emulated board, which a test may kill; None for a real one.
    """

    name = "rt"
    places = "rt:host (a process here), rt:qemu (an emulated Cortex-M7) or rt:PORT (a board, such as rt:/dev/ttyACM0)"
    capabilities: ClassVar[dict[str, type[Config]]] = {
        "camera": sim.Camera,
        "led": capabilities.Led,
        "microphone": sensors.Microphone,
        "motion": sensors.Motion,
    }

    def __init__(self, place: str = "") -> None:
        self.place = Place(place)
        self.leds: dict[str, SimLed] = {}
        self.board: Board | None = None
        self.running: Running | None = None
        self._stack = ExitStack()
        self._engines: list[BoardEngine] = []
        self._sensors: list[BoardSensor] = []
        self._streams: list[tuple[BoardStream, Scores]] = []
        self._microphones: dict[int, sensors.Microphone] = {}  # what a sensor plays, by its identity
        self._observers: list[Observer] = []

    # ---- what is asked for -------------------------------------------------------------------------------------

    def config_of(self, capability: str) -> type[Any]:
        if capability not in self.capabilities:
            raise unsupported(self.name, capability)
        return self.capabilities[capability]

    def sensor(self, capability: str, config: Any) -> Sensor:
        """The board's sensor or the host's.

        A recording that comes after the start is played by the host: the board's memory is filled when it starts.
        """
        if capability not in ("camera", "microphone", "motion"):
            raise unsupported(self.name, capability)
        if capability == "camera":
            return sim.camera(config)
        sensor = self._microphone(config) if capability == "microphone" else self._motion(config)
        if isinstance(sensor, BoardSensor):
            self._sensors.append(sensor)
        if capability == "microphone":
            self._microphones[id(sensor)] = config
        return sensor

    def _microphone(self, config: sensors.Microphone) -> Sensor:
        able = self.place.emulated and config.file is not None and self.board is None
        if config.place == "board" and not able:
            raise CapabilityError(f"{self.place} has no microphone; only an emulated board has one, which hears a "
                                  "recording: give file, or leave place out for the host's")  # fmt: skip
        wanted = config.rate_hz * SAMPLE_BYTES
        carried = wanted <= LINK_SHARE * self.place.bytes_per_s
        if config.place == "board" and not carried:
            raise CapabilityError(
                f"sound at {config.rate_hz:,} Hz is {wanted:,} bytes/s, expected at most {LINK_SHARE:.0%} of the "
                f"{self.place.bytes_per_s:,.0f} bytes/s that the link to {self.place} carries; let the board compute "
                "the features (engine: {offload: features}), or take the host's microphone (place: host)"
            )
        if able and carried and config.place != "host":
            return BoardSensor(clip_of(config))
        return sim.microphone(config)

    def _motion(self, config: sensors.Motion) -> Sensor:
        if config.live:
            if self.place.emulated:
                raise CapabilityError(f"got --live, but {self.place} is emulated and has no real accelerometer; give a "
                                      "recording (--input FILE)")  # fmt: skip
            return BoardSensor(live_clip(config))
        if self.place.emulated and self.board is None and config.place != "host":
            return BoardSensor(clip_of(config))
        if config.place == "board":
            raise CapabilityError(f"{self.place} plays no recordings, only an emulated board does; leave place out")
        return sim.fan(config)[1] if config.synthetic else sim.motion(config)

    def engine_config(self, name: str) -> type[Any]:
        if name not in ENGINES:
            raise CapabilityError(
                f"the target rt runs models that were compiled from .tflite or .skops (engines {', '.join(ENGINES)}), "
                f"got the engine {name}; the targets that have it: sim"
            )
        return BoardEngine.Config

    def engine(self, name: str, config: Any, path: Path) -> Engine:
        engine = BoardEngine(config, path)
        self._engines.append(engine)
        return engine

    def led(self, name: str) -> SimLed:
        return self.leds.setdefault(name, SimLed(name))

    def offload(self, sensor: Sensor, stages: list[Stage]) -> tuple[Sensor, list[Stage]]:
        """Microphone, window, features and engine on the board, where the engine asks for it.

        Raises:
            CapabilityError: the chain is another one, or the board has no such microphone.
        """
        wanting = [stage for stage in stages if _wants_features(stage)]
        if not wanting:
            return sensor, stages
        recipe = recipe_of(stages, sensor.output)
        matching.hash_of(recipe)  # refuses, before anything runs, what the board cannot compute
        config = self._microphones[id(sensor)]
        if not self.place.emulated or config.file is None or config.place == "host":
            hears = (
                "has one that hears a recording: give file and leave place out" if self.place.emulated else "has none"
            )
            raise CapabilityError(
                f"offload: features needs a microphone on the board; {self.place} {hears}, or leave offload out"
            )
        if self._streams:
            raise CapabilityError("got offload: features in two pipelines, expected one: a board computes one stream; "
                                  "leave offload out in the other")  # fmt: skip
        if isinstance(sensor, BoardSensor):
            self._sensors.remove(sensor)
            clip = sensor.clip
        else:
            clip = clip_of(config)
        stream = BoardStream(clip, recipe)
        engine: BoardEngine = stages[2].part
        engine.recipe = recipe
        scores = Scores(stream, stages[2], engine)
        self._streams.append((stream, scores))
        return stream, [scores.stage, *stages[3:]]

    # ---- the run -----------------------------------------------------------------------------------------------

    def watch(self, observer: Observer) -> None:
        """Tell it LinkLost and LinkBack."""
        self._observers.append(observer)

    def start(self) -> None:
        """Build and start the emulated board, or connect to the real one; every model is compared with its file.

        Raises:
            MissingDependency: a compiler or QEMU is not installed.
            DeviceError: the board does not answer, or is another one than expected.
            CapabilityError: it has not what the demo asks for.
        """
        for engine in self._engines:
            if engine.config.offload == "features" and engine.recipe is None:
                raise CapabilityError("offload: features was asked for, but here something else than the board's "
                                      "microphone feeds the engine; leave offload out")  # fmt: skip
        from hal.rt.board import Board

        self.board = Board(self._connect(), self._tell)
        self._stack.callback(self.board.close)
        try:
            self.board.open()
        except DeviceError as error:
            raise type(error)(f"{self.place}: {error}") from error
        models = {id(engine): matching.find(self.board, engine, self.place) for engine in self._engines}
        for engine in self._engines:
            engine.bind(self.board, models[id(engine)])
        for index, sensor in enumerate(self._sensors):
            sensor.bind(self.board, self._index_of(sensor, index))
        for index, (stream, scores) in enumerate(self._streams):
            model = models[id(scores.engine)]
            stream.bind(self.board, len(self._sensors) + index, model.index)
            scores.bind(model)
        self._bind_leds(self.board)

    def heading(self) -> Iterator[str]:
        """What to say of the board before a run, a line each."""
        if self.board:
            yield from self.board.heading()

    def close(self) -> None:
        """Close the link; an emulated board ends."""
        self._stack.close()

    def _tell(self, event: Event) -> None:
        for observer in self._observers:
            observer.on(event)

    def _connect(self) -> Callable[[], Wire]:
        if not self.place.emulated:
            return self.place.connect
        from hal.rt.firmware import build, start

        image = build(self.place.board, matching.sources(self._engines))
        clips = [*(sensor.clip for sensor in self._sensors), *(stream.clip for stream, _ in self._streams)]
        self.running = running = start(image, [clip.recorded for clip in clips if clip.recorded])
        self._stack.callback(running.close)

        def connect() -> Wire:
            if not running.alive:
                running.restart()
            return running.connect()

        return connect

    def _index_of(self, sensor: BoardSensor, index: int) -> int:
        """The board's sensor: in the order of the recordings, or the first of its kind."""
        if sensor.clip.recorded:
            return index
        assert self.board is not None  # start() has made it
        from hal.rt.protocol import SensorKind

        kinds = [info.kind for info in self.board.sensors]
        if SensorKind.MOTION not in kinds:
            raise CapabilityError(f"{self.place} has no motion sensor; give a recording (--input FILE)")
        return kinds.index(SensorKind.MOTION)

    def _bind_leds(self, board: Board) -> None:
        if len(self.leds) > board.info.leds:
            raise CapabilityError(f"{self.place} has {board.info.leds} LEDs, expected {len(self.leds)} "
                                  f"({', '.join(self.leds)}); take fewer led actions")  # fmt: skip
        for index, led in enumerate(self.leds.values()):
            self._stack.callback(led.watch(partial(_shine, board, index)))


def _shine(board: Board, index: int, led: SimLed) -> None:
    board.set_led(index, led.is_lit)


def _wants_features(stage: Stage) -> bool:
    return isinstance(stage.part, BoardEngine) and stage.part.config.offload == "features"
