"""The part of erpcgen's language that eiq.erpc uses: constants, enums, structs, and interfaces with @id.

Grammar: https://github.com/EmbeddedRPC/erpc, erpcgen/src/erpcgen_parser.y. Names are declared before they are used.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NoReturn

from pipelines.errors import ConfigError, Problem

INTEGERS = {f"{sign}int{bits}": (sign, bits) for bits in (8, 16, 32, 64) for sign in ("", "u")}
"""Integer types: "u" or "", and their bits."""
BASIC = {*INTEGERS, "bool", "float", "string", "binary"}
REPLIES_ONLY = 255
"""Id of the service that nobody calls: only its replies are sent."""
RESERVED = frozenset(
    ("program", "const", "import", "enum", "struct", "union", "switch", "case", "default", "optional", "byref", "type",
     "interface", "version", "in", "out", "inout", "async", "oneway", "list", "ref", "true", "false", "void")
)  # fmt: skip
"""Words of erpcgen that can be no names."""

_TOKENS = re.compile(
    r"(?P<blank>\s+)|(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<word>[A-Za-z_]\w*)|(?P<number>-?(?:0[xX][0-9a-fA-F]+|\d+)\b)"
    r"|(?P<mark>->|[@(){}<>=,;])",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Type:
    """A basic type, an enum's or struct's name, or ``list`` with its items' type."""

    name: str
    kind: str
    """basic | enum | struct | list"""
    item: Type | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A struct's member or a method's argument."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Const:
    """A named integer."""

    name: str
    type: Type
    value: int


@dataclass(frozen=True, slots=True)
class Enum:
    """Named values; on the wire an int32."""

    name: str
    members: dict[str, int]


@dataclass(frozen=True, slots=True)
class Struct:
    """Fields; on the wire one after the other."""

    name: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Method:
    """A call: what goes in, what comes out, and what it returns (None: nothing)."""

    name: str
    id: int
    oneway: bool
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    returns: Type | None


@dataclass(frozen=True, slots=True)
class Service:
    """An ``interface``."""

    name: str
    id: int
    methods: tuple[Method, ...]


@dataclass(frozen=True, slots=True)
class Interface:
    """A whole IDL file. crc: CRC-32 (zlib's) of its text without comments and blanks."""

    program: str
    crc: int
    consts: tuple[Const, ...]
    enums: tuple[Enum, ...]
    structs: tuple[Struct, ...]
    services: tuple[Service, ...]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int
    column: int


def parse(text: str, file: str) -> Interface:
    """Read an IDL file's text. Raises ConfigError with the place of the first problem."""
    tokens = tuple(_tokens(text, file))
    crc = zlib.crc32("".join(token.text for token in tokens).encode())
    return _Parser(tokens, file).interface(crc)


def _tokens(text: str, file: str) -> Iterator[_Token]:
    at, line, start = 0, 1, 0
    while at < len(text):
        match = _TOKENS.match(text, at)
        if match is None:
            raise _wrong(file, line, at - start + 1, f"got {text[at]!r}, which this language has no use for")
        kind, found = match.lastgroup or "", match[0]
        if kind not in ("blank", "comment"):
            yield _Token(kind, found, line, at - start + 1)
        at = match.end()
        if "\n" in found:
            line, start = line + found.count("\n"), match.start() + found.rindex("\n") + 1
    yield _Token("end", "", line, at - start + 1)


def _wrong(file: str, line: int, column: int, message: str) -> ConfigError:
    return ConfigError([Problem(file, line, column, "", message)])


