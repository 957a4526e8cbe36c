from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.cli.lines import WIDTH, wrapped

words = st.lists(st.text("abc;:-,()'", min_size=1, max_size=30), min_size=1, max_size=40)


@given(words, st.integers(0, 6), st.integers(0, 30))
def test_every_word_is_there_in_order_and_no_line_is_too_long(found: list[str], indent: int, hang: int) -> None:
    line = " " * indent + " ".join(found)
    parts = wrapped(line, hang)
    assert [word for part in parts for word in part.split(" ") if word] == found
    assert all(len(part) <= WIDTH for part in parts)
    assert parts[0].startswith(" " * indent)
    assert all(part.startswith(" " * hang + part.lstrip(" ")[:1]) for part in parts[1:])


def test_a_line_that_fits_is_left_alone() -> None:
    table = "stage     frames       p50" + " " * 80 + "x" * 14
    assert (len(table), wrapped(table)) == (WIDTH, [table])
    assert wrapped("") == [""]


def test_a_long_path_stays_whole() -> None:
    assert wrapped(f"see {'x' * 200} there", 2) == ["see", f"  {'x' * 200}", "  there"]


def test_a_command_to_copy_stays_whole() -> None:
    line = (
        "  BAD  detect.yaml  "
        + "it is not on this machine; " * 3
        + "fetch it: eiq-demo models fetch a_large_one, or not"
    )
    assert wrapped(line, 8) == [
        "  BAD  detect.yaml  " + "it is not on this machine; " * 3 + "fetch it:",
        "        eiq-demo models fetch a_large_one, or not",
    ]
