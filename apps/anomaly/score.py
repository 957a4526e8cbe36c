"""Scores both ways to find anomalies on fans: ``python -m apps.anomaly.score --data DIR``.

DIR holds ``fan_1_3.npz`` (data.py). The autoencoder is scored on the fan that it did not learn from. What learns on the
spot is scored on both fans: it learns a minute of each normal recording, and is scored on what it did not learn.
Streams run through ``anomaly.yaml`` and ``anomaly_autoencoder.yaml`` as ``eiq-demo run`` does it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from apps.anomaly import train
from apps.anomaly.data import RATE_HZ, Recording, Samples, load, other_fan
from apps.anomaly.features import HOP_MS, LENGTH, Floats, band_powers, windows
from apps.anomaly.metrics import auc
from apps.anomaly.network import BANDS
from apps.anomaly.streams import ALARM, FAULT_S, WARM_S, Quiet, Report, Verdict, joins, judge, warm
from apps.progress import track
from apps.reports import reports
from apps.script import run as run_script
from apps.shipping import write_whole
from pipelines.core import Frame, Signal
from pipelines.models import open_model
from pipelines.transforms.gaussian import Gaussian

SPOT, AUTOENCODER = "anomaly.yaml", "anomaly_autoencoder.yaml"
LEARN_S = 60.0
HOP_S = HOP_MS / 1000
COMMAND = "python -m apps.anomaly.score --data DIR"


def reports_on(config: str, samples: Samples) -> list[Report]:
    """What a config reports on [n, 3] in g."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stream.npy"
        np.save(path, samples)
        return reports(config, path, synthetic=None, chunk_ms=640.0)


def streams(config: str, recordings: Sequence[Recording], fan: int) -> Verdict:
    """Joins of a fan through a config."""
    chosen = list(joins(recordings, fan))
    return judge([(one, reports_on(config, one.samples)) for one in track(chosen, f"{config}, fan {fan}")])


def alarms(config: str, parts: Sequence[Samples], unheard_s: float = 0.0) -> Quiet:
    """False alarms on normal streams.

    Args:
        unheard_s: of each, while the config learns.
    """
    counts = [sum(label == ALARM for _, label in reports_on(config, part)) for part in parts]
    return Quiet(sum(counts), sum(len(part) / RATE_HZ - unheard_s for part in parts) / 3600)


def spot_aucs(recordings: Sequence[Recording], fan: int, from_s: float) -> dict[str, tuple[float, int]]:
    """AUC and windows by fault, over all normal recordings: learned for LEARN_S from ``from_s``, scored on the rest.

    Distances are in units of each recording's own normal spread, and so may be put together.
    """
    mine = [one for one in recordings if one.fan == fan]
    features = {(one.state, one.index): band_powers(windows(one.samples), BANDS) for one in mine}
    found: dict[str, list[Floats]] = {state: [] for state in ("on", *train.FAULTS)}
    for one in (one for one in mine if one.state == "on"):
        ends_s = np.arange(len(features["on", one.index])) * HOP_S + LENGTH / RATE_HZ
        begins_s = ends_s - LENGTH / RATE_HZ
        normal = features["on", one.index]
        spot = Spot(normal[(begins_s >= from_s) & (ends_s <= from_s + LEARN_S)])
        found["on"].append(spot.distances(normal[begins_s >= from_s + LEARN_S][::4]))
        for state in train.FAULTS:
            for index in (1, 2, 3):
                found[state].append(spot.distances(features[state, index][::4]))
    by_state = {state: np.concatenate(values) for state, values in found.items()}
    by_state["clog or friction"] = np.concatenate([by_state["clog"], by_state["friction"]])
    faults = ("clog or friction", *train.FAULTS)
    return {
        one: (auc(by_state["on"], by_state[one]), len(by_state["on"]) + len(by_state[one])) for one in faults
    }  # fmt: skip


class Spot:
    """The step ``gaussian`` once it has learned from [windows, bands, axes]."""

    def __init__(self, normal: Floats) -> None:
        self._step = Gaussian(Gaussian.Config(learn_s=(len(normal) - 1) * HOP_S))
        self._step.resolve(Signal(normal.shape[1:], "float32", None, "features"))
        self._seen = 0
        self._through(normal)

    def _through(self, features: Floats) -> list[float]:
        found = []
        for one in features:
            for out in self._step.process(Frame(one, self._seen * HOP_S, self._seen)):
                if isinstance(out, Frame):
                    found.append(float(out.array[0]))
            self._seen += 1
        return found

    def distances(self, features: Floats) -> Floats:
        """[windows]."""
        return np.array(self._through(features), np.float32)


