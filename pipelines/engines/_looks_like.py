"""What a file that is not the expected model looks like, for the message."""

from __future__ import annotations

_STARTS = (
    (b"", "an empty file"),
    (b"PK\x03\x04", "a ZIP archive (a .keras model, or a download still packed)"),
    (b"\x1f\x8b", "a gzip archive (a download still packed)"),
    (b"\x89HDF", "an HDF5 file (a Keras .h5 model)"),
    (b"\x80\x04", "a pickle (a scikit-learn or PyTorch model that is not converted yet)"),
    (b"\x80\x05", "a pickle (a scikit-learn or PyTorch model that is not converted yet)"),
    (b"version https://git-lfs", 'a Git LFS pointer (run "git lfs pull" where it came from)'),
    (b"<", "a web page or XML (a download that went wrong)"),
    (b"\x7fELF", "a compiled program or library"),
    (b"\x08", "an ONNX or TensorFlow protobuf"),
)


def looks_like(data: bytes) -> str:
    """In words, such as ``a ZIP archive``."""
    for start, what in _STARTS:
        if data.startswith(start) if start else not data:
            return what
    if data[4:8] == b"TFL3":
        return "a .tflite model"
    head = data[:512]
    if head.isascii() and b"\0" not in head:
        return "text"
    return f"something else (it starts with {head[:8].hex(' ')})"
