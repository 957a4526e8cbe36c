"""Bundles made by NXP's Glow: NAME.h, NAME.o and NAME.weights.txt or .bin, with the static interface.

The object is an ELF file or an archive of several, whose kernels' names are those of every other bundle too: it is
linked once by itself, and only its entry stays visible.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from hal.rt.firmware.models import Linked, ModelSource, digest, graph_of, placed
from hal.rt.firmware.ports import Port
from hal.rt.firmware.toolchain import call
from pipelines.errors import ModelError

if TYPE_CHECKING:
    from compiler.graph import Tensor

ENTRY = re.compile(r"^int (\w+)\(uint8_t \*constantWeight, uint8_t \*mutableWeight, uint8_t \*activations\);", re.M)
SIZE = r"^#define {}_{} +(\d+)"
PLACEHOLDER = re.compile(
    r'^//\s+Name: "(?P<name>.*)"\n//\s+Type: (?P<type>\w+).*?<(?P<shape>[\d x]*)>\n//\s+Size: \d+ \(elements\)\n'
    r"//\s+Size: (?P<bytes>\d+) \(bytes\)\n//\s+Offset: (?P<offset>\d+) \(bytes\)",
    re.M,
)
TYPES = {"float": "float32", "i8": "int8", "ui8": "uint8", "i32": "int32", "bool": "bool"}
OBJECTS = (".o", ".a", ".lib")
SUFFIXES = (*OBJECTS, ".h", ".bin", ".txt")
UNWINDING = ("--wildcard", "--remove-section=.ARM.ex*", "--remove-section=.rel.ARM.ex*")
"""C throws nothing: without these tables nothing calls the C++ runtime."""
ARM = 40  # e_machine of 32-bit Arm
CORES = {"cortex-m7": {"v6-M", "v6S-M", "v7", "v7-M", "v7E-M"}}


@dataclass(frozen=True)
class Placeholder:
    """An input or output, as the bundle's header tells of it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int
    offset: int


@dataclass(frozen=True)
class Header:
    """What a bundle's header says."""

    entry: str
    constant_bytes: int
    mutable_bytes: int
    activation_bytes: int
    placeholders: tuple[Placeholder, ...]


def linked(model: ModelSource, symbol: str, port: Port, folder: Path) -> Linked:
    """A bundle of Glow's, ready to be linked.

    Args:
        model: whose ``glow`` names the bundle's folder.
        symbol: what its function is called from now on.
        port: the board it is for.
        folder: where objects are made.

    Raises:
        ModelError: no bundle, one without weights, for another core, or of another model than the .tflite file.
    """
    path = header_path(model)
    header = read_header(path)
    tensors, addresses, inputs = _matched(model, header, path)
    weights = read_weights(path, header)
    object_ = _object(path)
    _check_core(object_, port, folder)
    alone = _alone(object_, header.entry, symbol, port, folder)
    text = "\n".join([
        f"/* Weights of Glow's bundle {path.name}. */", "#include <stdint.h>",
        f"extern const uint8_t {symbol}_constants[];",
        f"const uint8_t {symbol}_constants[{len(weights)}] __attribute__((aligned(64))) = {{",
        _numbers(weights), "};", "",
    ])  # fmt: skip
    place = placed(tensors[:inputs], addresses[:inputs]), placed(tensors[inputs:], addresses[inputs:])
    return Linked(
        model.name, symbol, digest(model), {f"{symbol}.c": text}, (alone,),
        *place, len(weights), header.mutable_bytes, header.activation_bytes,
    )  # fmt: skip


def files(folder: Path) -> list[Path]:
    """What a bundle may consist of. Raises ModelError where there is no such folder."""
    if not folder.is_dir():
        raise ModelError(f"got the Glow bundle {folder}, which is no folder; expected one with NAME.h, NAME.o and "
                         "NAME.weights.txt")  # fmt: skip
    return [path for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES and path.is_file()]