def lines_of(verdict: Verdict, what: str) -> list[dict[str, Any]]:
    """A manifest's lines about joins."""
    seen = verdict.streams - verdict.early
    data = (
        f"{what}: {verdict.streams} streams of real recordings, two minutes normal, then {FAULT_S:.0f} s of clog, "
        "friction or off, joined without transition"
    )
    rows = [
        ("faults missed, share", verdict.missed / max(seen, 1), seen),
        ("streams with an alarm before the fault, share", verdict.early / verdict.streams, verdict.streams),
        ("median delay from the fault to the alarm, s", verdict.delay_s(0.5), len(verdict.delays_s)),
        ("95th percentile of that delay, s", verdict.delay_s(0.95), len(verdict.delays_s)),
    ]
    return [_line(metric, value, samples, data) for metric, value, samples in rows if samples]


def lines_of_quiet(quiet: Quiet, what: str) -> list[dict[str, Any]]:
    """A manifest's lines about false alarms."""
    data = (
        f"{what}: {quiet.alarms} alarms in {quiet.hours:.2f} hours, all the normal recordings there are; "
        f"at 95 % confidence at most {quiet.bound:.1f} per hour"
    )
    return [_line("false alarms per hour", quiet.rate, max(1, round(quiet.hours * 3600 / HOP_S)), data)]


def _line(metric: str, value: float, samples: int, data: str) -> dict[str, Any]:
    return {"metric": metric, "value": round(value, 4), "samples": samples, "data": data, "measured": "here",
            "command": COMMAND}  # fmt: skip


def of_autoencoder(recordings: Sequence[Recording], fan: int) -> list[dict[str, Any]]:
    """All numbers of ``anomaly_autoencoder.yaml`` on a fan that it did not learn from."""
    what = f"{AUTOENCODER} on fan {fan}"
    normal = [one.samples for one in recordings if one.fan == fan and one.state == "on"]
    return [
        *lines_of(streams(AUTOENCODER, recordings, fan), what),
        *lines_of_quiet(alarms(AUTOENCODER, normal), f"{what}, from the cold start on"),
        *lines_of_quiet(alarms(AUTOENCODER, [part[round(WARM_S * RATE_HZ) :] for part in normal]), f"{what}, warm"),
    ]


def of_spot(recordings: Sequence[Recording], fan: int) -> list[dict[str, Any]]:
    """All numbers of ``anomaly.yaml`` on a fan."""
    what = f"{SPOT} on fan {fan}"
    normal = [one for one in recordings if one.fan == fan and one.state == "on"]
    found = []
    for from_s, when in ((WARM_S, "the fourth minute"), (0.0, "the first minute, cold,")):
        for fault, (value, samples) in spot_aucs(recordings, fan, from_s).items():
            data = f"{what}, learned from {when} of each normal recording, scored on what follows and on all faults"
            found.append(_line(f"AUC, normal (on) against {fault}", value, samples, data))
    return [
        *found,
        *lines_of(streams(SPOT, recordings, fan), f"{what}, learned from the first of the two minutes"),
        *lines_of_quiet(
            alarms(SPOT, [warm(one) for one in normal], LEARN_S), f"{what}, warm, a minute learned of each recording"
        ),
        *lines_of_quiet(
            alarms(SPOT, [one.samples for one in normal], LEARN_S),
            f"{what}, the first minute after a cold start learned",
        ),
    ]


def write(manifest: Path, lines: list[dict[str, Any]]) -> None:
    """Replace what this command measured before in a manifest."""
    model = yaml.safe_load(manifest.read_text(encoding="utf-8"))
    model["accuracy"] = lines + [one for one in model["accuracy"] if one["command"] != COMMAND]
    write_whole(manifest, yaml.safe_dump(model, sort_keys=False, width=120, allow_unicode=True).encode())


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m apps.anomaly.score", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds fan_1_3.npz")
    parser.add_argument("--learned", type=int, default=1, help="the fan that the autoencoder learned from")
    parser.add_argument("--on-the-spot", type=int, action="append", metavar="FAN",
                        help="only what learns on the spot, on this fan")  # fmt: skip
    parser.add_argument("--write", type=Path, metavar="MANIFEST", help="put the numbers into this manifest")
    options = parser.parse_args()
    recordings = load(options.data)
    lines = []
    if not options.on_the_spot:
        fan = other_fan(recordings, options.learned)
        model = open_model("anomaly", Path.cwd())
        lines += train.score(model.path, recordings, options.learned, fan, COMMAND)
        lines += of_autoencoder(recordings, fan)
    for fan in options.on_the_spot or sorted({one.fan for one in recordings}):
        lines += of_spot(recordings, fan)
    for line in lines:
        print(f"{line['metric']}: {line['value']:g} ({line['samples']}); {line['data']}")
    if options.write:
        write(options.write, lines)


if __name__ == "__main__":
    run_script(main)
