"""Speech Commands' own layouts: the whole set with its lists, and the prepared test set of twelve classes.

Source: P. Warden, *Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition*, 2018, arXiv:1804.03209.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from apps.evaluate.datasets.items import DataSet, Item, Request, files, folders, some_of
from hal.recordings.files import existing_file
from hal.recordings.wav import EXPECTED as EXPECTED_SOUND
from hal.recordings.wav import INSTALL
from pipelines.errors import DataError
from pipelines.optional import require

T = TypeVar("T")

NOISE = "_background_noise_"
LISTS = {"test": "testing_list.txt", "validation": "validation_list.txt"}
CLIP_S = 1.0
SHARE = 0.1
"""Silence and unknown words: as many clips each as a tenth of the known words' clips, rounded up."""
SEED = 59185
"""The number that the set's own training script draws with."""
EXPECTED = "a folder for each word, with its clips in it"


def is_one(where: Path) -> bool:
    """By what no other data set has."""
    return any((where / name).exists() for name in (NOISE, "_silence_", "_unknown_", *LISTS.values()))


def read(request: Request) -> DataSet:
    """One item a clip of one second; a shorter one is filled up with silence, as the set's own scripts do.

    The prepared set is taken whole: ``_silence_`` and ``_unknown_`` are the model's silence and unknown. Of the whole
    set come the clips of a split (test where none is named) for each word that is one of the model's labels; where the
    model has them, a drawn tenth as many of the other words' as unknown, and of one-second pieces of the background
    noise as silence. The rule is that of the set's own scripts, the draw is ours: another sample of the same clips.

    Raises:
        DataError: a list is missing, there is no such split, or there are no clips.
    """
    if (request.where / NOISE).exists() or any((request.where / name).exists() for name in LISTS.values()):
        split = request.split or "test"
        items = list(_whole(replace(request, split=split)))
        return some_of(replace(request, split=split), items, "Speech Commands", EXPECTED)
    if request.split not in (None, "test"):
        raise DataError(f"{request.where} is the prepared test set, got --split {request.split}; leave it out")
    items = [
        _clip(request, path, _own(request, folder.name))
        for folder in folders(request.where)
        for path in files(folder, request.sensor)
    ]
    return some_of(replace(request, split="test"), items, "Speech Commands, prepared test set", EXPECTED)


def _whole(request: Request) -> Iterator[Item]:
    listed = _Lists(request)
    clips = {
        folder.name: [path for path in files(folder, request.sensor) if listed.has(path)]
        for folder in folders(request.where)
        if folder.name != NOISE
    }
    known = [_clip(request, path, word) for word in request.labels for path in clips.get(word, ())]
    yield from known
    count = math.ceil(SHARE * len(known))
    if label := _label(request, "unknown"):
        others = [path for word, paths in clips.items() if word not in request.labels for path in paths]
        yield from (_clip(request, path, label) for path in _drawn(others, count))
    if label := _label(request, "silence"):
        pieces = [(path, start) for path in files(request.where / NOISE, request.sensor) for start in _starts(path)]
        for path, start in _drawn(pieces, count):
            yield replace(_clip(request, path, label), name=f"{NOISE}/{path.name} at {start} s", start_s=float(start))


class _Lists:
    """Which clips a split has: those of its list; of training, those of no list."""

    def __init__(self, request: Request) -> None:
        self._where, self._split = request.where, request.split
        self._names = {split: _lines(request.where / name) for split, name in LISTS.items()}

    def has(self, path: Path) -> bool:
        name = path.relative_to(self._where).as_posix()
        if self._split in self._names:
            return name in self._names[self._split]
        return not any(name in names for names in self._names.values())


def _lines(path: Path) -> frozenset[str]:
    text = existing_file(path, "Speech Commands' list of a split's clips").read_text(encoding="utf-8", errors="replace")
    return frozenset(line.strip() for line in text.splitlines())


def _clip(request: Request, path: Path, label: str) -> Item:
    return Item(path.relative_to(request.where).as_posix(), label, path, length_s=CLIP_S)


def _label(request: Request, name: str) -> str | None:
    """The model's own word for silence or unknown, if it has one."""
    return next((label for label in request.labels if label.strip("_") == name), None)


def _own(request: Request, folder: str) -> str:
    bare = folder.strip("_")
    return (_label(request, bare) or bare) if folder != bare else folder


def _drawn(found: Sequence[T], count: int) -> list[T]:
    order = np.random.default_rng(SEED).permutation(len(found))[:count]
    return [found[index] for index in sorted(order)]


def _starts(path: Path) -> range:
    """Where the one-second pieces of a noise begin, in s. Raises DataError."""
    soundfile = require("soundfile", purpose="a sound recording", install=INSTALL)
    try:
        return range(int(soundfile.info(str(path)).duration))
    except soundfile.LibsndfileError as error:
        raise DataError(f"{path} is not {EXPECTED_SOUND}; download the set again") from error
