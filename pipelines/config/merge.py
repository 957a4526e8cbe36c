"""Overrides over a tree: ``targets:`` and ``--set``. Every value keeps the place where it was written."""

from __future__ import annotations

from pathlib import Path

from pipelines.config.yaml12 import MAX_DEPTH, Entry, Mark, Node, parse
from pipelines.errors import Problem


def merge(base: Node, over: Node) -> Node:
    """``over`` laid over ``base``: mappings key by key, anything else replaced."""
    if base.entries is None or over.entries is None:
        return over
    merged = dict(base.entries)
    for key, entry in over.entries.items():
        if key in merged:
            entry = Entry(entry.mark, merge(merged[key].node, entry.node))
        merged[key] = entry
    return Node(merged, base.mark)


def assign(root: Node, option: str, problems: list[Problem], asked: str = "--set ") -> Node:
    """One ``--set``: ``key.of[0].tree=value`` (list items also as ``key.of.0.tree``), the value in YAML.

    Relative paths in it are relative to the working directory, as on any command line. ``asked`` stands before it in
    problems.
    """
    name = f"{asked}{option}"
    key, equals, text = option.partition("=")
    mark = Mark(name, 1, 1, Path.cwd())
    if not equals or not key.strip():
        problems.append(mark.problem("", "expected key=value, such as engine.threads=2"))
        return root
    value = parse(text, name, Path.cwd(), problems)
    if value is None:
        value = Node(None, mark)
    keys = key.strip().replace("[", ".").replace("]", "").split(".")
    if len(keys) > MAX_DEPTH:
        problems.append(mark.problem("", f"{len(keys)} levels deep, expected at most {MAX_DEPTH}"))
        return root
    return _replace(root, keys, value, mark, "", problems)


def mapping(keys: list[str], value: Node) -> Node:
    """``value`` under nested keys, all standing where it stands."""
    for key in reversed(keys):
        value = Node({key: Entry(value.mark, value)}, value.mark)
    return value


def _replace(node: Node, keys: list[str], value: Node, mark: Mark, path: str, problems: list[Problem]) -> Node:
    if not keys:
        return value
    key, rest = keys[0], keys[1:]
    if node.items is not None:
        if not key.isdecimal() or int(key) >= len(node.items):
            problems.append(mark.problem(path, f"is a list of {len(node.items)}; expected an index, got {key!r}"))
            return node
        items = list(node.items)
        items[int(key)] = _replace(items[int(key)], rest, value, mark, f"{path}[{key}]", problems)
        return Node(tuple(items), node.mark)
    entries = dict(node.entries or {})
    old = entries.get(key)
    here = f"{path}.{key}" if path else key
    below = _replace(old.node, rest, value, mark, here, problems) if old else mapping(rest, value)
    entries[key] = Entry(old.mark if old else mark, below)
    return Node(entries, node.mark)
