"""The board's side of the interface: eiq_rpc.h and eiq_rpc.c."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hal.rt.idl.parse import INTEGERS, REPLIES_ONLY, Enum, Field, Interface, Method, Service, Struct, Type
from hal.rt.idl.sizes import overheads

_NOTE = "/* Generated from eiq.erpc: run python -m hal.rt.idl. */\n"
_C = {"bool": "uint8_t", "float": "float", "string": "const char *", "binary": "struct eiq_bytes"}
_HEAD = """#ifndef EIQ_RPC_H
#define EIQ_RPC_H
#include "eiq_codec.h"

struct eiq_server;
"""
_DISPATCH = """/* Decode a request's arguments, call its handler, and encode the reply's arguments. */
enum eiq_dispatch { EIQ_DISPATCH_DONE, EIQ_DISPATCH_NO_METHOD, EIQ_DISPATCH_BAD_ARGUMENTS };
"""


def header(interface: Interface) -> str:
    """eiq_rpc.h's text."""
    parts = [_HEAD]
    consts = [
        f"#define EIQ_{const.name} {const.value}{'u' if const.value >= 0 else ''}\n" for const in interface.consts
    ]
    consts += [f"#define EIQ_INTERFACE 0x{interface.crc:08X}u\n"]
    for service in interface.services:
        consts += [f"#define EIQ_SERVICE_{_snake(service.name).upper()} {service.id}u\n"]
        consts += [f"#define EIQ_METHOD_{method.name.upper()} {method.id}u\n" for method in service.methods]
    parts += ["".join(consts)]
    sizes = "".join(f"#define EIQ_{name} {size}u\n" for name, size in overheads(interface))
    parts += [f"/* Bytes of the messages that hold a binary, without what varies. */\n{sizes}"]
    parts += [_enum(enum) for enum in interface.enums]
    parts += [_members(f"eiq_{_snake(struct.name)}", struct.fields) for struct in interface.structs]
    methods = [(service, method) for service in interface.services for method in service.methods]
    called = [method for service, method in methods if service.id != REPLIES_ONLY]
    parts += [_members(f"eiq_{method.name}_in", method.inputs) for method in called if method.inputs]
    parts += ["/* What the firmware does at a call. */\n" + "".join(f"{_handler(method)};\n" for method in called)]
    replies = [_encoder(method) for _, method in methods if not method.oneway]
    parts += ["/* The arguments of a reply. */\n" + "".join(f"{reply};\n" for reply in replies)]
    parts += [_DISPATCH + "".join(f"{_dispatch(service)};\n" for service in _served(interface))]
    return _NOTE + "\n".join(parts) + "#endif\n"


def source(interface: Interface) -> str:
    """eiq_rpc.c's text."""
    parts = ['#include "eiq_rpc.h"\n']
    parts += [_put_struct(struct) for struct in interface.structs]
    for service in interface.services:
        parts += [_encode(method) for method in service.methods if not method.oneway]
    for service in _served(interface):
        parts += [_call(method) for method in service.methods]
        parts += [_switch(service)]
    return _NOTE + "\n".join(parts)


def _served(interface: Interface) -> list[Service]:
    return [service for service in interface.services if service.id != REPLIES_ONLY]


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _type(kind: Type) -> str:
    if kind.kind == "struct":
        return f"struct eiq_{_snake(kind.name)}"
    if kind.kind == "enum":
        return "int32_t"
    return f"{kind.name}_t" if kind.name in INTEGERS else _C[kind.name]


def _declare(field: Field, pointer: bool = False) -> Iterator[str]:
    """A member, or with ``pointer`` an argument that a handler fills in."""
    mark = "*" if pointer else ""
    if field.type.item:
        yield f"const {_type(field.type.item)} *{mark}{field.name}"
        yield f"uint32_t {mark}{field.name}_count"
    else:
        kind = _type(field.type)
        yield f"{kind}{'' if kind.endswith('*') else ' '}{mark}{field.name}"


def _enum(enum: Enum) -> str:
    members = "".join(f"    EIQ_{name} = {value},\n" for name, value in enum.members.items()).rstrip(",\n")
    return f"enum eiq_{_snake(enum.name)} {{\n{members}\n}};\n"


def _members(name: str, fields: tuple[Field, ...]) -> str:
    lines = "".join(f"    {line};\n" for field in fields for line in _declare(field))
    return f"struct {name} {{\n{lines}}};\n"


def _handler(method: Method) -> str:
    arguments = ["struct eiq_server *server"]
    if method.inputs:
        arguments.append(f"const struct eiq_{method.name}_in *in")
    arguments += [line for field in method.outputs for line in _declare(field, pointer=True)]
    returns = _type(method.returns) if method.returns else "void"
    return f"{returns} eiq_on_{method.name}({', '.join(arguments)})"


