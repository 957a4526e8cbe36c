from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_an_empty_environment_runs_the_demos_from_another_folder(tmp_path: Path) -> None:
    """``pip install '.[desktop]'``, then both demos with what the wheel ships, far from the checkout."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("EIQ_", "PYTHON"))}
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    pip = [tmp_path / "env/bin/pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt"]
    subprocess.run([*pip, f"{ROOT}[desktop]"], check=True, env=environment)
    (tmp_path / "elsewhere").mkdir()

    def eiq_demo(*arguments: str) -> str:
        return subprocess.run(
            [tmp_path / "env/bin/eiq-demo", *arguments],
            cwd=tmp_path / "elsewhere", env=environment, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip

    spotted = eiq_demo("run", "kws.yaml", "--fast")
    named = eiq_demo("run", "cifar10.yaml")
    assert spotted.count("\n") >= 3
    assert "cat" in named
    assert "OpenCV" in eiq_demo("doctor")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    top_level = {path.name for path in (tmp_path / "env").glob("lib/python*/site-packages/*")}
    assert {"apps", "hal", "pipelines"} <= top_level
    assert not {"configs", "models", "samples", "tests", "docs", "firmware"} & top_level
