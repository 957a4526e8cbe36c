"""Whether a JPEG is whole. OpenCV 4.6 fills what is missing of one with gray, and does not tell."""

from __future__ import annotations

START, SCAN, END = b"\xff\xd8", 0xDA, b"\xff\xd9"


def is_cut_short(data: bytes) -> bool:
    """True for a JPEG whose scan has no end. Its header is skipped: thumbnails in there have ends of their own."""
    at = len(START)
    while data.startswith(START) and data[at : at + 1] == b"\xff":
        marker = data[at + 1 : at + 2]
        if marker == bytes([SCAN]):
            return data.find(END, at) < 0
        if marker == b"\xff":  # a fill byte
            at += 1
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False  # no JPEG, or one that every decoder refuses
