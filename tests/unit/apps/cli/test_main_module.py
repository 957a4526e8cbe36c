"""``apps.cli.__main__``: the end of the program."""

import subprocess
import sys

import pytest

HANG = "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
RUN = """
import atexit
atexit.register(print, "Python takes itself apart")
from apps.cli.__main__ import main
main()
"""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [(["list", "engines"], 0, "tflite"), (["run", "nosuch.yaml"], 2, "nosuch.yaml"), (["nosuch"], 2, "nosuch")],
)
def test_a_driver_that_hangs_does_not_spoil_the_end(arguments: list[str], code: int, said: str) -> None:
    """Its thread could come back while Python takes itself apart: abort(), about one time in ten with OpenCV."""
    done = subprocess.run([sys.executable, "-c", HANG + RUN, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    assert said in done.stdout + done.stderr
    assert "apart" not in done.stdout


def test_otherwise_it_ends_as_python_does() -> None:
    done = subprocess.run([sys.executable, "-c", RUN, "list", "engines"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "apart" in done.stdout
