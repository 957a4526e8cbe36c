"""COCO's JSON of boxes (cocodataset.org, "Data format", object detection), with its pictures beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from apps.evaluate.datasets.items import DataSet, Item, Place, Request, no_splits
from hal.recordings.files import existing_file, kind_of
from pipelines.errors import DataError

EXPECTED = "COCO's JSON of boxes (images, annotations, categories)"
Positive = Annotated[float, msgspec.Meta(gt=0)]


class _Image(msgspec.Struct):
    id: int
    file_name: str
    width: Positive
    height: Positive


class _Category(msgspec.Struct):
    id: int
    name: str


class _Annotation(msgspec.Struct):
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    area: float | None = None
    iscrowd: int = 0


class _Instances(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


def read(request: Request) -> DataSet:
    """One item a picture of the JSON, by name.

    Pictures lie beside the JSON, in ``images`` there, or where COCO's own lie: ``../val2017`` and ``../images/val2017``
    of ``annotations/instances_val2017.json``.

    Raises:
        DataError: not such a JSON, a box of no picture or class, or none of its pictures is there.
    """
    no_splits(request, "COCO")
    path = existing_file(request.where, EXPECTED)
    instances = _instances(path)
    names = {category.id: category.name for category in instances.categories}
    places: dict[int, list[Place]] = {image.id: [] for image in instances.images}
    sizes = {image.id: (image.width, image.height) for image in instances.images}
    for annotation in instances.annotations:
        if annotation.image_id not in places or annotation.category_id not in names:
            got = f"a box of image {annotation.image_id} and category {annotation.category_id}"
            raise DataError(f"{path} has {got}, expected ones that it lists; repair it")
        places[annotation.image_id].append(
            _place(names[annotation.category_id], annotation, *sizes[annotation.image_id])
        )
    folder = _folder(path, instances.images)
    items = (Item(image.file_name, "", folder / image.file_name, places=tuple(places[image.id]))
             for image in sorted(instances.images, key=lambda image: image.file_name))  # fmt: skip
    return DataSet(request.where, "COCO", None, tuple(items), boxed=True)


def _instances(path: Path) -> _Instances:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Instances)
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}); check the file") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not {EXPECTED}: {error}") from error


def _place(label: str, annotation: _Annotation, width: float, height: float) -> Place:
    x, y, wide, high = annotation.bbox
    area = wide * high if annotation.area is None else annotation.area
    return Place(label, x / width, y / height, wide / width, high / height, area / (width * height),
                 bool(annotation.iscrowd))  # fmt: skip


def _folder(path: Path, images: list[_Image]) -> Path:
    """Where the pictures lie: the first of the usual folders that has one of them."""
    split = path.stem.removeprefix("instances_")
    here, above = path.parent, path.parent.parent
    folders = (here, here / "images", here / split, above / split, above / "images" / split, above / "images")
    for folder in folders:
        if any(kind_of(folder / image.file_name) == "file" for image in images):
            return folder
    if not images:
        raise DataError(f"{path} lists no images, expected {EXPECTED}")
    missing = f"{len(images):,} pictures of {path}, such as {images[0].file_name}"
    raise DataError(f"none of the {missing}, is there; put them beside the JSON, or into images there")
