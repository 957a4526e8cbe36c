"""What a camera at a trade show would see, made of photographs of hands in front of a wall.

A hand is cut out by its colour (skin is redder than a wall) and put before other backgrounds; pictures without a sign
are made of other pictures, shapes, walls, and hands that show none. Then light, colour, blur, noise and JPEG change.
Pictures are [SIDE, SIDE, 3] uint8 RGB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.gesture_camera.data import NONE, SIDE, Labels, Pictures

Picture = NDArray[np.uint8]
Mask = NDArray[np.uint8]  # [SIDE, SIDE], 255 where the hand is
Rng = np.random.Generator


def hand_mask(picture: Picture) -> Mask:
    """Where the hand is: the largest region that is redder than bluer, by Otsu's threshold (1979)."""
    redder = cv2.subtract(picture[..., 0], picture[..., 2])
    _, mask = cv2.threshold(cv2.GaussianBlur(redder, (3, 3), 0), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    count, regions, facts, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    if count < 2:
        return np.zeros(mask.shape, np.uint8)
    return np.where(regions == 1 + facts[1:, cv2.CC_STAT_AREA].argmax(), 255, 0).astype(np.uint8)


@dataclass(frozen=True)
class Material:
    """What training pictures are made of.

    Args:
        hands: [N] photographs.
        signs: [N] what they show.
        masks: [N, SIDE, SIDE] where their hands are.
        others: [M] pictures without hands; may be empty.
    """

    hands: Pictures
    signs: Labels
    masks: NDArray[np.uint8]
    others: Pictures

    @staticmethod
    def of(hands: Pictures, signs: Labels, others: Pictures) -> Material:
        return Material(hands, signs, np.stack([hand_mask(hand) for hand in hands]), others)


@dataclass(frozen=True)
class Augmenter:
    """Draws training pictures; all chance comes from the generator that is handed in."""

    material: Material

    def epoch(self, rng: Rng, times: int = 2) -> Iterator[tuple[Picture, int]]:
        """Each hand ``times`` times, half as many pictures without a sign, shuffled, each with its label."""
        count = len(self.material.hands)
        order = rng.permutation(np.concatenate([np.tile(np.arange(count), times), np.full(times * count // 2, -1)]))
        for row in order:
            if row < 0:
                yield self.nothing(rng), NONE
            else:
                yield self.hand(int(row), rng), int(self.material.signs[row])

    def hand(self, row: int, rng: Rng) -> Picture:
        """A photograph from elsewhere, before another background, in another light."""
        move = _movement(rng, scale=(0.7, 1.25), turn=22, shift=0.13)
        picture, mask = self.material.hands[row], self.material.masks[row]
        if rng.random() < 0.6:
            seen = _moved(picture, move)
            ground = self.ground(rng)
            picture = _over(_tinted(seen, rng), _moved(mask, move), ground, rng)
        else:
            picture = _moved(picture, move)
        if rng.random() < 0.3:
            picture = _cut_out(picture, rng)
        return photographed(picture, rng)

    def nothing(self, rng: Rng) -> Picture:
        """A picture that shows no sign."""
        kinds: tuple[Callable[[Rng], Picture], ...] = (
            self.ground, self.ground, self.other, self.wall, self.shuffled, self.edge, self.blobs,
        )  # fmt: skip
        picture = kinds[rng.integers(len(kinds))](rng)
        return photographed(picture, rng)

    def ground(self, rng: Rng) -> Picture:
        """A background: a plain one, a textured one, shapes, other pictures."""
        kinds = (_plain, _texture, _shapes, self.other, self.collage)
        return kinds[rng.integers(len(kinds))](rng)

    def other(self, rng: Rng) -> Picture:
        """A part of one of the other pictures."""
        if not len(self.material.others):
            return _shapes(rng)
        picture = self.material.others[rng.integers(len(self.material.others))]
        side = picture.shape[0]
        size = int(rng.integers(side // 2, side + 1))
        x, y = rng.integers(0, side - size + 1, 2)
        part = picture[y : y + size, x : x + size, :]
        part = part[:, ::-1] if rng.random() < 0.5 else part
        method = cv2.INTER_CUBIC if rng.random() < 0.7 else cv2.INTER_NEAREST
        return _picture(cv2.resize(np.ascontiguousarray(part), (SIDE, SIDE), interpolation=method))

    def collage(self, rng: Rng) -> Picture:
        """Several side by side: finer than one of them."""
        count = int(rng.integers(2, 5))
        rows = [np.hstack([_small(self.other(rng), SIDE // count + 1) for _ in range(count)]) for _ in range(count)]
        return np.vstack(rows)[:SIDE, :SIDE]

    def wall(self, rng: Rng) -> Picture:
        """A photograph without its hand: what lies around it, spread into its place."""
        row = rng.integers(len(self.material.hands))
        mask = cv2.dilate(self.material.masks[row], np.ones((15, 15), np.uint8))
        around = (mask == 0).astype(np.float32)[..., None]
        weight = cv2.GaussianBlur(around, (0, 0), 15)[..., None] + 1e-3
        spread = cv2.GaussianBlur(self.material.hands[row] * around, (0, 0), 15) / weight
        return _over(_bytes(spread), _picture(mask), self.material.hands[row], rng)

    def shuffled(self, rng: Rng) -> Picture:
        """A hand in pieces: skin, edges, no sign."""
        picture = self._someone(rng)
        count = int(rng.integers(3, 5))
        edge = SIDE // count
        tiles = [
            picture[y * edge : (y + 1) * edge, x * edge : (x + 1) * edge] for y in range(count) for x in range(count)
        ]
        order = rng.permutation(len(tiles))
        rows = [np.hstack([tiles[order[y * count + x]] for x in range(count)]) for y in range(count)]
        return _small(np.vstack(rows), SIDE)

    def edge(self, rng: Rng) -> Picture:
        """A hand that is hardly in the picture, or so near that its fingers are not."""
        row = int(rng.integers(len(self.material.hands)))
        if rng.random() < 0.5:
            move = _movement(rng, scale=(2.6, 3.6), turn=180, shift=0.0)
            ys, xs = np.nonzero(self.material.masks[row][SIDE // 2 :])
            if len(xs):  # the palm comes to the middle
                centre = np.array([xs.mean(), ys.mean() + SIDE // 2])
                move[:, 2] = SIDE / 2 - move[:, :2] @ centre
            return _moved(self.material.hands[row], move)
        move = _movement(rng, scale=(0.8, 1.2), turn=40, shift=0.05)
        move[:, 2] += ((0.75, 0.0), (-0.75, 0.0), (0.0, 0.8))[rng.integers(3)] * np.array(SIDE)
        mask = _picture(cv2.warpAffine(self.material.masks[row], move, (SIDE, SIDE)))
        return _over(_moved(self.material.hands[row], move), mask, self.ground(rng), rng)

    def blobs(self, rng: Rng) -> Picture:
        """Faces, roughly: ovals of skin colour with dark spots, and hair."""
        picture = self.ground(rng)
        for _ in range(rng.integers(1, 3)):
            skin = _skin(rng)
            centre = rng.uniform(0.25, 0.75, 2) * SIDE
            wide = rng.uniform(0.12, 0.38) * SIDE
            high = wide * rng.uniform(1.0, 1.6)
            _oval(picture, centre - (0, high * 0.3), (wide * 1.15, high * 1.05), rng.integers(0, 110, 3), 0)
            _oval(picture, centre, (wide, high), skin, rng.uniform(-20, 20))
            for at in ((-0.4, -0.25), (0.4, -0.25), (0, 0.5)):
                spot = centre + np.array(at) * (wide, high)
                _oval(picture, spot, (wide * 0.2, high * 0.07), skin * rng.uniform(0.2, 0.7), 0)
            if rng.random() < 0.5:
                _oval(picture, np.add(centre, (0, high * 1.9)), (wide * 2, high), rng.integers(0, 256, 3), 0)
        return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 2)).astype(np.uint8)

    def _someone(self, rng: Rng) -> Picture:
        move = _movement(rng, scale=(0.8, 1.3), turn=30, shift=0.1)
        return _moved(self.material.hands[rng.integers(len(self.material.hands))], move)


def photographed(picture: Picture, rng: Rng) -> Picture:
    """In another light, by another camera."""
    x: Any = picture.astype(np.float32) / 255
    x = x ** np.float32(np.exp(rng.uniform(-0.45, 0.45)))
    x = (x - 0.5) * np.float32(rng.uniform(0.6, 1.3)) + np.float32(0.5 + rng.uniform(-0.15, 0.15))
    x *= np.exp(rng.uniform(-0.16, 0.16, 3)).astype(np.float32)
    if rng.random() < 0.3:
        first, last = rng.uniform(0.6, 1.2, 2)
        x *= np.linspace(first, last, SIDE, dtype=np.float32)[:, None, None]  # a light from above or below
    if rng.random() < 0.1:
        x = np.repeat(x.mean(axis=2, keepdims=True), 3, axis=2)
    if rng.random() < 0.4:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.4, 1.6))
    if rng.random() < 0.5:
        x = x + rng.normal(0, rng.uniform(0.005, 0.05), x.shape).astype(np.float32)
    picture = _bytes(x * 255)
    if rng.random() < 0.3:
        _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 95))])
        picture = _picture(cv2.imdecode(coded, cv2.IMREAD_COLOR))
    return picture


def _movement(rng: Rng, scale: tuple[float, float], turn: float, shift: float) -> NDArray[np.float64]:
    """A random affine map [2, 3] about the middle; half of them mirror, which makes a right hand a left one."""
    angle, shear = np.deg2rad(rng.uniform(-turn, turn)), rng.uniform(-0.1, 0.1)
    sizes = np.exp(rng.uniform(*np.log(scale))) * np.exp(rng.uniform(-0.08, 0.08, 2))
    linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.array(
        [[1, shear], [0, 1]]
    )
    linear = linear @ np.diag(sizes * (1 if rng.random() < 0.5 else -1, 1))
    middle = np.full(2, SIDE / 2)
    return np.column_stack([linear, middle - linear @ middle + rng.uniform(-shift, shift, 2) * SIDE])


def _moved(picture: Any, move: NDArray[np.float64]) -> Picture:
    return _picture(cv2.warpAffine(picture, move, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE))


def _over(picture: Picture, mask: Mask, ground: Picture, rng: Rng) -> Picture:
    """The hand of ``picture`` before ``ground``."""
    soft = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.6, 1.2)).astype(np.float32)[..., None] / 255
    return _bytes(picture * soft + ground * (1 - soft))


def _tinted(picture: Picture, rng: Rng) -> Picture:
    """Of another skin, from pale to dark, as far as a gain and a gamma make it."""
    x = (picture.astype(np.float32) / 255) ** np.float32(np.exp(rng.uniform(-0.3, 0.6)))
    return _bytes(x * np.exp(rng.uniform(-0.12, 0.12, 3)).astype(np.float32) * 255)


def _cut_out(picture: Picture, rng: Rng) -> Picture:
    """A rectangle of at most a quarter of the side in one colour."""
    x, y = rng.integers(0, SIDE, 2)
    width, height = rng.integers(6, SIDE // 4, 2)
    picture[y : y + height, x : x + width] = rng.integers(0, 256, 3)
    return picture


def _plain(rng: Rng) -> Picture:
    """A colour, or a gradient of two, pale ones mostly."""
    low = 120 if rng.random() < 0.6 else 0
    corners = rng.integers(low, 256, (2, 2, 3)).astype(np.float32)
    if rng.random() < 0.6:  # a wall has one hue
        corners = corners.mean(axis=2, keepdims=True) + rng.uniform(-20, 20, 3).astype(np.float32)
    corners = corners.mean(axis=(0, 1)) + (corners - corners.mean(axis=(0, 1))) * np.float32(rng.uniform(0, 1))
    return _bytes(cv2.resize(corners.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR))


def _texture(rng: Rng) -> Picture:
    """Noise of a random grain about a plain ground."""
    grain = int(rng.integers(3, SIDE))
    noise = rng.normal(0, rng.uniform(5, 50), (grain, int(rng.integers(3, SIDE)), 3 if rng.random() < 0.5 else 1))
    large = cv2.resize(noise.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return _bytes(_plain(rng) + large.reshape(SIDE, SIDE, -1))


def _shapes(rng: Rng) -> Picture:
    """Lines, boxes, ovals and fingers-like bars of any colour, skin's too."""
    picture = np.ascontiguousarray(_plain(rng))
    for _ in range(rng.integers(2, 14)):
        colour = _skin(rng) if rng.random() < 0.35 else rng.integers(0, 256, 3)
        (ax, ay), (bx, by) = rng.integers(-20, SIDE + 20, (2, 2))
        match rng.integers(3):
            case 0:
                cv2.rectangle(picture, (int(ax), int(ay)), (int(bx), int(by)), colour.tolist(), -1)
            case 1:
                cv2.line(picture, (int(ax), int(ay)), (int(bx), int(by)), colour.tolist(), int(rng.integers(1, 14)))
            case _:
                _oval(picture, np.array([ax, ay]), rng.uniform(2, SIDE / 3, 2), colour, rng.uniform(0, 180))
    return picture


def _skin(rng: Rng) -> NDArray[np.float64]:
    """A colour of skin, pale to dark."""
    return np.array([230, 175, 140]) * rng.uniform(0.3, 1.1) * np.exp(rng.normal(0, 0.07, 3))


def _oval(picture: Picture, centre: Any, axes: Any, colour: Any, angle: float) -> None:
    (x, y), (a, b) = (int(v) for v in centre), (max(1, int(v)) for v in axes)
    cv2.ellipse(picture, (x, y), (a, b), angle, 0, 360, np.clip(colour, 0, 255).astype(int).tolist(), -1)


def _small(picture: Picture, side: int) -> Picture:
    return _picture(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA))


def _bytes(values: Any) -> Picture:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _picture(values: Any) -> Picture:
    return np.asarray(values, np.uint8)
