"""Model files from where their manifests say onto this machine: whole and the right ones, or not at all.

A download grows in ``FILE.part`` beside its place, is compared with the manifest's size and sha256, and only then takes
its name. What is cut off goes on where it stopped, from any of the addresses: the sha256 says whether the pieces fit.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException, HTTPMessage, HTTPResponse, responses
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from pipelines.errors import FetchError, ModelError, OutputError
from pipelines.models import Manifest, ModelFile, check_hashed, find_file, secure, sha256, verify
from pipelines.resources import model_store

CHUNK = 64 * 1024
TIMEOUT_S = 30.0
"""A server that says nothing for so long is given up."""
Report = Callable[[int], None]
"""Told how many bytes of a file are here."""


@dataclass(frozen=True, slots=True)
class Order:
    """A file to bring, with the manifest that wants it.

    Raises when built:
        ModelError: the manifest only quotes the file.
    """

    manifest: Manifest
    file: ModelFile

    def __post_init__(self) -> None:
        check_hashed(self.manifest, self.file)

    @property
    def size(self) -> int:
        """In bytes."""
        return self.file.bytes or 0

    @property
    def target(self) -> Path:
        """Where it will lie."""
        return model_store() / self.manifest.name / self.file.name

    @property
    def here(self) -> Path | None:
        """Where the right file lies already; None where there is none, or a wrong one."""
        try:
            path = find_file(self.manifest, self.file)
            verify(path, self.file)
        except ModelError:
            return None
        return path


def download(order: Order, report: Report = lambda size: None, timeout_s: float = TIMEOUT_S) -> Path:
    """Bring a file from its manifest's address, or else from its mirrors, in turn.

    A part that an earlier call left is gone on with. ``http_proxy``, ``https_proxy`` and ``no_proxy`` count.

    Returns:
        Where it lies now.

    Raises:
        ModelError: the manifest names no address.
        FetchError: no address has it; says what each answered, and how to bring the file without network.
        OutputError: no room, no permission, or another fetch of the same file is at work. What has arrived is kept.
        KeyboardInterrupt: likewise.
    """
    if not order.file.urls:
        raise ModelError(
            f"the manifest of model {order.manifest.name} names no address of {order.file.name}; "
            "bring it from a folder with --from DIR"
        )
    with _part_of(order) as part:
        _check_room(order, part.size)
        failures = []
        for url in order.file.urls:
            try:
                return part.finish(partial(_pull, url, part, report, timeout_s))
            except (OSError, HTTPException, ValueError, _NotIt) as error:  # ValueError: it redirects to no address
                failures.append(f"{urlsplit(url).hostname}: {_reason(error)}")
        raise FetchError(_without_network(order, failures, part.size))


def copy(order: Order, folder: Path) -> Path:
    """Bring a file out of a folder, however deep it lies and whatever its name there; no network.

    Returns:
        Where it lies now.

    Raises:
        FetchError: no file in the folder has the manifest's size and sha256.
        OutputError: as in ``download``.
    """
    found = _same_file(order, folder)
    with _part_of(order) as part:
        part.restart()
        _check_room(order, 0)

        def fill() -> None:
            with found.open("rb") as file:
                part.take(iter(lambda: file.read(CHUNK), b""), lambda size: None)

        try:
            return part.finish(fill)
        except (OSError, _NotIt) as error:  # the stick was pulled out
            raise FetchError(f"{found} cannot be copied ({_reason(error)}); try again") from error


def _same_file(order: Order, folder: Path) -> Path:
    wrong: list[Path] = []
    closed: list[OSError] = []
    for place, _, names in os.walk(folder, onerror=closed.append):
        for path in (Path(place, name) for name in sorted(names)):
            try:
                if path.is_file() and path.stat().st_size == order.size and sha256(path) == order.file.sha256:
                    return path
            except OSError as error:
                closed.append(error)
            if path.name == order.file.name:
                wrong.append(path)
    got = f"{wrong[0]} is damaged or another file" if wrong else f"no file in {folder} is it"
    unread = f" ({len(closed)} folders or files there cannot be read)" if closed else ""
    raise FetchError(
        f"model {order.manifest.name}: {got}{unread}; expected {order.file.name} with {order.size:,} bytes and sha256 "
        f"{order.file.sha256}" + (f", as it is at {order.file.url}" if order.file.url else "")
    )


# ---- the part ----------------------------------------------------------------------------------------------------


class _NotIt(Exception):
    """What arrived is not the manifest's file, or not all of it; its text says so."""


class _WrongHash(_NotIt):
    pass


