"""Which board it is: by its device tree, and by soc0."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sysroots
from hal.imx8.soc import SOC, TABLE, identify
from hal.imx8.sysfs import Sysfs
from pipelines.errors import DeviceError
from sysroots import ALL, LIES, lie, put, sentence

HEADINGS = {
    "imx8mm-evk": "FSL i.MX8MM EVK board: i.MX 8M Mini rev. 1.0, 4 x Cortex-A53, no NPU (GPU GCNanoUltra without a "
    "delegate)",
    "imx8mn-evk": "NXP i.MX8MNano EVK board: i.MX 8M Nano rev. 1.0, 4 x Cortex-A53, GPU GC7000UL",
    "imx8mp-evk": "NXP i.MX8MPlus EVK board: i.MX 8M Plus rev. 1.0, 4 x Cortex-A53, NPU (Vivante), GPU GC7000UL",
    "imx8qm-mek": "Freescale i.MX8QM MEK: i.MX 8QuadMax rev. 1.0, 2 x Cortex-A72, 4 x Cortex-A53, 2 GPUs GC7000XSVX",
    "imx8qxp-mek": "Freescale i.MX8QXP MEK: i.MX 8X rev. 1.0, 4 x Cortex-A35, GPU GC7000L",
    "imx93-11x11-evk": "NXP i.MX93 11X11 EVK board: i.MX 93 rev. 1.0, 2 x Cortex-A55, NPU (Ethos-U65, models through "
    "Vela)",
    "imx95-19x19-evk": "NXP i.MX95 19X19 board: i.MX 95 rev. 1.0, 6 x Cortex-A55, NPU (eIQ Neutron, models through its "
    "converter)",
}
DELEGATES = {"imx8mp-evk": "vx", "imx93-11x11-evk": "ethosu", "imx95-19x19-evk": "neutron"}
OFFERED = {"imx8mn-evk": "vx", "imx8qm-mek": "vx", "imx8qxp-mek": "vx"}


@pytest.mark.parametrize("has_tree", [True, False])
@pytest.mark.parametrize("tree", ALL)
def test_each_board_is_known_by_its_tree_and_by_soc0(board: Callable[[str], Sysfs], tree: str, has_tree: bool) -> None:
    sysfs = board(tree)
    shutil.rmtree(sysfs.path("sys/devices/soc0" if has_tree else "proc"))
    if has_tree:
        put(sysfs, f"{SOC}/revision", "1.0\n")
    found = identify(sysfs)
    assert found.heading() == HEADINGS[tree]
    assert found.soc is not None
    assert (found.soc.delegate, found.soc.offered) == (DELEGATES.get(tree), OFFERED.get(tree))


def test_there_is_a_tree_for_every_soc(board: Callable[[str], Sysfs]) -> None:
    assert {identify(board(tree)).soc for tree in ALL} == set(TABLE)


@pytest.mark.parametrize(("soc_id", "name"), [("i.MX8QM", "i.MX 8QuadMax"), ("i.MX8QXP", "i.MX 8X")])
def test_what_older_kernels_call_it(board: Callable[[str], Sysfs], soc_id: str, name: str) -> None:
    sysfs = board("imx8qm-mek")
    shutil.rmtree(sysfs.path("proc"))
    put(sysfs, f"{SOC}/soc_id", soc_id)
    soc = identify(sysfs).soc
    assert soc is not None
    assert soc.name == name


def test_the_tree_counts_more_than_soc0(board: Callable[[str], Sysfs]) -> None:
    """A number of the SCU is another SoC's elsewhere."""
    sysfs = board("imx8mp-evk")
    put(sysfs, f"{SOC}/soc_id", "0x1")
    soc = identify(sysfs).soc
    assert soc is not None
    assert soc.name == "i.MX 8M Plus"


def test_a_soc_that_is_not_known_is_said(board: Callable[[str], Sysfs]) -> None:
    sysfs = board("imx8mp-evk")
    put(sysfs, "proc/device-tree/compatible", "acme,x\0acme,soc\0")
    put(sysfs, "proc/device-tree/model", "ACME\nbox\0")
    assert identify(sysfs).heading() == "ACME box: the SoC acme,soc is not known here; inference runs on the CPU"


def test_the_other_place_of_the_device_tree(board: Callable[[str], Sysfs]) -> None:
    sysfs = board("imx8mn-evk")
    base = sysfs.path("sys/firmware/devicetree")
    base.mkdir(parents=True)
    sysfs.path("proc/device-tree").rename(base / "base")
    assert identify(sysfs).heading() == HEADINGS["imx8mn-evk"]


def test_no_board_at_all(tmp_path: Path) -> None:
    with pytest.raises(DeviceError) as info:
        identify(Sysfs(tmp_path))
    assert str(info.value) == (
        f"no device tree and no {tmp_path}/sys/devices/soc0 here, so this is no i.MX board; run it on the board, "
        "take --target sim, or let EIQ_SYSROOT name a copy of a board's files"
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_lie_is_one_sentence_or_one_line(tmp_path: Path, data: st.DataObject) -> None:
    original = sysroots.TREES / "imx8mp-evk"
    sysfs = Sysfs(tmp_path / "imx8mp-evk")
    if not sysfs.root.exists():
        sysroots.copied("imx8mp-evk", tmp_path)
    files = [*(original / "proc").rglob("*"), *(original / SOC).iterdir()]
    file = data.draw(st.sampled_from(sorted(path for path in files if path.is_file()))).relative_to(original)
    lie(sysfs.root / file, data.draw(LIES))
    got: list[str] = []
    said = sentence(lambda: got.append(identify(sysfs).heading()))
    lie(sysfs.root / file, (original / file).read_bytes())
    assert "\n" not in said
    assert bool(said) != bool(got)
    assert all(heading.isprintable() for heading in got)
