"""Safe YAML with YAML 1.2's scalars, as a tree in which everything knows its place.

PyYAML scans and parses; its own constructors and resolvers are not used, so no tag can build an object, the labels
``no``, ``off``, ``on``, ``yes`` stay words, ``1:30`` stays text, and a duplicate key is a problem instead of a loss.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from pipelines.errors import ConfigError, Problem

MAX_BYTES = 1_000_000
MAX_NODES = 10_000
MAX_DEPTH = 40

Scalar = None | bool | int | float | str


@dataclass(frozen=True, slots=True)
class Mark:
    """Where something stands: the file as the user wrote it, 1-based line and column, folder for relative paths."""

    file: str
    line: int
    column: int
    folder: Path

    def problem(self, path: str, message: str) -> Problem:
        """A Problem at this place."""
        return Problem(self.file, self.line, self.column, path, message)


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its place. value: a scalar, a tuple of nodes, or a dict of entries by key."""

    value: Scalar | tuple[Node, ...] | dict[str, Entry]
    mark: Mark
    size: int = 1
    """How many nodes it stands for once aliases are written out."""
    depth: int = 1
    """How many levels it has, likewise."""

    @property
    def entries(self) -> dict[str, Entry] | None:
        """The entries of a mapping; None for anything else."""
        return self.value if isinstance(self.value, dict) else None

    @property
    def items(self) -> tuple[Node, ...] | None:
        """The items of a sequence; None for anything else."""
        return self.value if isinstance(self.value, tuple) else None

    def plain(self) -> Any:
        """The same as Python lists, dicts and scalars."""
        if isinstance(self.value, dict):
            return {key: entry.node.plain() for key, entry in self.value.items()}
        return [item.plain() for item in self.value] if isinstance(self.value, tuple) else self.value


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping, with the key's own place, and its value."""

    mark: Mark
    node: Node


def read(path: Path, name: str, problems: list[Problem]) -> Node | None:
    """Read a file into a tree.

    Args:
        path: the file.
        name: what to call it in problems.
        problems: gets every problem found; duplicates and odd keys do not stop the reading.

    Returns:
        The tree, or None where there is none to go on with.
    """
    return parse(_text(path, name), name, path.parent, problems)


def parse(text: str, name: str, folder: Path, problems: list[Problem]) -> Node | None:
    """Parse one YAML document; as ``read``."""
    composer = _Composer(name, folder, problems)
    try:
        return composer.document(_events(text))
    except yaml.MarkedYAMLError as error:
        problems.append(_syntax_problem(error, name, folder))
    except yaml.reader.ReaderError as error:
        problems.append(Problem(name, 0, 0, "", f"not YAML text (character {error.character!r}); expected a text file"))
    except _StopComposing as stop:
        problems.append(stop.problem)
    return None


def _events(text: str) -> Iterator[Any]:
    loader = yaml.SafeLoader(text)
    try:
        while loader.check_event():
            yield loader.get_event()  # type: ignore[no-untyped-call]
    except (ValueError, OverflowError) as error:  # PyYAML calls chr() with whatever "\\UFFFFFFFF" says
        raise yaml.MarkedYAMLError(None, None, "an escape that is no character", loader.get_mark()) from error


