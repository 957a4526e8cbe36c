from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.actions._address import Address, address

PORTS = {"https": 443, "http": 80}


@pytest.mark.parametrize(("url", "found", "shown"), [
    ("https://h", Address("https", "h", 443, "/"), "h:443"),
    ("http://H.example:81/a?b=c#d", Address("http", "h.example", 81, "/a?b=c"), "h.example:81"),
    ("http://[::1]:8080/", Address("http", "::1", 8080, "/"), "[::1]:8080"),
])  # fmt: skip
def test_it_is_read(url: str, found: Address, shown: str) -> None:
    assert address(url, PORTS) == found
    assert str(found) == shown


@pytest.mark.parametrize(("host", "here"), [
    ("localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("10.0.0.1", False),
    ("localhost.example.org", False), ("127.0.0.1.example.org", False),
])  # fmt: skip
def test_loopback(host: str, here: bool) -> None:
    assert Address("http", host, 80, "/").loopback is here


@given(st.one_of(st.text(), st.text().map("http://{}".format), st.text().map("https://me:secret@{}".format)))
def test_every_text_is_an_address_or_one_sentence_that_does_not_show_it(url: str) -> None:
    found, said = tried(url)
    assert "secret" not in said
    assert said.isprintable()
    if found:
        assert found.host
        assert "@" not in found.host
        assert 0 < found.port < 65536
        assert found.path.startswith("/")
        assert found.path.isascii()
        assert found.path.isprintable()
        assert " " not in found.path


def tried(url: str) -> tuple[Address | None, str]:
    try:
        return address(url, PORTS), ""
    except ValueError as error:
        return None, str(error)
