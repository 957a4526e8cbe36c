"""Which SoC this is, and what it has for inference.

Sources of the table:
    compatible, cores: the device trees of Linux v7.1, imx8mm.dtsi, imx8mn.dtsi, imx8mp.dtsi, imx8qm.dtsi, imx8qxp.dtsi,
        imx91_93_common.dtsi with imx93.dtsi, imx95.dtsi (in u-boot/u-boot 6073c36b, dts/upstream/src/arm64/freescale).
    ids: torvalds/linux drivers/soc/imx/soc-imx8m.c (2487b6b9), soc-imx-scu.c (010e85f9; 1 and 2: u-boot's
        arch/arm/mach-imx/imx8/cpu.c), soc-imx9.c (01898f5e); "i.MX8QM" and "i.MX8QXP": NXP's older soc-imx8.c
        (nxp-imx/linux-imx 6c458500).
    delegates: nxp-imx/meta-imx 6bbf35e7, meta-imx-ml: packagegroup-imx-ml.bb ("all SOCs with GPU except for 8M Mini"),
        tensorflow-lite-{vx,ethosu,neutron}-delegate_2.16.2.bb with their COMPATIBLE_MACHINE. Models for the NPUs: NXP's
        AN13854 (Vela, 93) and UG10338 (95).
    NPU of 8M Plus: a Vivante core (imx8mp.dtsi, npu@38500000, "vivante,gc"); of 93: imx93.dtsi, "arm,ethos-u65".
    GPU: names as Variscite measured them (varigit/var-demos, opencl/README.md); two on 8QuadMax: its device tree's
        thermal zones; of 8M Mini: the kernel's etnaviv patch of 2020-09-30 ("a GC320 and a GCNanoUltra GPU core").
    Left out: how many operations a second an NPU makes, for no document that says it was at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from hal.imx8.sysfs import Sysfs
from pipelines.errors import DeviceError

COMPATIBLE = ("proc/device-tree/compatible", "sys/firmware/devicetree/base/compatible")
MODEL = ("proc/device-tree/model", "sys/firmware/devicetree/base/model")
SOC = "sys/devices/soc0"


@dataclass(frozen=True, slots=True)
class Soc:
    """A SoC.

    Args:
        name: as NXP writes it.
        compatible: its device tree's.
        ids: what the kernel calls it in soc0/soc_id.
        cores: of its application processor.
        accelerator: what can run a network beside them, in words.
        delegate: of TensorFlow Lite, taken where a config names none; None is the CPU.
        offered: one that a config may ask for, where it is not the default: a GPU's.
    """

    name: str
    compatible: str
    ids: tuple[str, ...]
    cores: str
    accelerator: str = ""
    delegate: str | None = None
    offered: str | None = None


TABLE = (
    Soc("i.MX 8M Plus", "fsl,imx8mp", ("i.MX8MP",), "4 x Cortex-A53", "NPU (Vivante), GPU GC7000UL", "vx"),
    Soc("i.MX 8M Mini", "fsl,imx8mm", ("i.MX8MM",), "4 x Cortex-A53", "no NPU (GPU GCNanoUltra without a delegate)"),
    Soc("i.MX 8M Nano", "fsl,imx8mn", ("i.MX8MN",), "4 x Cortex-A53", "GPU GC7000UL", offered="vx"),
    Soc("i.MX 8QuadMax", "fsl,imx8qm", ("0x1", "i.MX8QM"), "2 x Cortex-A72, 4 x Cortex-A53", "2 GPUs GC7000XSVX",
        offered="vx"),
    Soc("i.MX 8X", "fsl,imx8qxp", ("0x2", "i.MX8QXP"), "4 x Cortex-A35", "GPU GC7000L", offered="vx"),
    Soc("i.MX 93", "fsl,imx93", ("i.MX93",), "2 x Cortex-A55", "NPU (Ethos-U65, models through Vela)", "ethosu"),
    Soc("i.MX 95", "fsl,imx95", ("i.MX95",), "6 x Cortex-A55", "NPU (eIQ Neutron, models through its converter)",
        "neutron"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Board:
    """What this machine says of itself.

    Args:
        model: the device tree's, such as "NXP i.MX8MPlus EVK board".
        soc: from the table; None where it is not in there.
        said: what it calls its SoC, where that is not in the table.
        revision: of the silicon, where the kernel knows it.
    """

    model: str
    soc: Soc | None
    said: str = ""
    revision: str = ""

    def heading(self) -> str:
        """One line."""
        if self.soc is None:
            return f"{self.model}: the SoC {self.said} is not known here; inference runs on the CPU"
        revision = f" rev. {self.revision}" if self.revision else ""
        parts = [f"{self.soc.name}{revision}", self.soc.cores, self.soc.accelerator]
        return f"{self.model}: " + ", ".join(part for part in parts if part)


def identify(sysfs: Sysfs) -> Board:
    """Look at the device tree, and at soc0 where that has no compatible entry of the table.

    Raises:
        DeviceError: neither is there, or cannot be read.
    """
    compatible = _first(sysfs, COMPATIBLE)
    names = list(sysfs.lines(compatible)) if compatible else []
    has_soc = sysfs.there(f"{SOC}/soc_id")
    if not names and not has_soc:
        raise DeviceError(f"no device tree and no {sysfs.path(SOC)} here, so this is no i.MX board; run it on the "
                          "board, take --target sim, or let EIQ_SYSROOT name a copy of a board's files")  # fmt: skip
    soc_id = sysfs.text(f"{SOC}/soc_id") if has_soc else ""
    model = _first(sysfs, MODEL)
    shown = sysfs.text(model) if model else sysfs.text(f"{SOC}/machine")
    revision = sysfs.text(f"{SOC}/revision") if sysfs.there(f"{SOC}/revision") else ""
    found = _known(names, soc_id)
    return Board(shown, found, "" if found else (names[-1] if names else soc_id), revision)


def _known(compatible: list[str], soc_id: str) -> Soc | None:
    by_tree = next((soc for soc in TABLE if soc.compatible in compatible), None)
    if by_tree or compatible:
        return by_tree
    return next((soc for soc in TABLE if soc_id in soc.ids), None)


def _first(sysfs: Sysfs, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if sysfs.there(name)), None)