def _text(path: Path, name: str) -> str:
    def refuse(message: str) -> ConfigError:
        return ConfigError([Problem(name, 0, 0, "", message)])

    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        raise refuse("is a folder; expected a YAML file") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte in it
        raise refuse(f"cannot be read ({getattr(error, 'strerror', None) or error}); expected a YAML file") from error
    if len(data) > MAX_BYTES:
        raise refuse(f"is larger than {MAX_BYTES:,} bytes; expected a demo's YAML file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(f"is not UTF-8 text (byte {error.start}); expected a YAML file") from error


_SAID = {  # PyYAML's words, and ours where its own do not say what to do
    "'\\t'": "a tab; YAML indents with spaces only",
    "mapping values are not allowed": "a second key on one line; quote text that holds ': ', or mend the indentation",
    "could not find expected ':'": "expected key: value; mend the line before this one",
    "while scanning an alias": "a * that begins no alias; quote the text, such as '*.png'",
    "that cannot start any token": "a character that plain text cannot begin with; quote the text",
    "expected <block end>": "does not line up with what stands before; mend the indentation",
}


def _syntax_problem(error: yaml.MarkedYAMLError, name: str, folder: Path) -> Problem:
    mark = error.problem_mark or error.context_mark
    text = " ".join(part for part in (error.context, error.problem) if part)
    text = next((ours for theirs, ours in _SAID.items() if theirs in text), text)
    if mark is None:
        return Problem(name, 0, 0, "", text)
    return Mark(name, mark.line + 1, mark.column + 1, folder).problem("", text)


class _StopComposing(Exception):
    def __init__(self, problem: Problem) -> None:
        self.problem = problem


class _Composer:
    """Builds the tree from PyYAML's events."""

    def __init__(self, name: str, folder: Path, problems: list[Problem]) -> None:
        self.name, self.folder, self.problems = name, folder, problems
        self.anchors: dict[str, Node] = {}
        self.depth = self.nodes = 0

    def document(self, events: Iterator[Any]) -> Node | None:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self._stop(event, "a second document; expected one per file")
                root = self.node(next(events), events, "")
        return root

    def node(self, event: Any, events: Iterator[Any], path: str) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._anchored(event)
        self._check_tag(event)
        self.depth += 1
        self.nodes += 1
        if self.depth > MAX_DEPTH:
            self._stop(event, f"nested more than {MAX_DEPTH} levels deep")
        node = self._build(event, events, path)
        self.depth -= 1
        if max(self.nodes, node.size) > MAX_NODES:
            self._stop(event, f"stands for more than {MAX_NODES:,} values (aliases written out); expected a demo")
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _anchored(self, event: Any) -> Node:
        anchored = self.anchors.get(str(event.anchor))
        if anchored is None:
            self._stop(event, f"the alias *{event.anchor} has no finished anchor before it")
        if self.depth + anchored.depth > MAX_DEPTH:
            self._stop(event, f"nested more than {MAX_DEPTH} levels deep (aliases written out)")
        return anchored

    def _build(self, event: Any, events: Iterator[Any], path: str) -> Node:
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event, events, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, events, path)
        quoted = event.style is not None or event.tag == "tag:yaml.org,2002:str"
        text = _joined(event.value)
        return Node(text if quoted else scalar(text), self._mark(event))

    def _sequence(self, event: Any, events: Iterator[Any], path: str) -> Node:
        items: list[Node] = []
        while not isinstance(following := next(events), yaml.SequenceEndEvent):
            items.append(self.node(following, events, f"{path}[{len(items)}]"))
        return self._node(event, tuple(items), items)

    def _mapping(self, event: Any, events: Iterator[Any], path: str) -> Node:
        entries: dict[str, Entry] = {}
        while not isinstance(following := next(events), yaml.MappingEndEvent):
            mark = self._mark(following)
            if not isinstance(following, yaml.ScalarEvent):
                self._stop(following, "a list or mapping as a key; expected a word")
            key = _joined(following.value)
            here = f"{path}.{key}" if path else key
            node = self.node(next(events), events, here)
            if key in entries:
                self.problems.append(
                    mark.problem(here, f"duplicate key; it stands on line {entries[key].mark.line} already")
                )
                continue
            entries[key] = Entry(mark, node)
        return self._node(event, entries, [entry.node for entry in entries.values()])

    def _node(self, event: Any, value: tuple[Node, ...] | dict[str, Entry], inner: list[Node]) -> Node:
        size = 1 + sum(node.size for node in inner)
        return Node(value, self._mark(event), size, 1 + max((node.depth for node in inner), default=0))

    def _check_tag(self, event: Any) -> None:
        tag = event.tag
        if tag not in (None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"):
            short = tag.replace("tag:yaml.org,2002:", "!!")
            self._stop(event, f"the tag {short} is not allowed; a demo holds plain values only")

    def _mark(self, event: Any) -> Mark:
        return Mark(self.name, event.start_mark.line + 1, event.start_mark.column + 1, self.folder)

    def _stop(self, event: Any, message: str) -> NoReturn:
        raise _StopComposing(self._mark(event).problem("", message))


def _joined(text: str) -> str:
    """JSON writes a rare character as two escapes (surrogates), which PyYAML leaves apart; alone, one is no text."""
    if text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


_INT = re.compile(r"[-+]?[0-9]+")
_OCT = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


def scalar(text: str) -> Scalar:
    """A plain scalar by YAML 1.2's core schema (section 10.3.2 of the specification)."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > 100:  # no number is that long; int() of thousands of digits is slow and refused by Python
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _OCT.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    return float(text) if _FLOAT.fullmatch(text) else text
