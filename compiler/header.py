"""The flatbuffer itself as a C header, for an interpreter on the board."""

from __future__ import annotations

import hashlib


def as_header(name: str, data: bytes, source: str) -> str:
    """``const unsigned char NAME[]`` and ``NAME_len``, aligned as tflite-micro wants it."""
    lines = "\n".join("    " + ",".join(f"0x{byte:02x}" for byte in data[i : i + 16]) + ","
                      for i in range(0, len(data), 16))  # fmt: skip
    guard = f"{name.upper()}_H"
    return (
        f"/* {source}, {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()} */\n"
        f"#ifndef {guard}\n#define {guard}\n"
        f"static const unsigned char {name}[] __attribute__((aligned(16))) = {{\n{lines}\n}};\n"
        f"static const unsigned int {name}_len = {len(data)};\n#endif\n"
    )
