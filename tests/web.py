"""A web server on loopback that serves bytes as a test wants them: with ranges, cut off, redirected, slow or wrong."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    """One address.

    Args:
        data: what stands there.
        ranges: answers Range with 206, as a file server does; False answers with the whole.
        cut: the connection breaks after so many bytes of a response.
        status: of the response, in place of 200 and 206.
        location: where it redirects to.
        length: Content-Length, where it is not that of the data; 0 sends none.
        content_range: in place of the right one.
        wait: after ``cut`` bytes, or none, it says nothing more until this is set; then the connection breaks.
    """

    data: bytes = b""
    ranges: bool = True
    cut: int | None = None
    status: int | None = None
    location: str | None = None
    length: int | None = None
    content_range: str | None = None
    wait: threading.Event | None = None
    asked: list[str | None] = field(default_factory=list)
    """The Range of every request, None where it had none."""


class _Handler(BaseHTTPRequestHandler):
    pages: dict[str, Page]

    def do_GET(self) -> None:
        page = self.pages.get(self.path, Page(status=404))
        page.asked.append(self.headers["Range"])
        start, body = 0, page.data
        if page.ranges and (told := re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")):
            start = int(told[1])
            body = page.data[start:]
        self.send_response(page.status or (416 if start and not body else 206 if start else 200))
        if page.location:
            self.send_header("Location", page.location)
        if start:
            right = f"bytes {start}-{len(page.data) - 1}/{len(page.data)}"
            self.send_header("Content-Range", page.content_range or right)
        if page.length != 0:
            self.send_header("Content-Length", str(page.length or len(body)))
        self.end_headers()
        if page.wait and page.cut is None:
            page.cut = 0
        self.wfile.write(body if page.cut is None else body[: page.cut])
        if page.wait:
            self.wfile.flush()
            page.wait.wait(20)

    def log_message(self, format: str, *args: object) -> None:
        """Not into the tests' output."""


@contextmanager
def serving(**pages: Page) -> Iterator[str]:
    """The address under which ``/name`` is each page, on HTTP/1.0: a response ends where its connection does."""
    handler = type("Handler", (_Handler,), {"pages": {f"/{name}": page for name, page in pages.items()}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