class _Part:
    """The file that grows; it is ours alone while it is open."""

    def __init__(self, order: Order, path: Path, file: int) -> None:
        self.order, self.path, self._file = order, path, file
        self.size = os.fstat(file).st_size

    def restart(self) -> None:
        os.ftruncate(self._file, 0)
        self.size = 0

    def take(self, chunks: Iterator[bytes], report: Report) -> None:
        """Add what comes to what is there; never more than the manifest's size."""
        os.lseek(self._file, self.size, os.SEEK_SET)
        for chunk in chunks:
            if self.size + len(chunk) > self.order.size:
                raise _NotIt(f"it sends more than the {self.order.size:,} bytes of the manifest")
            self._write(chunk)
            report(self.size)

    def finish(self, fill: Callable[[], None]) -> Path:
        """Fill it, check it, and give it its name. A wrong file is thrown away, and tried once more where it was begun
        earlier: that may have been from another file."""
        if self.size > self.order.size:
            self.restart()
        resumed = self.size > 0
        try:
            self._fill(fill)
        except _WrongHash:
            if not resumed:
                raise
            self._fill(fill)
        try:
            os.fsync(self._file)
            self.path.replace(self.order.target)
        except OSError as error:
            raise _cannot_write(self.path, error) from error
        return self.order.target

    def _fill(self, fill: Callable[[], None]) -> None:
        if self.size < self.order.size:
            fill()
        if self.size < self.order.size:
            raise _NotIt(f"it was cut off after {self.size:,} of {self.order.size:,} bytes")
        got = sha256(self.path)
        if got != self.order.file.sha256:
            self.restart()
            raise _WrongHash(f"it sent another file: sha256 {got}, expected {self.order.file.sha256}")

    def _write(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:
            try:
                written = os.write(self._file, rest)
            except OSError as error:
                raise _cannot_write(self.path, error) from error
            self.size += written
            rest = rest[written:]


@contextmanager
def _part_of(order: Order) -> Iterator[_Part]:
    """The open, locked part of a file; empty ones are not left behind."""
    target = order.target
    path = target.with_name(f"{target.name}.part")
    if not target.is_absolute():
        raise OutputError("there is no home folder for fetched models; name a folder with EIQ_MODELS or XDG_CACHE_HOME")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        file = _open_locked(path)
    except BlockingIOError as error:
        raise OutputError(f"another eiq-demo models fetch is writing {path}; wait for it, or stop it") from error
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        part = _Part(order, path, file)
        yield part
    finally:
        with suppress(FileNotFoundError):  # it has its name by now
            if os.fstat(file).st_size == 0 and os.path.samestat(os.fstat(file), path.stat()):
                path.unlink()
        os.close(file)


def _open_locked(path: Path) -> int:
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(file), path.stat()):
                return file
        except FileNotFoundError:
            pass  # another fetch has finished between the open and the lock: this is its file now
        except OSError:
            os.close(file)
            raise
        os.close(file)


def _check_room(order: Order, there: int) -> None:
    folder = order.target.parent
    free, wanted = shutil.disk_usage(folder).free, order.size - there
    if free < wanted:
        raise OutputError(
            f"{folder} has room for {free:,} bytes, expected {wanted:,} more for {order.file.name}; make room there, "
            "or name another folder with EIQ_MODELS"
        )


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"cannot write {path} ({error.strerror}); make room or give permission there, or name another folder with "
        "EIQ_MODELS, and run the same command again: it goes on where it stopped"
    )


# ---- http --------------------------------------------------------------------------------------------------------


class _Redirects(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if not secure(newurl):
            raise URLError(f"it redirects to {newurl}, expected https://")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _pull(url: str, part: _Part, report: Report, timeout_s: float) -> None:
    """From one address into the part, on from where it is if the server can."""
    if not (part.size and _pull_from(part.size, url, part, report, timeout_s)):
        _pull_from(0, url, part, report, timeout_s)


def _pull_from(start: int, url: str, part: _Part, report: Report, timeout_s: float) -> bool:
    """False where the server cannot go on at ``start``."""
    request = Request(url, headers={"User-Agent": "eiq-demo", "Accept-Encoding": "identity"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        response: HTTPResponse = build_opener(_Redirects).open(request, timeout=timeout_s)
    except HTTPError as error:
        error.close()
        if start and error.code == 416:  # range not satisfiable: it has a smaller file
            return False
        raise
    with response:
        going_on = start > 0 and response.status == 206
        first, total = _content_range(response) if going_on else (0, response.length)
        if total not in (None, part.order.size):
            raise _NotIt(f"it has {total:,} bytes, expected {part.order.size:,}")
        if going_on and first != start:
            return False
        if not going_on:  # it sends the whole file
            part.restart()
        report(part.size)
        part.take(iter(lambda: response.read(CHUNK), b""), report)
    return True


def _content_range(response: HTTPResponse) -> tuple[int | None, int | None]:
    """First byte and size of the whole, of RFC 9110's ``bytes 5-9/10``; None where they are not told."""
    told = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if not told:
        return None, None
    return int(told[1]), None if told[2] == "*" else int(told[2])


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"it answers {error.code} {responses.get(error.code, '')}".strip()  # our words: its own may be anything
    said = error.reason if isinstance(error, URLError) else error
    text = said.strerror if isinstance(said, OSError) and said.strerror else str(said) or type(said).__name__
    return text if text.isprintable() else repr(text)


def _without_network(order: Order, failures: list[str], there: int) -> str:
    name, file = order.manifest.name, order.file
    kept = f"\n{there:,} of {order.size:,} bytes are here: the same command goes on from there" if there else ""
    return (
        f"model {name} was not fetched: {'; '.join(failures)}{kept}\n"
        f"without network: on another machine get {file.url} ({order.size:,} bytes, sha256 {file.sha256}), bring it "
        f"in a folder, and run eiq-demo models fetch {name} --from FOLDER"
    )