def header_path(model: ModelSource) -> Path:
    """The bundle's header: the one of the model's name, or the only one. Raises ModelError."""
    folder = model.glow or Path()
    found = [path for path in files(folder) if path.suffix == ".h" and ENTRY.search(path.read_text(errors="replace"))]
    named = [path for path in found if path.stem in (model.name, model.path.stem)]
    if len(named or found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise ModelError(f"the folder {folder} holds the headers of {len(found)} Glow bundles ({names}), expected one, "
                         f"or {model.name}.h among them")  # fmt: skip
    return (named or found)[0]


def read_header(path: Path) -> Header:
    """Read a bundle's header. Raises ModelError where it is not Glow's."""
    text = path.read_text(errors="replace")
    entry = ENTRY.search(text)
    sizes: dict[str, int] = {}
    for key in ("CONSTANT_MEM_SIZE", "MUTABLE_MEM_SIZE", "ACTIVATIONS_MEM_SIZE"):
        size = re.search(SIZE.format(entry[1].upper() if entry else "", key), text, re.M)
        if not entry or not size:
            raise ModelError(f"{path} does not say {key}, expected the header of a Glow bundle")
        sizes[key] = int(size[1])
    found = [
        Placeholder(m["name"], TYPES.get(m["type"], m["type"]),
                    tuple(int(size) for size in m["shape"].split("x") if size.strip()),
                    int(m["bytes"]), int(m["offset"]))
        for m in PLACEHOLDER.finditer(text)
    ]  # fmt: skip
    if entry is None or not found:
        raise ModelError(f"{path} names no placeholders, expected the header of a Glow bundle")
    constants, mutable, activations = sizes.values()
    return Header(entry[1], constants, mutable, activations, tuple(found))


def read_weights(header: Path, said: Header) -> bytes:
    """The bundle's constants, from ``.weights.bin`` or ``.weights.txt``. Raises ModelError."""
    binary, text = header.with_suffix(".weights.bin"), header.with_suffix(".weights.txt")
    if binary.is_file():
        data = binary.read_bytes()
    elif text.is_file():
        try:
            data = bytes(int(word, 16) for word in text.read_text(errors="replace").replace(",", " ").split())
        except ValueError as error:
            raise ModelError(
                f"{text} holds something else than bytes ({error}), expected Glow's 0X00, 0XFF, …"
            ) from error
    else:
        raise ModelError(f"the Glow bundle {header.name} has no weights; put {binary.name} or {text.name} beside it")
    if len(data) != said.constant_bytes:
        raise ModelError(f"the weights of the Glow bundle {header.name} are {len(data):,} bytes, "
                         f"expected {said.constant_bytes:,} as its header says")  # fmt: skip
    return data


def _matched(model: ModelSource, header: Header, path: Path) -> tuple[list[Tensor], list[int], int]:
    """The .tflite's inputs and outputs with the addresses of the placeholders of their names (or, where Glow renamed
    them, of their turn), and how many are inputs."""
    graph = graph_of(model)
    tensors = list(graph.tensors_of((*graph.inputs, *graph.outputs)))
    by_name = {placeholder.name: placeholder for placeholder in header.placeholders}
    if len(by_name) != len(tensors):
        raise ModelError(f"the Glow bundle {path.name} has {len(by_name)} inputs and outputs, {model.path.name} has "
                         f"{len(tensors)}; it is another model's")  # fmt: skip
    named = all(tensor.name in by_name for tensor in tensors)
    chosen = [by_name[t.name] for t in tensors] if named else list(header.placeholders)
    for tensor, placeholder in zip(tensors, chosen, strict=True):
        if (placeholder.dtype, prod(placeholder.shape)) != (tensor.dtype, tensor.size):
            got = f"{placeholder.name} {placeholder.dtype}{list(placeholder.shape)}"
            raise ModelError(f"the Glow bundle {path.name} has {got}, {model.path.name} has {tensor}; "
                             "it is another model's")  # fmt: skip
    return tensors, [placeholder.offset for placeholder in chosen], len(graph.inputs)


def _object(header: Path) -> Path:
    for suffix in OBJECTS:
        if header.with_suffix(suffix).is_file():
            return header.with_suffix(suffix)
    raise ModelError(f"the Glow bundle {header.name} has no object; put {header.stem}.o beside it")


def machine(data: bytes) -> int:
    """e_machine of an ELF file, or of the first one in an archive; 0 for anything else."""
    start = 0
    if data.startswith(b"!<arch>\n"):
        start = data.find(b"\x7fELF")
    if start < 0 or data[start : start + 4] != b"\x7fELF":
        return 0
    return int.from_bytes(data[start + 18 : start + 20], "big" if data[start + 5] == 2 else "little")


def _check_core(object_: Path, port: Port, folder: Path) -> None:
    kind = machine(object_.read_bytes())
    if (kind == ARM) != (port.toolchain == "arm-none-eabi"):
        what = "an Arm Cortex-M" if kind == ARM else "no Arm Cortex-M"
        raise ModelError(f"the Glow bundle {object_.name} is for {what}, and the board {port.name} is {port.title}; "
                         "take a board or a bundle of the same core")  # fmt: skip
    if kind != ARM:
        return
    core = next((flag.removeprefix("-mcpu=") for flag in port.flags if flag.startswith("-mcpu=")), "")
    told = call([f"{port.toolchain}-readelf", "-A", object_.resolve()], folder).stdout
    architectures = re.findall(r"Tag_CPU_arch: (\S+)", told)
    names = re.findall(r'Tag_CPU_name: "([^"]+)"', told)
    if not set(architectures) <= CORES.get(core, set(architectures)):
        made_for = f"{', '.join(dict.fromkeys(names))} ({', '.join(dict.fromkeys(architectures))})"
        raise ModelError(f"the Glow bundle {object_.name} is for {made_for}, expected one for the board's {core}")
    hard, passes = "-mfloat-abi=hard" in port.flags, "Tag_ABI_VFP_args: VFP registers" in told
    if hard and not passes:
        raise ModelError(f"the Glow bundle {object_.name} passes floats in integer registers, expected one made with "
                         f"-float-abi=hard for the board {port.name}")  # fmt: skip


def _alone(object_: Path, entry: str, symbol: str, port: Port, folder: Path) -> Path:
    """One object with everything that the bundle needs, only its entry visible, under the name ``symbol``."""
    whole, done = folder / f"{symbol}_whole.o", folder / f"{symbol}_glow.o"
    tool = "" if port.toolchain == "cc" else f"{port.toolchain}-"
    steps: Sequence[list[str | Path]] = (
        [f"{tool}ld", "-r", "-u", entry, "--no-warn-mismatch", "-o", whole, object_.resolve()],
        [f"{tool}objcopy", f"--keep-global-symbol={entry}", whole],
        [f"{tool}objcopy", *UNWINDING, "--strip-unneeded", f"--redefine-sym={entry}={symbol}", whole, done],
    )
    for step in steps:
        result = call(step, folder)
        if result.returncode:
            raise ModelError(f"the Glow bundle {object_.name} cannot be linked ({result.stderr.strip()[:200]}), "
                             f"expected an object or archive that has {entry}")  # fmt: skip
    whole.unlink()
    return done


def _numbers(data: bytes) -> str:
    return "\n".join("    " + ",".join(map(str, data[i : i + 24])) + "," for i in range(0, len(data), 24))