def _encoder(method: Method) -> str:
    arguments = ["struct eiq_writer *w"]
    arguments += [
        f"const {line}" if field.type.kind == "struct" and line.endswith(field.name) else line
        for field in method.outputs
        for line in _declare(field, pointer=field.type.kind == "struct")
    ]
    if method.returns:
        arguments.append(f"{_type(method.returns)} returned")
    return f"void eiq_put_{method.name}({', '.join(arguments)})"


def _dispatch(service: Service) -> str:
    name = f"eiq_dispatch_{_snake(service.name)}"
    return (
        f"enum eiq_dispatch {name}(struct eiq_server *server, uint32_t method, int oneway,\n"
        f"{' ' * (len(name) + 19)}struct eiq_reader *r, struct eiq_writer *w)"
    )


def _put(kind: Type, value: str) -> Iterator[str]:
    if kind.item:
        yield f"eiq_put_uint32(w, {value}_count);"
        yield f"for (uint32_t i = 0; i < {value}_count; i++) {{"
        yield from (f"    {line}" for line in _put(kind.item, f"{value}[i]"))
        yield "}"
    elif kind.kind == "struct":
        yield f"put_{_snake(kind.name)}(w, &{value});"
    else:
        yield f"eiq_put_{'int32' if kind.kind == 'enum' else kind.name}(w, {value});"


def _put_struct(struct: Struct) -> str:
    name = _snake(struct.name)
    lines = "".join(f"    {line}\n" for field in struct.fields for line in _put(field.type, f"v->{field.name}"))
    return f"static void put_{name}(struct eiq_writer *w, const struct eiq_{name} *v)\n{{\n{lines}}}\n"


def _encode(method: Method) -> str:
    lines = [line for field in method.outputs
             for line in ([f"put_{_snake(field.type.name)}(w, {field.name});"] if field.type.kind == "struct"
                          else _put(field.type, field.name))]  # fmt: skip
    if method.returns:
        lines += _put(method.returns, "returned")
    return f"{_encoder(method)}\n{{\n{''.join(f'    {line}{chr(10)}' for line in lines)}}}\n"


def _call(method: Method) -> str:
    """Arguments in, handler, arguments out. A struct or list as an argument would need memory: eiq.erpc has none."""
    lines = [f"struct eiq_{method.name}_in in;"] if method.inputs else []
    lines += [f"{line};" for field in method.outputs for line in _declare(field)]
    if method.returns:
        lines += [f"{_type(method.returns)} returned;"]
    lines += [f"in.{field.name} = {_get(field.type)};" for field in method.inputs]
    lines += ["if (!eiq_reader_done(r)) return EIQ_DISPATCH_BAD_ARGUMENTS;"]
    names = [name for field in method.outputs for name in _names_of(field)]
    lines += [f"memset(&{name}, 0, sizeof {name});" for name in names]
    arguments = ["server", *(["&in"] if method.inputs else []), *(f"&{name}" for name in names)]
    call = f"eiq_on_{method.name}({', '.join(arguments)});"
    outs = [
        f"&{field.name}" if field.type.kind == "struct" else ", ".join(_names_of(field)) for field in method.outputs
    ]
    if method.oneway:
        lines += ["(void)w;", call]
    else:
        returned = ["returned"] if method.returns else []
        lines += [
            f"returned = {call}" if returned else call,
            f"eiq_put_{method.name}({', '.join(['w', *outs, *returned])});",
        ]
    body = "".join(f"    {line}\n" for line in [*lines, "return EIQ_DISPATCH_DONE;"])
    head = f"static enum eiq_dispatch call_{method.name}"
    return f"{head}(struct eiq_server *server, struct eiq_reader *r, struct eiq_writer *w)\n{{\n{body}}}\n"


def _names_of(field: Field) -> list[str]:
    return [field.name, f"{field.name}_count"] if field.type.item else [field.name]


def _get(kind: Type) -> str:
    if kind.name == "string":
        return "eiq_get_binary(r)"
    return f"eiq_get_{'int32' if kind.kind == 'enum' else kind.name}(r)"


def _switch(service: Service) -> str:
    cases = "".join(
        f"    case EIQ_METHOD_{method.name.upper()}:\n"
        f"        if ({'!' if method.oneway else ''}oneway) return EIQ_DISPATCH_BAD_ARGUMENTS;\n"
        f"        return call_{method.name}(server, r, w);\n"
        for method in service.methods
    )
    default = "    default:\n        return EIQ_DISPATCH_NO_METHOD;\n"
    return f"{_dispatch(service)}\n{{\n    switch (method) {{\n{cases}{default}    }}\n}}\n"