class _Parser:
    def __init__(self, tokens: tuple[_Token, ...], file: str) -> None:
        self.tokens, self.file, self.at = tokens, file, 0
        self.names: dict[str, str] = {}  # of declared things -> const | enum | struct | interface

    def interface(self, crc: int) -> Interface:
        """The whole file."""
        program = self.name() if self.take("program") else ""
        self.take(";")
        consts: list[Const] = []
        enums: list[Enum] = []
        structs: list[Struct] = []
        services: list[Service] = []
        while self.now.kind != "end":
            if self.take("const"):
                consts.append(self.const())
            elif self.take("enum"):
                enums.append(self.enum())
            elif self.take("struct"):
                structs.append(self.struct())
            elif self.now.text == "@":
                services.append(self.service())
            else:
                self.fail("const, enum, struct or @id(N) interface")
            self.take(";")
        self.unique("interface id", [service.id for service in services])
        return Interface(program, crc, tuple(consts), tuple(enums), tuple(structs), tuple(services))

    def const(self) -> Const:
        kind = self.type()
        if kind.name not in INTEGERS:
            self.refuse(f"a constant is {kind.name}; only integers are supported")
        name = self.declare("const")
        self.expect("=")
        return Const(name, kind, self.number(kind.name))

    def enum(self) -> Enum:
        name = self.declare("enum")
        members: dict[str, int] = {}
        self.expect("{")
        while not self.take("}"):
            member = self.declare("enum member")
            # as in C: one more than the one before
            members[member] = self.number("int32") if self.take("=") else max(members.values(), default=-1) + 1
            if not self.take(",") and self.now.text != "}":
                self.fail('"," or "}"')
        if not members:
            self.refuse(f"enum {name} has no members")
        self.unique(f"value of {name}", members.values())
        return Enum(name, members)

    def struct(self) -> Struct:
        fields: list[Field] = []
        name = self.name()
        self.expect("{")
        while not self.take("}"):
            fields.append(self.field())
            if not self.take(";"):
                self.take(",")
        if not fields:
            self.refuse(f"struct {name} has no fields")
        self.unique(f"field of {name}", [field.name for field in fields])
        self.add(name, "struct")  # now only: a struct cannot hold itself
        return Struct(name, tuple(fields))

    def service(self) -> Service:
        identifier = self.id()
        self.expect("interface")
        name = self.declare("interface")
        methods: list[Method] = []
        self.expect("{")
        while not self.take("}"):
            methods.append(self.method())
            if not self.take(";"):
                self.take(",")
        self.unique(f"method of {name}", [method.name for method in methods])
        self.unique(f"method id of {name}", [method.id for method in methods])
        return Service(name, identifier, tuple(methods))

    def method(self) -> Method:
        identifier, oneway = self.id(), self.take("oneway")
        name = self.name()
        inputs: list[Field] = []
        outputs: list[Field] = []
        self.expect("(")
        while not self.take(")"):
            side = outputs if self.take("out") else inputs
            if side is inputs:
                self.take("in")
            side.append(self.field())
            if not self.take(",") and self.now.text != ")":
                self.fail('"," or ")"')
        if any(field.type.kind in ("list", "struct") for field in inputs):
            self.refuse(f"{name}: the board has no memory for a list as an argument, nor for a struct")
        returns = None
        if not oneway:
            self.expect("->")
            returns = None if self.take("void") else self.type()
        elif outputs:
            self.refuse(f"{name} is oneway and has out arguments")
        self.unique(f"argument of {name}", [field.name for field in (*inputs, *outputs)])
        return Method(name, identifier, oneway, tuple(inputs), tuple(outputs), returns)

    def id(self) -> int:
        self.expect("@")
        if self.name() != "id":
            self.refuse("the only annotation that is supported is @id(N)")
        self.expect("(")
        number = self.number("uint8")
        if not number:
            self.refuse("ids begin at 1")  # erpcgen refuses 0
        self.expect(")")
        return number

    def field(self) -> Field:
        kind = self.type()
        return Field(self.name(), kind)

    def type(self) -> Type:
        if self.take("list"):
            self.expect("<")
            item = self.type()
            self.expect(">")
            return Type("list", "list", item)
        name = self.name()
        kind = "basic" if name in BASIC else self.names.get(name, "")
        if kind not in ("basic", "enum", "struct"):
            self.refuse(f"type {name} is not known; the basic ones are {', '.join(sorted(BASIC))}")
        return Type(name, kind)

    def number(self, kind: str) -> int:
        token = self.now
        if token.kind != "number":
            self.fail("a number")
        value = int(token.text, 0)
        sign, bits = INTEGERS[kind]
        low, high = (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        if not low <= value <= high:
            self.fail(f"a number of {low} to {high}")
        self.at += 1
        return value

    def declare(self, kind: str) -> str:
        name = self.name()
        self.add(name, kind)
        return name

    def add(self, name: str, kind: str) -> None:
        if name in self.names or name in BASIC:
            self.refuse(f"{name} is there twice: each name is declared once")
        self.names[name] = kind

    def name(self) -> str:
        token = self.now
        if token.kind != "word" or token.text in RESERVED:
            self.fail("a name")
        self.at += 1
        return token.text

    def unique(self, what: str, values: Iterable[object]) -> None:
        seen: set[object] = set()
        for value in values:
            if value in seen:
                self.refuse(f"{what} {value} is there twice")
            seen.add(value)

    @property
    def now(self) -> _Token:
        return self.tokens[self.at]

    def take(self, text: str) -> bool:
        found = self.now.text == text and self.now.kind != "end"
        self.at += found
        return found

    def expect(self, text: str) -> None:
        if not self.take(text):
            self.fail(f'"{text}"')

    def fail(self, expected: str) -> NoReturn:
        got = f'"{self.now.text}"' if self.now.text else "the file's end"
        raise _wrong(self.file, self.now.line, self.now.column, f"got {got}, expected {expected}")

    def refuse(self, message: str) -> NoReturn:
        last = self.tokens[max(self.at - 1, 0)]
        raise _wrong(self.file, last.line, last.column, message)
