"""Builds a board's firmware with its models, and keeps what was built."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hal.rt.firmware import glow, models
from hal.rt.firmware.link import flags_of, link
from hal.rt.firmware.models import Linked, ModelSource
from hal.rt.firmware.ports import Port, firmware, port, with_defines
from hal.rt.firmware.toolchain import no_room, require_tools, version
from pipelines.errors import MissingDependency, OutputError
from pipelines.resources import cache_folder

RECORD = "firmware.json"


@dataclass(frozen=True)
class Built:
    """A model in a firmware.

    Args:
        name: what the board calls it.
        symbol: its function in C.
        sha256: of the .tflite file, in hex.
        glow: linked from a bundle of Glow's.
        features: computes its features on the board.
        constant_bytes, mutable_bytes, activation_bytes: of its three memories.
        input_bytes, output_bytes: of what goes over the wire.
    """

    name: str
    symbol: str
    sha256: str
    glow: bool
    features: bool
    constant_bytes: int
    mutable_bytes: int
    activation_bytes: int
    input_bytes: int
    output_bytes: int


@dataclass(frozen=True)
class Image:
    """A firmware that was built.

    Args:
        board: its name.
        program: an ELF file of the board; of this computer for ``host``.
        models: what is in it, in the board's order.
        compiler: its name and version.
    """

    board: str
    program: Path
    models: tuple[Built, ...]
    compiler: str

    @property
    def map(self) -> Path:
        """The linker's map, which tells what takes how much."""
        return self.program.with_name("firmware.map")


def build(board: str, sources: Sequence[ModelSource], out: Path | None = None,
          defines: Mapping[str, str] | None = None) -> Image:  # fmt: skip
    """Build the firmware of a board with these models in it, or take it from the cache.

    Args:
        board: a folder under firmware/ports.
        sources: the models, in the order in which the board has them.
        out: a folder that gets the program, the linker's map and the generated C too.
        defines: settings of the board's C, such as ``{"EIQ_BAUD": "921600"}``.

    Raises:
        CapabilityError: there is no such board, or it has no such setting.
        ModelError: a model cannot be compiled or linked, or all of them do not fit the board.
        MissingDependency: no compiler, no SDK, or a package is missing.
        OutputError: cannot write.
    """
    wanted = with_defines(port(board), defines or {})
    require_tools(wanted)
    sdk = sdk_of(wanted)
    named = list(zip(sources, models.symbols(sources), strict=True))
    tables = [features(source, symbol) for source, symbol in named]
    home = cache_folder("firmware") / f"{board}-{_key(wanted, sdk, sources, tables)}"
    try:
        image = _read(home)
        if image is None:
            _make(wanted, sdk, named, tables, home)
            image = _read(home)
            if image is None:
                raise OutputError(f"the firmware in {home} is damaged; remove it")
        return _copied(image, out) if out else image
    except OSError as error:
        raise no_room(error.filename or home.parent, error.strerror) from error


def sdk_of(port: Port) -> Path | None:
    """The folder of the vendor's SDK; None for a board that needs none. Raises MissingDependency."""
    if not port.sdk:
        return None
    folder = Path(os.environ.get(port.sdk, "")).expanduser()
    if port.sdk not in os.environ or not folder.is_dir():
        got = f"{port.sdk}={folder}, which is no folder" if port.sdk in os.environ else f"{port.sdk} is not set"
        raise MissingDependency(f"the board {port.name} needs the vendor's SDK, and {got}; {port.sdk_help}")
    lacks = [name for name in (*port.sdk_include, *port.sdk_sources) if not (folder / name).exists()]
    if lacks:
        raise MissingDependency(f"the board {port.name} needs {lacks[0]}, and {port.sdk}={folder} lacks it; "
                                f"{port.sdk_help}")  # fmt: skip
    return folder.resolve()


def features(source: ModelSource, symbol: str) -> Any:
    """The C of a model's feature tables (hal.rt.features.Tables); None where it has no recipe."""
    if source.mfcc is None:
        return None
    from hal.rt.features import tables

    return tables(source.window, source.mfcc, source.rate_hz or 0.0, symbol)


def _make(port: Port, sdk: Path | None, named: Sequence[tuple[ModelSource, str]], tables: Sequence[Any],
          home: Path) -> None:  # fmt: skip
    """Build in a folder of its own, which becomes ``home`` as a whole; somebody else's is as good."""
    home.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="build-") as work:
        folder = Path(work) / "firmware"
        folder.mkdir()
        linked = [
            glow.linked(source, symbol, port, folder) if source.glow else models.compiled(source, symbol)
            for source, symbol in named
        ]
        program = link(port, sdk, linked, tables, folder)
        built = [_built(model, source, table) for model, (source, _), table in zip(linked, named, tables, strict=True)]
        record = {"board": port.name, "program": program.name, "sha256": _sha256(program), "compiler": version(port),
                  "models": [asdict(model) for model in built]}  # fmt: skip
        for object_ in folder.glob("*.o"):
            object_.unlink()
        (folder / RECORD).write_text(json.dumps(record), encoding="utf-8")
        if home.exists() and _read(home) is None:
            shutil.rmtree(home, ignore_errors=True)  # damaged; another build may do the same now
        try:
            folder.rename(home)
        except OSError:
            if not (home / RECORD).is_file():
                raise


def _built(model: Linked, source: ModelSource, table: Any) -> Built:
    return Built(model.name, model.symbol, model.sha256.hex(), source.glow is not None, table is not None,
                 model.constant_bytes, model.mutable_bytes, model.activation_bytes, model.input_bytes,
                 model.output_bytes)  # fmt: skip


def _read(home: Path) -> Image | None:
    """What was built there; None where there is nothing whole."""
    try:
        record = json.loads((home / RECORD).read_text(encoding="utf-8"))
        built = tuple(Built(**model) for model in record["models"])
        image = Image(record["board"], home / record["program"], built, record["compiler"])
        whole = _sha256(image.program) == record["sha256"]
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None
    return image if whole else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copied(image: Image, out: Path) -> Image:
    """The same in a folder of the user's; each file is there whole or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(image.program.parent.iterdir()):
        part = out / f".{path.name}.new"
        shutil.copy2(path, part)
        part.replace(out / path.name)
    return Image(image.board, out / image.program.name, image.models, image.compiler)


def _key(port: Port, sdk: Path | None, sources: Sequence[ModelSource], tables: Sequence[Any]) -> str:
    """A hash of everything that goes into a firmware."""
    digest = hashlib.sha256()
    for text in (str(port), str(sdk), version(port), *flags_of(port)):
        digest.update(text.encode() + b"\0")
    for path in _inputs(port, sdk):
        digest.update(str(path).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    for source, table in zip(sources, tables, strict=True):
        digest.update(source.name.encode() + b"\0" + models.digest(source) + repr(table).encode() + b"\0")
        for path in glow.files(source.glow) if source.glow else []:
            digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]


def _inputs(port: Port, sdk: Path | None) -> Iterator[Path]:
    """The files of ours, and of the SDK, that the firmware is made of or with."""
    here = Path(__file__).parent
    compiler = Path(__file__).parents[3] / "compiler"
    for folder, pattern in ((firmware(), "**/*"), (compiler, "**/*.c"), (compiler, "**/*.py"), (here, "*.py")):
        yield from (path for path in sorted(folder.glob(pattern)) if path.is_file())
    yield from (sdk / name for name in port.sdk_sources if sdk and (sdk / name).is_file())
