"""An external delegate of TensorFlow Lite: a shared library that runs a part of a model elsewhere (NPU, GPU, Arm NN).

Its two functions are those of tensorflow/lite/delegates/external/external_delegate_interface.h.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.engines._stderr import hand_on, turned_away
from pipelines.errors import MissingDependency, ModelError

LIBRARIES = {
    "vx": "libvx_delegate.so",
    "ethosu": "libethosu_delegate.so",
    "neutron": "libneutron_delegate.so",
    "armnn": "libarmnnDelegate.so",
}
"""The delegates of NXP's BSPs, found where the system's loader looks."""
_CREATE, _DESTROY = "tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate"
_MACHINES = {3: "x86", 40: "32-bit Arm", 62: "x86-64", 183: "AArch64", 243: "RISC-V"}  # e_machine of ELF
_REPORT = ctypes.CFUNCTYPE(None, ctypes.c_char_p)


class Delegate:
    """A delegate that is ready for an interpreter, which keeps it for as long as it lives.

    TFLite's own ``load_delegate`` is not used: where a library gives no delegate it hands NULL to that library's
    destroy function, which not every library survives.

    Args:
        name: one of ``LIBRARIES``, or a library's path.
        options: handed to the library as text; true and false in lower case.

    Raises:
        MissingDependency: the library is not there, is for another architecture, needs one that is not there, or is
            no delegate.
        ModelError: it does not take these options.
    """

    def __init__(self, name: str, options: Mapping[str, str | int | float | bool]) -> None:
        self.name = LIBRARIES.get(name, Path(name).name)
        self._pointer: int | None = None
        self._library = _opened(name, self.name)
        create, self._destroy = (self._function(function) for function in (_CREATE, _DESTROY))
        texts = ctypes.POINTER(ctypes.c_char_p)
        create.argtypes, create.restype = [texts, texts, ctypes.c_size_t, _REPORT], ctypes.c_void_p
        self._destroy.argtypes, self._destroy.restype = [ctypes.c_void_p], None
        keys = (ctypes.c_char_p * len(options))(*(key.encode() for key in options))
        values = (ctypes.c_char_p * len(options))(*(_text(value).encode() for value in options.values()))
        said: list[bytes] = []
        report = _REPORT(lambda message: said.append(message or b""))
        with turned_away() as written:
            self._pointer = create(keys, values, len(options), report)
        if self._pointer is None:
            told = b" ".join(said) or written.data
            reason = " ".join(told.decode(errors="replace").split())[:300] or "it does not say why"
            given = ", ".join(f"{key}={_text(value)}" for key, value in options.items()) or "none"
            raise ModelError(f"the delegate {self.name} did not start with the options {given} ({reason}); correct "
                             "engine.delegate_options, or say none to run on the CPU")  # fmt: skip
        hand_on(written.data)

    def _function(self, name: str) -> Any:
        try:
            return getattr(self._library, name)
        except AttributeError as error:
            raise MissingDependency(
                f"{self._library._name} is no delegate of TensorFlow Lite (it has no {name}); name one with "
                "engine.delegate, or say none to run on the CPU"
            ) from error

    def _get_native_delegate_pointer(self) -> int | None:
        """What an interpreter asks its delegates for, TfLiteDelegate's address."""
        return self._pointer

    def __del__(self) -> None:
        # the interpreter that uses it is gone by then: it drops its delegates after itself
        if self._pointer is not None:
            self._destroy(self._pointer)
            self._pointer = None


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _opened(name: str, short: str) -> ctypes.CDLL:
    fix = "name another with engine.delegate, or say none to run on the CPU"
    if name in LIBRARIES:
        library, absent = short, "comes with the BSP of boards that have the hardware"
    else:
        library, absent = name, "is not there"
        if Path(library).is_file():
            _check_machine(Path(library), fix)
        elif Path(library).exists():  # a pipe would be waited for
            raise MissingDependency(f"the delegate {library} is no file, expected a shared library; {fix}")
    try:
        return ctypes.CDLL(library)
    except OSError as error:
        if name not in LIBRARIES and Path(library).is_file():
            raise MissingDependency(f"the delegate {library} cannot be loaded ({error}); {fix}") from error
        raise MissingDependency(
            f"the delegate {short} cannot be loaded: {library} {absent} ({error}); {fix}"
        ) from error


def _check_machine(path: Path, fix: str) -> None:
    """The loader says of a library for another machine that there is no such file."""
    wanted, got = _machine(Path("/proc/self/exe")), _machine(path)
    if wanted is None or got == wanted:  # not Linux: the loader's word must do
        return
    what = f"is for {got}, this machine is {wanted}" if got else "is no shared library"
    raise MissingDependency(f"the delegate {path} {what}; {fix}")


def _machine(path: Path) -> str | None:
    """What an ELF file is for; None where it is none."""
    try:
        with path.open("rb") as file:
            head = file.read(20)
    except OSError:
        return None
    if len(head) < 20 or not head.startswith(b"\x7fELF"):
        return None
    (machine,) = struct.unpack_from("<H" if head[5] == 1 else ">H", head, 18)
    bits = {1: 32, 2: 64}.get(head[4], 0)
    return _MACHINES.get(machine, f"machine {machine} of ELF, {bits} bits")
