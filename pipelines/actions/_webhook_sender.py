"""The thread that sends the action webhook's results."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http.client import HTTPException, responses
from urllib.parse import urljoin

from pipelines.actions._address import Address, address
from pipelines.actions._http_line import HttpLine
from pipelines.actions._line import advice, distrusted, words
from pipelines.actions._outbox import Message, Outbox, delays
from pipelines.errors import OutputError

PORTS = {"https": 443, "http": 80}
LATER = {408, 425, 429}
"""Answers below 500 that ask to come again."""
HOPS = 5
RETRY_AFTER_S = 3600.0
"""A server that asks for more patience than this gets this."""


class _Refused(Exception):
    """An answer that will not change."""


class _Later(Exception):
    """An answer that may change; ``after_s``: what the server asks for, ``counts``: whether it is one of the tries."""

    def __init__(self, words: str, after_s: float | None, *, counts: bool) -> None:
        self.after_s, self.counts = after_s, counts
        super().__init__(words)


class Sender:
    """The thread's work.

    Args:
        to: the server that ``line`` leads to.
        headers: of every request, one of them perhaps a secret.
        tries: how often a result is sent that is answered with 5xx.
    """

    def __init__(self, line: HttpLine, to: Address, headers: Mapping[str, str], tries: int, outbox: Outbox) -> None:
        self._line, self._to, self._headers, self._tries, self._outbox = line, to, headers, tries, outbox
        self._run = uuid.uuid4().hex
        self._number = 0

    def serve(self) -> None:
        """Until the outbox is stopped, or fails for good."""
        try:
            while not self._outbox.failed and (new := self._outbox.take(wait=True)):
                self._number += 1
                self._deliver(new, f"{self._run}-{self._number}")
        except Exception as error:  # noqa: BLE001 - raised again by the run's thread
            self._outbox.fail(error)
        finally:
            self._line.hang_up()

    def _deliver(self, new: Message, key: str) -> None:
        """One result, as often as it takes."""
        waits, tries = delays(), 0
        while not self._outbox.stopped.is_set():
            asked: float | None = None
            try:
                self._post(new.body, key)
            except _Refused as error:
                self._refuse(error)
                return
            except _Later as error:
                tries, asked = tries + error.counts, error.after_s
                if tries >= self._tries:
                    self._outbox.drop(f"{error}, {tries} times")
                    return
                self._outbox.away(f"the server {self._to} {error}")
            except (OSError, HTTPException) as error:
                self._line.hang_up()
                reason = f"the server {self._to}: {_words(error)}"
                if distrusted(error) and not self._outbox.arrived:
                    self._outbox.fail(OutputError(f"webhook: {reason}; {advice(error, 'webhook')}"))
                    return
                self._outbox.away(reason)
            else:
                self._outbox.delivered()
                self._outbox.back()
                return
            if asked is None:
                self._outbox.pause(next(waits))
            else:  # it asked for this much patience, also at the run's end
                self._outbox.stopped.wait(asked)

    def _refuse(self, error: _Refused) -> None:
        if self._outbox.arrived:
            self._outbox.drop(str(error))
            self._outbox.back()
            return
        self._outbox.fail(OutputError(f"webhook: the server {self._to} {error} to the first result; "
                                      "check its address, and what token_env holds"))  # fmt: skip

    def _post(self, body: bytes, key: str) -> None:
        """Raises _Refused, _Later, OSError or HTTPException."""
        path = self._to.path
        for _ in range(HOPS + 1):
            answer = self._line.post(path, body, {**self._headers, "Idempotency-Key": key})
            status = answer.status
            if status in (307, 308):
                path = self._hop(path, answer.headers.get("Location", ""))
                continue
            if 200 <= status < 300:
                return
            words = f"answers {status} {responses.get(status, '')}".strip()  # our words: its own may be anything
            if status >= 500 or status in LATER:
                raise _Later(words, _retry_after(answer.headers.get("Retry-After")), counts=status >= 500)
            raise _Refused(f"{words}, a redirect that would lose the result" if 300 <= status < 400 else words)
        raise _Refused(f"redirects more than {HOPS} times")

    def _hop(self, path: str, location: str) -> str:
        """Where a redirect leads on the same server."""
        base = f"{self._to.scheme}://{self._to}{path}"
        try:
            to = address(urljoin(base, location), PORTS)
        except ValueError:
            raise _Refused("redirects to what is no address") from None
        if not location or to.origin != self._to.origin:
            raise _Refused(f"redirects to another server ({to.scheme}://{to}), which is not followed")
        return to.path


def _retry_after(said: str | None) -> float | None:
    """RFC 9110, 10.2.3: seconds or a date; None where neither is told."""
    if said is None:
        return None
    if re.fullmatch(r"\d{1,9}", said.strip()):
        return min(float(said), RETRY_AFTER_S)
    try:
        wait_s = parsedate_to_datetime(said).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait_s, 0.0), RETRY_AFTER_S)


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, HTTPException) and not isinstance(error, OSError):  # its text may be the server's
        return f"it answers what is no HTTP ({type(error).__name__})"
    return words(error)
