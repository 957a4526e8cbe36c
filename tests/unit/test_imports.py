"""Who may import whom, read from the source: core ◄ hal ◄ build ◄ apps, and nothing heavy at the top of a module."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {
    "ai_edge_litert", "cv2", "dask", "distributed", "gi", "gpiod", "keras", "librosa", "matplotlib", "onnxruntime",
    "paho", "pyarmnn", "scipy", "serial", "sklearn", "skops", "sounddevice", "soundfile", "soxr", "tensorflow",
    "tflite_micro", "tflite_runtime", "torch",
}  # fmt: skip
LEAST = {"core", "errors"}  # what a plug-in's own package may rely on as well
HAL_MAY = {
    "pipelines.child", "pipelines.config.schema", "pipelines.core", "pipelines.errors", "pipelines.network",
    "pipelines.optional", "pipelines.quantise", "pipelines.registry", "pipelines.resources", "pipelines.tensors",
}  # fmt: skip


def modules(*folders: str) -> list[Path]:
    found = [path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert found, f"no module in {folders}"
    return sorted(found)


def imports(path: Path, *, top_level: bool = False) -> Iterator[str]:
    """The absolute names of what a module imports; ``top_level``: what importing it runs, TYPE_CHECKING left out."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for node in _run_at_import(tree) if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: a relative import"
            # "from pipelines import registry" imports a module as well
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from _run_at_import(child)


def within(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def offenders(paths: list[Path], allowed: set[str], *, of: set[str]) -> list[str]:
    """Imports out of the packages ``of`` that are not ``allowed``."""
    return [
        f"{path} imports {name}"
        for path in paths
        for name in imports(path)
        if within(name, of) and not within(name, allowed)
    ]


def test_the_core_needs_numpy_alone() -> None:
    for module in ("core", "errors"):
        roots = {name.partition(".")[0] for name in imports(Path(f"pipelines/{module}.py"))}
        assert roots <= {"numpy", "__future__"} | sys.stdlib_module_names


def test_pipelines_know_nothing_of_apps() -> None:
    assert not offenders(modules("pipelines", "hal"), set(), of={"apps"})


@pytest.mark.parametrize("kind", ["transforms", "engines", "decoders", "actions"])
def test_a_step_knows_no_target(kind: str) -> None:
    assert not offenders(modules(f"pipelines/{kind}"), set(), of={"hal", "apps"})


def test_only_the_registry_names_hal_in_pipelines() -> None:
    # the run's own modules see a Target through its Protocol
    assert not offenders([p for p in modules("pipelines") if p.name != "registry.py"], set(), of={"hal"})


def test_hal_uses_what_every_plug_in_may() -> None:
    assert not offenders(modules("hal"), HAL_MAY, of={"pipelines"})


@pytest.mark.parametrize("kind", ["transforms", "engines", "decoders", "actions"])
def test_a_step_uses_its_own_kind_and_what_every_plug_in_may(kind: str) -> None:
    assert not offenders(
        modules(f"pipelines/{kind}"), HAL_MAY | {f"pipelines.{kind}", "pipelines.config"}, of={"pipelines"}
    )


def test_the_words_and_their_yaml_know_nothing_of_the_run() -> None:
    low = {"pipelines.core", "pipelines.errors", "pipelines.registry", "pipelines.resources", "pipelines.config"}
    paths = [*modules("pipelines/config"), Path("pipelines/core.py"), Path("pipelines/registry.py")]
    # a demo's engine is known by its model, so that one step is taken down to the models
    assert not offenders(paths, low | {"pipelines.models"}, of={"pipelines"})


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    found = [
        f"{path} imports {name}"
        for path in modules("apps/cli", "hal", "pipelines")
        for name in imports(path, top_level=True)
        if within(name, HEAVY)
    ]
    assert not found


def test_only_the_command_line_knows_click_and_rich() -> None:
    assert not offenders(modules("hal", "pipelines"), set(), of={"click", "rich"})


def test_the_rules_see_what_breaks_them(tmp_path: Path) -> None:
    # a linter that finds nothing anywhere proves nothing: this one finds these
    bad = tmp_path / "bad.py"
    bad.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\nclass A:\n    import cv2\n"
        "def f():\n    import librosa\n    from hal.sim import led\n"
        "try:\n    from scipy import fft\nexcept ImportError: ...\n"
    )
    assert {name for name in imports(bad, top_level=True) if within(name, HEAVY)} == {"cv2", "scipy.fft"}
    assert offenders([bad], set(), of={"hal"}) == [f"{bad} imports hal.sim.led"]


@pytest.mark.parametrize("arguments", [["list"], ["list", "transforms"], ["--help"], ["run", "--help"]], ids=" ".join)
def test_listing_and_helping_import_nothing_that_costs(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "apps.cli", *arguments], capture_output=True, text=True, check=True
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "click" in imported  # the report is there
    costly = {"numpy", "msgspec", "yaml", "rich", "pipelines.graph", "pipelines.config.demo", "hal.sim.target"} | HEAVY
    assert not imported & costly


def test_the_compiler_stands_alone() -> None:
    # .skops files are read in one place alone, which looks what is in them before it loads anything
    may = {"pipelines.errors", "pipelines.optional", "pipelines.engines._skops", "pipelines.engines.sklearn"}
    assert not offenders(modules("compiler"), may, of={"pipelines", "hal", "apps"})
