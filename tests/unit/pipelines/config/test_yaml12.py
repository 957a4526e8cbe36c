from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.config.yaml12 import MAX_DEPTH, Node, parse, read, scalar
from pipelines.errors import ConfigError, Problem


def tree(text: str) -> tuple[Node | None, list[Problem]]:
    problems: list[Problem] = []
    return parse(text, "f.yaml", Path("/x"), problems), problems


def plain(text: str) -> object:
    node, problems = tree(text)
    assert not problems, problems
    assert node is not None
    return node.plain()


def refusal(text: str) -> str:
    node, problems = tree(text)
    assert node is None
    (problem,) = problems
    return str(problem)


def test_label_words_stay_words() -> None:
    assert plain("[no, off, on, yes, y, N, 1:30, 0123, 1_000]") == [
        "no", "off", "on", "yes", "y", "N", "1:30", 123, "1_000",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"),
    [("", None), ("~", None), ("null", None), ("true", True), ("False", False), ("12", 12), ("-3", -3), ("0x1F", 31),
     ("0o17", 15), ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("-.inf", float("-inf")), ("1e", "1e"), (".", "."),
     ("2026-11-22", "2026-11-22"), ("<<", "<<"), ("=", "=")],
)  # fmt: skip
def test_core_schema(text: str, value: object) -> None:
    result = scalar(text)
    assert result == value
    assert type(result) is type(value)


def test_quoted_is_text() -> None:
    assert plain("['1', \"true\", !!str 5]") == ["1", "true", "5"]


def test_marks_are_where_things_stand() -> None:
    node, _ = tree("a:\n  - b: {c: 1}\n")
    assert node is not None
    inner = node.entries["a"].node.items[0].entries["b"]
    assert (inner.mark.line, inner.mark.column) == (2, 5)
    c = inner.node.entries["c"]
    assert (c.mark.line, c.mark.column, c.node.mark.column) == (2, 9, 12)


def test_duplicate_keys_are_problems_with_both_places() -> None:
    node, problems = tree("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n")
    assert node is not None
    assert [str(p) for p in problems] == [
        "f.yaml:4:3: b.c: duplicate key; it stands on line 3 already",
        "f.yaml:5:1: a: duplicate key; it stands on line 1 already",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a:\n\t- b\n", "f.yaml:2:1: "),
        ("a: !!python/object:os.system x", "f.yaml:1:4: the tag !!python/object:os.system is not allowed"),
        ("a: !!binary aGk=", "!!binary is not allowed"),
        ("a: [1, 2", "f.yaml:1:9: "),
        ("a: *b", "the alias *b has no finished anchor"),
        ("a: &x [*x]", "the alias *x has no finished anchor"),
        ("a: 1\n---\nb: 2\n", "a second document"),
        ("? [a]\n: 1\n", "a list or mapping as a key"),
        ("[" * (MAX_DEPTH + 5), "levels deep"),
        ("a: \x00", "not YAML text"),
        ("%YAML 3.0\n---\na: 1", "f.yaml:1:1: "),
    ],
)
def test_refusals_have_a_place_and_a_reason(text: str, says: str) -> None:
    assert says in refusal(text)


def test_tab_is_named() -> None:
    assert "a tab; YAML indents with spaces only" in refusal("a:\n\tb: 1\n")


def test_exploding_aliases_are_refused_quickly() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert "stands for more than 10,000 values" in refusal("\n".join(lines))


def test_modest_aliases_work() -> None:
    assert plain("a: &x {k: 1}\nb: *x\n") == {"a": {"k": 1}, "b": {"k": 1}}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: p.mkdir(), "is a folder"),
        (lambda p: p.write_bytes(b"\x7fELF\xff\xfe"), "is not UTF-8 text (byte 4)"),
        (lambda p: p.write_bytes(b"a" * 1_000_001), "is larger than 1,000,000 bytes"),
        (lambda p: None, "cannot be read (No such file or directory)"),
    ],
)
def test_unreadable_files(tmp_path: Path, make: object, says: str) -> None:
    path = tmp_path / "demo.yaml"
    make(path)
    with pytest.raises(ConfigError) as error:
        read(path, "demo.yaml", [])
    assert says in str(error.value)


def test_byte_order_mark_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "demo.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    node = read(path, "demo.yaml", [])
    assert node is not None
    assert node.plain() == {"a": 1}


@given(st.text(max_size=200) | st.text("ab1 \n:-,[]{}#&*!|>'\"%.\\\t", max_size=40))
def test_any_text_gives_a_tree_or_problems(text: str) -> None:
    node, problems = tree(text)
    if not problems:  # then there is a tree just where PyYAML sees a node
        assert (node is not None) == any(isinstance(event, yaml.NodeEvent) for event in yaml.parse(text))


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8),
                    lambda c: st.lists(c, max_size=4) | st.dictionaries(st.text(max_size=6), c, max_size=4),
                    max_leaves=12))  # fmt: skip
def test_json_is_yaml(value: object) -> None:
    import json

    node, problems = tree(json.dumps(value))
    if any("�" in str(p) or "not YAML text" in str(p) for p in problems):
        return
    assert node is not None, problems
    assert node.plain() == value
