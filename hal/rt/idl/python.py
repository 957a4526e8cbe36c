"""The host's side of the interface: protocol.py."""

from __future__ import annotations

from collections.abc import Iterator

from hal.rt.idl.parse import INTEGERS, REPLIES_ONLY, Enum, Field, Interface, Method, Service, Struct, Type
from hal.rt.idl.sizes import overheads

_HEAD = '''"""What host and board say to each other. Generated from firmware/eiq.erpc: run ``python -m hal.rt.idl``."""

# fmt: off
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

from hal.rt.codec import Reader, Writer
from pipelines.errors import DeviceCorrupt

T = TypeVar("T")
E = TypeVar("E", bound=IntEnum)
Binary = bytes  # a field is called bytes too


@dataclass(frozen=True, slots=True)
class Method(Generic[T]):
    """A call. decode: out arguments and what it returns, from a reply's arguments, to their last byte."""

    service: int
    method: int
    name: str
    oneway: bool
    decode: Callable[[Reader], T]


def _enum(kind: type[E], value: int) -> E:
    try:
        return kind(value)
    except ValueError:
        raise DeviceCorrupt(f"got {value} from the board, which is no {kind.__name__}") from None


def _list(reader: Reader, item: Callable[[], T]) -> tuple[T, ...]:
    return tuple([item() for _ in range(reader.u32())])  # a count too large ends where the bytes do


def _nothing(reader: Reader) -> None:
    reader.end()
'''
_CODEC = {"bool": "boolean", "float": "f32"}
_PYTHON = {"bool": "bool", "float": "float", "string": "str", "binary": "Binary"}


def module(interface: Interface) -> str:
    """protocol.py's text."""
    consts = "".join(f"{const.name} = {const.value}\n" for const in interface.consts)
    sizes = "".join(f"{name} = {size}\n" for name, size in overheads(interface))
    about = "# bytes of the messages that hold a binary, without what varies\n"
    parts = [_HEAD, f"{consts}INTERFACE = 0x{interface.crc:08X}\n{about}{sizes}"]
    parts += [_enum(enum) for enum in interface.enums]
    parts += [_struct(struct) for struct in interface.structs]
    parts += [_method(service, method) for service in interface.services for method in service.methods]
    return "\n\n".join(parts)


def _enum(enum: Enum) -> str:
    """An IntEnum, its members without what the names of all begin with: STATUS_OK is Status.OK."""
    first, last = min(enum.members), max(enum.members)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    cut = first.rfind("_", 0, same) + 1
    members = "".join(f"    {name[cut:]} = {value}\n" for name, value in enum.members.items())
    return f'class {enum.name}(IntEnum):\n    """{enum.name} of eiq.erpc."""\n\n{members}'


def _struct(struct: Struct) -> str:
    fields = "".join(f"    {field.name}: {_type(field.type)}\n" for field in struct.fields)
    reads = "".join(f"            {_read(field.type)},\n" for field in struct.fields)
    writes = "".join(
        f"        {line}\n" for field in struct.fields for line in _write(field.type, f"self.{field.name}")
    )
    return (
        f"@dataclass(frozen=True, slots=True)\n"
        f"class {struct.name}:\n"
        f'    """{struct.name} of eiq.erpc."""\n\n'
        f"{fields}\n"
        f"    @classmethod\n"
        f"    def read(cls, reader: Reader) -> {struct.name}:\n"
        f'        """Out of a reply."""\n'
        f"        return cls(\n{reads}        )\n\n"
        f"    def write(self, writer: Writer) -> None:\n"
        f'        """Into a reply."""\n'
        f"{writes}"
    )


def _method(service: Service, method: Method) -> str:
    outs = [*(output.type for output in method.outputs), *([method.returns] if method.returns else [])]
    result = f"tuple[{', '.join(map(_type, outs))}]" if outs else "None"
    decode = f"_decode_{method.name}" if outs else "_nothing"
    signature = f'{service.id}, {method.id}, "{method.name}", {method.oneway}, {decode}'
    constant = f"{method.name.upper()}: Method[{result}] = Method({signature})\n"
    parts = [_decode(decode, result, outs)] if outs else []
    parts += [constant]
    if service.id != REPLIES_ONLY:
        parts += [_encode(method.name, method.inputs)]
    return "\n\n".join(parts)


def _decode(name: str, result: str, outs: list[Type]) -> str:
    reads = "".join(f"        {_read(out)},\n" for out in outs)
    return (
        f"def {name}(reader: Reader) -> {result}:\n    result = (\n{reads}    )\n    reader.end()\n    return result\n"
    )


def _encode(name: str, inputs: tuple[Field, ...]) -> str:
    arguments = ", ".join(f"{field.name}: {_type(field.type)}" for field in inputs)
    writes = "".join(f"    {line}\n" for field in inputs for line in _write(field.type, field.name))
    return (
        f"def {name}({arguments}) -> bytes:\n"
        f'    """The arguments of {name.upper()}, encoded."""\n'
        f"    writer = Writer()\n{writes}    return writer.message()\n"
    )


def _type(kind: Type) -> str:
    if kind.item:
        return f"tuple[{_type(kind.item)}, ...]"
    return "int" if kind.name in INTEGERS else _PYTHON.get(kind.name, kind.name)


def _basic(name: str) -> str:
    """What codec.py calls it: u32, i8, f32, string."""
    if name in INTEGERS:
        sign, bits = INTEGERS[name]
        return f"{sign or 'i'}{bits}"
    return _CODEC.get(name, name)


def _read(kind: Type) -> str:
    """An expression that reads one."""
    if kind.item:
        item = f"reader.{_basic(kind.item.name)}" if kind.item.kind == "basic" else f"lambda: {_read(kind.item)}"
        return f"_list(reader, {item})"
    if kind.kind == "enum":
        return f"_enum({kind.name}, reader.i32())"
    return f"{kind.name}.read(reader)" if kind.kind == "struct" else f"reader.{_basic(kind.name)}()"


def _write(kind: Type, value: str) -> Iterator[str]:
    """Lines that write one."""
    if kind.item:
        yield f"writer.u32(len({value}))"
        yield f"for item in {value}:"
        yield from (f"    {line}" for line in _write(kind.item, "item"))
    elif kind.kind == "struct":
        yield f"{value}.write(writer)"
    else:
        yield f"writer.{'i32' if kind.kind == 'enum' else _basic(kind.name)}({value})"
