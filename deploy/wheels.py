"""Which of our extras install on 64-bit Arm from wheels alone, with constraints.txt's versions?

    python deploy/wheels.py              a table, one line per extra; exit code 1 where one that should install does not
    python deploy/wheels.py rt desktop   of these alone

Asks pip, which asks the index that it is configured for; nothing is installed. On another machine than Arm, pip is told
the platform, but reads the conditions in requirements (``platform_machine == …``) as this machine's: run it on Arm, or
in the root of deploy/arm64.sh, where one of them matters.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLATFORMS = (
    "manylinux2014_aarch64",
    *(f"manylinux_2_{minor}_aarch64" for minor in range(17, 37)),
)  # to Debian 12's glibc
LEFT_OUT = ("tflm", "train")  # docs/deploy.md says why
FREE = ("bsp", "flash")  # not among those whose versions constraints.txt fixes


@dataclass(frozen=True)
class Answer:
    """Of one extra: names of wheels for Arm and of pure ones, or what pip said was missing."""

    extra: str
    arm: tuple[str, ...] = ()
    pure: tuple[str, ...] = ()
    missing: str = ""


def requirements(extra: str, project: dict[str, object]) -> Iterator[str]:
    """What an extra asks for beside the core, extras of ours followed."""
    for requirement in project["optional-dependencies"][extra]:  # type: ignore[index]
        ours = re.fullmatch(r"eiq-demo\[(.+)\]", requirement)
        if ours:
            for name in ours[1].split(","):
                yield from requirements(name.strip(), project)
        else:
            yield requirement


def ask(extra: str, wanted: list[str], *, fixed: bool) -> Answer:
    """What pip would install on Arm, of wheels alone."""
    constraint = ["--constraint", str(ROOT / "constraints.txt")] if fixed else []
    done = pip([*wanted, *constraint])
    if done.returncode:
        missing = [one for one in wanted if pip([one, "--no-deps"]).returncode]
        return Answer(extra, missing=", ".join(missing) or done.stderr.strip().rpartition("\n")[2])
    files = sorted(Path(one["download_info"]["url"]).name for one in json.loads(done.stdout)["install"])
    pure = tuple(name for name in files if name.endswith("-none-any.whl"))
    return Answer(extra, tuple(name for name in files if name not in pure), pure)


def pip(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """What pip would install on Arm with Python 3.11, as its report; it has failed where a wheel is missing."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet",
                   "--report", "-", "--disable-pip-version-check", "--only-binary", ":all:", *arguments]  # fmt: skip
        if platform.machine() != "aarch64":
            command += ["--python-version", "3.11", "--implementation", "cp", "--abi", "cp311", "--abi", "abi3"]
            command += ["--abi", "none", "--target", folder]
            command += [word for name in PLATFORMS for word in ("--platform", name)]
        return subprocess.run(command, capture_output=True, text=True, check=False)


def main(extras: list[str]) -> int:
    """The command; its exit code."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    unknown = [extra for extra in extras if extra not in project["optional-dependencies"]]
    if unknown:
        known = ", ".join(project["optional-dependencies"])
        print(f"wheels: got {', '.join(unknown)}, expected some of {known}", file=sys.stderr)
        return 2
    faults = []
    print("| extra | wheels for aarch64 | pure | |\n|---|---|--:|---|")
    for extra in ("", *(extras or project["optional-dependencies"])):
        asked = [*project["dependencies"], *(requirements(extra, project) if extra else ())]
        answer = ask(extra or "(core)", asked, fixed=extra not in FREE)
        names = ", ".join("-".join(name.split("-")[:2]).replace("_", "\\_") for name in answer.arm)
        print(f"| {answer.extra} | {names} | {len(answer.pure) or ''} | {answer.missing or 'installs'} |", flush=True)
        faults += [extra] if bool(answer.missing) != (extra in LEFT_OUT) else []
    if faults:
        print(f"wheels: other than expected: {', '.join(faults)}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
