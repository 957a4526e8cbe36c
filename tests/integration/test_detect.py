"""``detect.yaml``: a model with several outputs finds, crop cuts out of the captured picture, another model names.

With Google's detector and classifier where they are on this machine: ``eiq-demo models fetch ssd_mobilenet_v1_coco
mobilenet_v2_1.0_224``.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import numpy as np
import pytest

import demos
from pipelines.core import Array, Signal
from pipelines.decoders._found import nms
from pipelines.decoders._ssd import Ssd, anchors
from pipelines.decoders.boxes import Boxes
from pipelines.errors import ModelError
from pipelines.fetch import Order, download
from pipelines.models import find_file, manifest_of, read_manifest
from pipelines.resources import bundled
from web import Page, serving

pytest.importorskip("ai_edge_litert")

FIND = """
sensor: {{camera: {{file: {picture}}}}}
steps:
  - resize: {{width_px: 300, height_px: 300, fit: stretch, filter: area}}
  - scale: {{from: [0, 256], to: [-1, 1]}}
  - engine: {{model: ssd_mobilenet_v1_coco}}
  - boxes: {{threshold: 0.5}}
"""
Found = list[tuple[str, float, list[float]]]


@pytest.fixture
def detector() -> Path:
    return fetched("ssd_mobilenet_v1_coco")


def fetched(name: str) -> Path:
    """A model's file; skips where it is not on this machine."""
    manifest = read_manifest(manifest_of(name))
    try:
        return find_file(manifest, manifest.files[0])
    except ModelError as error:
        pytest.skip(str(error))


