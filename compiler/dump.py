"""A graph to look at: as text, and as a drawing (SVG)."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from compiler.graph import Graph, Node

ROW, WIDTH, MARGIN = 46, 520, 20


def as_text(stages: Iterable[tuple[str, Graph]]) -> str:
    """The graph after every pass; of later ones only what has changed is told whole."""
    parts, before = [], ""
    for name, graph in stages:
        text = "\n".join(_lines(graph))
        parts.append(f"== {name}: {len(graph.nodes)} operators" + (" (unchanged)" if text == before else f"\n{text}"))
        before = text
    return "\n".join(parts) + "\n"


def _lines(graph: Graph) -> list[str]:
    lines = [f"input  {graph.tensors[index]}" for index in graph.inputs]
    for node in graph.nodes:
        lines.append(f"{node.index:>4}  {node.op} {_options(node)}".rstrip())
        for index in node.inputs:
            if index >= 0:
                held = " (constant)" if graph.tensors[index].data is not None else ""
                lines.append(f"        from {graph.tensors[index]}{held}")
        lines += [f"        to   {tensor}" for tensor in graph.tensors_of(node.outputs)]
    return lines + [f"output {graph.tensors[index]}" for index in graph.outputs]


def _options(node: Node) -> str:
    return " ".join(f"{key}={value}" for key, value in node.options.items() if value not in ("none", 0, False))


def as_svg(graph: Graph) -> str:
    """Boxes from top to bottom in the order in which they run; an arc to the right where one is passed over."""
    boxes = [("input", str(tensor)) for tensor in graph.tensors_of(graph.inputs)]
    maker = {index: place for place, index in enumerate(graph.inputs)}
    lines: list[tuple[int, int]] = []
    for node in graph.nodes:
        place = len(boxes)
        lines += [(maker[index], place) for index in node.inputs if index in maker]
        boxes.append((f"{node.index}  {node.op}", str(graph.tensors[node.outputs[0]])))
        maker |= dict.fromkeys(node.outputs, place)
    height = MARGIN * 2 + ROW * len(boxes)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH + 160}" height="{height}" '
             'font-family="sans-serif" font-size="12">', '<rect width="100%" height="100%" fill="white"/>']  # fmt: skip
    parts += [_arrow(a, b) for a, b in lines]
    parts += [_box(place, head, below) for place, (head, below) in enumerate(boxes)]
    return "\n".join([*parts, "</svg>", ""])


def _box(place: int, head: str, below: str) -> str:
    y = MARGIN + ROW * place
    below = below if len(below) <= 80 else below[:38] + " … " + below[-38:]
    return (
        f'<rect x="{MARGIN}" y="{y}" width="{WIDTH}" height="{ROW - 12}" rx="4" fill="#eef3fa" stroke="#46699a"/>'
        f'<text x="{MARGIN + 8}" y="{y + 14}" font-weight="bold">{escape(head)}</text>'
        f'<text x="{MARGIN + 8}" y="{y + 28}" fill="#444">{escape(below)}</text>'
    )


def _arrow(a: int, b: int) -> str:
    y0, y1 = MARGIN + ROW * a + ROW - 12, MARGIN + ROW * b
    if b == a + 1:
        x = MARGIN + WIDTH // 2
        return f'<path d="M{x} {y0} V{y1}" stroke="#46699a" fill="none"/>'
    x, bend = MARGIN + WIDTH, 30 + min(100, 12 * (b - a))
    return (f'<path d="M{x} {y0 - 17} C{x + bend} {y0 - 17} {x + bend} {y1 + 17} {x} {y1 + 17}" '
            'stroke="#b06a2c" fill="none"/>')  # fmt: skip
