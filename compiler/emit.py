"""Layers and their places in memory as one .c and one .h, with Glow's static ABI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compiler import passes
from compiler.check import check, check_ends
from compiler.graph import Graph
from compiler.layer import Layer, Variant
from compiler.lower import Kernels, lower
from compiler.memory import Memory, arrange

KERNELS = Path(__file__).parent / "kernels"
ALIGN = 64
MARK = """/* A board's clock may stand here, to time each layer. */
#ifndef EIQ_MARK
#define EIQ_MARK(layer) ((void)0)
#endif"""
QUIET = """/* Not every model needs every helper. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wunused-function"
#endif"""
SIGNATURE = "(uint8_t *constantWeight, uint8_t *mutableWeight, uint8_t *activations)"


@dataclass(frozen=True)
class Bundle:
    """A compiled model.

    Args:
        graph: what was compiled.
        layers: what runs, in order.
        memory: where everything lives.
        c: the source.
        h: the header.
        kernels: whose they are; CMSIS-NN's are built beside the bundle.
    """

    graph: Graph
    layers: tuple[Layer, ...]
    memory: Memory
    c: str
    h: str
    kernels: Kernels = "own"

    @property
    def name(self) -> str:
        """The function's name."""
        return self.graph.name


def compile_graph(graph: Graph, kernels: Kernels = "own") -> Bundle:
    """Run the passes, choose kernels, plan the memory, and write the C.

    Args:
        graph: as it was read.
        kernels: ours, or calls of CMSIS-NN, whose sources the C then needs.

    Raises:
        ModelError: something in the graph that no kernel runs.
    """
    check(graph)
    graph = [done for _, done in passes.apply(graph)][-1]
    check_ends(graph)
    layers = lower(graph, kernels)
    memory = arrange(graph, layers)
    return Bundle(graph, tuple(layers), memory, _source(graph, layers, memory), _header(graph, memory), kernels)


def _source(graph: Graph, layers: Sequence[Layer], memory: Memory) -> str:
    name, used = graph.name, dict.fromkeys(source for layer in layers for source in layer.sources)
    variants = {layer.function: _variant(layer, layer.variant) for layer in layers if layer.variant}
    structs = [
        f"static const {struct.type} layer_{step}{'' if i == 0 else f'_{i}'} = {struct};"
        for step, layer in enumerate(layers)
        for i, struct in enumerate(layer.structs)
    ]
    parts = [
        f'{_heading(graph)}\n#include "{name}.h"\n#include <stdint.h>\n#include <string.h>',
        MARK,
        QUIET,
        *((KERNELS / f"{kernel}.c").read_text(encoding="utf-8").rstrip() for kernel in used),
        *variants.values(),
        "\n".join(structs),
        f"const uint8_t {name}_constants[{max(1, len(memory.constants))}] __attribute__((aligned({ALIGN}))) = {{\n"
        f"{_numbers(memory.constants or bytes(1))}\n}};",
        f"int {name}{SIGNATURE}\n{{\n" + "\n".join(_calls(graph, layers, memory)) + "\n    return 0;\n}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(graph: Graph) -> str:
    return f"/* {graph.name}: compiled from {graph.source} */"


def _variant(layer: Layer, variant: Variant) -> str:
    return (
        f"static __attribute__((noinline)) void {layer.function}(\n    {variant.parameters})\n"
        f"{{\n    {layer.kernel}({variant.arguments}, {variant.fixed});\n}}"
    )


def _calls(graph: Graph, layers: Sequence[Layer], memory: Memory) -> list[str]:
    lines = [f"    (void){name};" for name in ("constantWeight", "mutableWeight", "activations")]
    for step, layer in enumerate(layers):
        inputs, out = layer.node.inputs, memory.at[layer.node.outputs[0]]
        if layer.kernel:
            names = _addresses(step, layer, memory, graph)
            lines.append(f"    EIQ_MARK({layer.node.index});")
            before, after = ("if (", " != 0) return -1;") if layer.status else ("", ";")
            lines += [f"    {before}{layer.function}({call.format_map(names)}){after} "
                      f"/* {layer.node.index}: {layer.node.op} */" for call in layer.calls]  # fmt: skip
        elif memory.at[inputs[0]] != out:
            lines.append(f"    memcpy({out}, {memory.at[inputs[0]]}, {layer.calls[0]}); /* {layer.node.op} */")
    return [*lines, "    EIQ_MARK(-1);"]


def _addresses(step: int, layer: Layer, memory: Memory, graph: Graph) -> dict[str, str]:
    node = layer.node
    names = {"out": _pointer(graph, node.outputs[0], memory, "")}
    names |= {f"s{i}": f"layer_{step}{'' if i == 0 else f'_{i}'}" for i in range(len(layer.structs))}
    names |= {f"in{i}": _pointer(graph, index, memory, "const ")
              for i, index in enumerate(node.inputs) if index in memory.at}  # fmt: skip
    for i, offset in enumerate(memory.weights[step]):
        kind = "uint32_t" if i == 0 else "int32_t"
        names[f"w{i}"] = f"(const {kind} *)(const void *)(constantWeight + {offset})"
    if step in memory.scratch:
        names["scratch"] = f"(void *)({memory.scratch[step]})"
    return names


def _pointer(graph: Graph, index: int, memory: Memory, const: str) -> str:
    if graph.tensors[index].dtype == "float32":
        return f"({const}float *)({const}void *)({memory.at[index]})"
    return f"({const}int8_t *)({memory.at[index]})"


def _numbers(data: bytes) -> str:
    lines = [data[i : i + 24] for i in range(0, len(data), 24)]
    return "\n".join("    " + ",".join(map(str, line)) + "," for line in lines)


def _header(graph: Graph, memory: Memory) -> str:
    name, upper = graph.name, graph.name.upper()
    sizes = {"CONSTANT_MEM_SIZE": len(memory.constants), "MUTABLE_MEM_SIZE": memory.mutable,
             "ACTIVATIONS_MEM_SIZE": memory.plan.size, "MEM_ALIGN": ALIGN}  # fmt: skip
    lines = [_heading(graph), f"#ifndef {upper}_H", f"#define {upper}_H", "#include <stdint.h>"]
    lines += [f"#define {upper}_{key} {value}" for key, value in sizes.items()]
    for kind, indices in (("in", graph.inputs), ("out", graph.outputs)):
        lines += [f"#define {upper}_{kind}{i} {memory.places[index]} /* {graph.tensors[index]} */"
                  for i, index in enumerate(indices)]  # fmt: skip
    lines += [f"extern const uint8_t {name}_constants[];", f"int {name}{SIGNATURE};", "#endif", ""]
    return "\n".join(lines)