def found(config: Path | str, cwd: Path, *arguments: str | Path) -> Found:
    done = demos.in_process("run", config, "--fast", "--json", *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return [(o["label"], o["score"], o["region"]) for o in map(json.loads, done.stdout.splitlines())
            if o["event"] == "result"]  # fmt: skip


def detect(picture: Path, tmp_path: Path) -> Found:
    (tmp_path / "find.yaml").write_text(FIND.format(picture=picture))
    return found(tmp_path / "find.yaml", tmp_path)


def test_it_finds_what_is_in_the_pictures(detector: Path, tmp_path: Path) -> None:
    samples = bundled() / "samples/detect"
    assert sorted(label for label, _, _ in detect(samples / "traffic.jpg", tmp_path)) == ["car", "car"]
    assert sorted(label for label, _, _ in detect(samples / "pets.jpg", tmp_path)) == ["dog", "dog"]


def test_the_regions_are_litert_s_in_pixels(detector: Path, tmp_path: Path) -> None:
    import cv2
    from ai_edge_litert.interpreter import Interpreter

    path = bundled() / "samples/detect/traffic.jpg"
    picture = cv2.imread(str(path))[:, :, ::-1]
    runtime = Interpreter(str(detector), num_threads=1)
    runtime.allocate_tensors()
    x = cv2.resize(picture, (300, 300), interpolation=cv2.INTER_AREA)
    runtime.set_tensor(runtime.get_input_details()[0]["index"], x[np.newaxis])
    runtime.invoke()
    boxes, _, scores, _ = (runtime.get_tensor(output["index"])[0] for output in runtime.get_output_details())
    height, width = picture.shape[:2]
    for box, score, (_, got, region) in zip(boxes, scores, detect(path, tmp_path), strict=False):
        ymin, xmin, ymax, xmax = np.clip(box, 0, 1)
        assert got == pytest.approx(score, abs=1e-6)
        assert region == pytest.approx(
            [xmin * width, ymin * height, (xmax - xmin) * width, (ymax - ymin) * height], abs=0.01
        )


def test_raw_heads_give_what_the_models_own_post_processing_gives(detector: Path) -> None:
    """The tensors that feed TFLite_Detection_PostProcess, read as ``layout: ssd`` does, against what it makes of them.

    Its options in this file: IoU 0.6, the best class of each anchor, NMS across all classes.
    """
    import cv2
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    runtime = Interpreter(str(detector), experimental_op_resolver_type=plain, experimental_preserve_all_tensors=True)
    runtime.allocate_tensors()
    last = runtime._get_ops_details()[-1]
    assert last["op_name"] == "TFLite_Detection_PostProcess"
    locations, scores, own = map(int, last["inputs"])

    def real(index: int) -> Array:
        scale, zero = runtime._get_tensor_details(index, 0)["quantization"]
        return np.asarray((runtime.get_tensor(index).astype(np.float64) - zero) * scale).squeeze()

    step = runtime._get_tensor_details(own, 0)["quantization"][0]
    assert np.abs(anchors(Boxes.Config()) - real(own)).max() < step / 2 + 1e-6
    head = Ssd(Boxes.Config(layout="ssd"))
    parts = tuple(Signal(shape, "float32", None, "scores") for shape in ((1917, 4), (1917, 91)))
    signal = Signal((), "", None, "bundle", tuple(map(str, range(90))), parts)
    assert head.fits(signal)
    head.resolve(signal)
    head._anchors = real(own)  # the file's are quantised to 8 bits
    for name in ("traffic", "pets"):
        picture = cv2.imread(str(bundled() / f"samples/detect/{name}.jpg"))[:, :, ::-1]
        x = cv2.resize(picture, (300, 300), interpolation=cv2.INTER_AREA)
        runtime.set_tensor(runtime.get_input_details()[0]["index"], x[np.newaxis])
        runtime.invoke()
        got = head.read((real(locations), real(scores)), 1e-8)
        order = np.argsort(-got.scores, kind="stable")
        kept = order[nms(got.boxes[order], np.zeros(len(order)), 10, 0.6)]
        its_boxes, its_classes, its_scores, _ = (runtime.get_tensor(int(index))[0] for index in last["outputs"])
        assert got.scores[kept] == pytest.approx(its_scores, abs=1e-6)
        assert (got.classes[kept] == its_classes).all()
        assert got.boxes[kept] == pytest.approx(its_boxes, abs=1e-5)


def test_mirrored_pictures_have_mirrored_boxes(detector: Path, tmp_path: Path) -> None:
    import cv2

    picture = cv2.imread(str(bundled() / "samples/detect/pets.jpg"))
    width = picture.shape[1]
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    cv2.imwrite(str(tmp_path / "b.png"), picture[:, ::-1])
    left = sorted(x + w / 2 for _, _, (x, _, w, _) in detect(tmp_path / "a.png", tmp_path))
    right = sorted(width - x - w / 2 for _, _, (x, _, w, _) in detect(tmp_path / "b.png", tmp_path))
    assert left == pytest.approx(right, abs=0.1 * width)


def test_detect_yaml_names_each_object_anew(detector: Path, tmp_path: Path) -> None:
    fetched("mobilenet_v2_1.0_224")
    results = found("detect.yaml", tmp_path)
    assert [label for label, _, _ in results] == [
        "American Staffordshire terrier", "Boston bull", "sports car", "convertible",
    ]  # fmt: skip
    assert all(region for _, _, region in results)  # still those of what was found


def test_a_classifier_behind_boxes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text("""
sensor: {camera: {file: samples/cifar10}}
preprocess:
  - resize: {width_px: 32, height_px: 32}
  - scale: {from: [0, 255], to: [0, 1]}
engine: {model: cifar10}
postprocess: [boxes]
""")
    done = demos.in_process("check", tmp_path / "demo.yaml", cwd=tmp_path)
    assert done.returncode == 2
    demos.says(done.stderr, ["postprocess[0].boxes", "the four of a detector", "name a detector's model"])


def test_the_address_may_have_a_query_and_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Google's has; the mirror takes over where it does not answer, and the file has the manifest's name."""
    monkeypatch.setenv("EIQ_MODELS", str(tmp_path))
    monkeypatch.setenv("no_proxy", "*")
    manifest = read_manifest(manifest_of("ssd_mobilenet_v1_coco"))
    (file,) = manifest.files
    address = urlsplit(file.url or "")
    assert (address.hostname, address.query[:11]) == ("storage.googleapis.com", "generation=")
    name = f"{Path(address.path).name}?{address.query}"
    data = b"a detector"
    with serving(**{name: Page(data), "mirror": Page(data)}) as url:
        for first in (f"{url}/{name}", f"{url}/nothing?generation=1"):
            here = msgspec.structs.replace(
                file, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), url=first, mirrors=(f"{url}/mirror",)
            )
            path = download(Order(manifest, here))
            assert path == tmp_path / "ssd_mobilenet_v1_coco/detect.tflite"
            assert path.read_bytes() == data
            path.unlink()


def test_without_its_models_the_demo_says_what_fetches_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIQ_MODELS", str(tmp_path))
    done = demos.in_process("run", "detect.yaml", cwd=tmp_path)
    assert done.returncode == 2
    for name in ("ssd_mobilenet_v1_coco", "mobilenet_v2_1.0_224"):
        demos.says(done.stderr, [f"model {name} is not on this machine", f"eiq-demo models fetch {name}", "--from DIR"])
