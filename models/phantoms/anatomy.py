"""A made-up thorax in numbers: outlines, bones and vessels, varied by a seed.

All lengths are millimetres at the detector (the beam is parallel), x to the right of the image from the
midline, y downwards from the upper edge of a field of 352 mm. Sizes follow what chest films of adults
show; nothing is taken from any image.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.phantoms.tubes import Segments, polyline

__all__ = ["FIELD_MM", "LUNG", "SOFT_TISSUE", "Anatomy"]

FIELD_MM = 352.0
SOFT_TISSUE = 0.0205
"""Linear attenuation of water near 60 keV, per mm (NIST XCOM 0.206 per cm)."""
LUNG = 0.0054
"""The same of inflated lung, 0.26 g per cubic centimetre."""
_BONE = 0.055
_GENERATIONS = 7
_STEPS = 4

Field = NDArray[np.float32]


@dataclass(frozen=True)
class Anatomy:
    """One thorax.

    Parameters
    ----------
    seed : int
        Everything that varies from phantom to phantom follows from it.
    """

    seed: int

    @cached_property
    def _vary(self) -> dict[str, float]:
        rng = np.random.default_rng([self.seed, 1])
        spans = {
            "width": 0.05,
            "apex": 5.0,
            "dome": 10.0,
            "heart": 0.08,
            "depth": 0.08,
            "spine": 4.0,
            "shift": 5.0,
            "ribs": 4.0,
        }
        return {name: float(rng.uniform(-span, span)) for name, span in spans.items()}

    @property
    def midline(self) -> float:
        """Where the midline lies: patients stand a little off centre."""
        return self._vary["shift"]

    @property
    def apex(self) -> float:
        """The y of the lung apices."""
        return 40.0 + self._vary["apex"]

    def dome(self, side: int) -> float:
        """Return the y of the top of a diaphragm dome; ``side`` is 1 on the patient's left."""
        return 248.0 + self._vary["dome"] + (12.0 if side > 0 else 0.0)

    def lung_outer(self, y: Field) -> Field:
        """Return how far a lung reaches from the midline at every y."""
        depth = np.clip((y - self.apex) / (225.0 - self.apex), 0, 1)
        reach = 141.0 * (1 + self._vary["width"]) * (1 - (1 - depth) ** 2.6) ** 0.52
        return np.asarray(reach, dtype=np.float32)

    def lung_inner(self, y: Field) -> Field:
        """Return how far the mediastinum reaches from the midline at every y."""
        upper = 15.0 + 9.0 / (1 + np.exp(-(y - 85.0) / 10.0))
        return np.asarray(upper - 4.0 / (1 + np.exp(-(y - 170.0) / 15.0)), dtype=np.float32)

    def crest(self, x: Field, side: int) -> Field:
        """Return the y of the diaphragm's silhouette at every distance x from the midline."""
        away = (np.abs(x) - 72.0) / 72.0
        drop = np.where(away > 0, 46.0 * np.abs(away) ** 2.6, 14.0 * np.abs(away) ** 2)
        return np.asarray(self.dome(side) + drop, dtype=np.float32)

    @cached_property
    def chest_depth(self) -> float:
        """Half of the trunk's depth along the beam."""
        return 104.0 * (1 + self._vary["depth"])

    @cached_property
    def heart_scale(self) -> float:
        """How large the heart is beside the usual."""
        return 1 + self._vary["heart"]

    def bones(self) -> list[Segments]:
        """Return ribs, clavicles and scapular borders."""
        parts: list[Segments] = []
        for side in (-1, 1):
            for rib in range(11):
                parts += self._rib(rib, side)
            parts += self._clavicle(side) + self._scapula(side)
        return parts

    def _rib(self, rib: int, side: int) -> list[Segments]:
        rng = np.random.default_rng([self.seed, 2, rib])
        start = 48.0 + self._vary["ribs"] + 20.5 * rib + rng.uniform(-1.5, 1.5)
        drop = float(np.interp(rib, (0, 2, 5, 10), (26.0, 52.0, 82.0, 96.0))) + rng.uniform(-3, 3)
        end = float(np.interp(rib, (0, 6, 8, 10), (140.0, 142.0, 128.0, 104.0)))
        angle = np.deg2rad(np.linspace(0.0, end, 90))
        fall = (1 - np.cos(angle)) / 2
        y = start + drop * fall**0.85 - 5.0 * np.sin(2 * np.minimum(angle, np.pi / 2))
        wall_x = np.maximum(self.lung_outer(y.astype(np.float32)) + 3.0, 40.0)
        behind = 14.0 + (wall_x - 14.0) * np.sin(angle) ** 0.85
        x = np.where(angle > np.pi / 2, wall_x * np.sin(angle) ** 0.9, behind)
        z = -self.chest_depth * 0.8 * np.cos(angle)
        points = np.stack([self.midline + side * x, y, z], axis=1)
        height = np.interp(np.rad2deg(angle[1:]), (0, 40, 100, end), (4.5, 6.4, 6.8, 7.4))
        depth = 3.4
        fade = np.clip((end - np.rad2deg(angle[1:])) / 12, 0, 1)
        wall = np.interp(np.rad2deg(angle[1:]), (60, 110), (_BONE, 0.62 * _BONE)) * fade
        return [
            polyline(points, height, depth, wall, hollow=0.74),
            polyline(points, 0.74 * height, 0.74 * depth, 0.009 * fade),
        ]

    def _clavicle(self, side: int) -> list[Segments]:
        along = np.linspace(0, 1, 60)
        x = 15.0 + 148.0 * along
        y = 70.0 + self._vary["apex"] - 22.0 * along - 7.0 * np.sin(2 * np.pi * along)
        points = np.stack([self.midline + side * x, y, 70.0 - 60 * along], axis=1)
        half = np.interp(along[1:], (0, 0.15, 0.6, 1), (8.5, 6.0, 5.5, 7.5))
        return [polyline(points, half, 5.5, 0.034, hollow=0.68), polyline(points, 0.68 * half, 3.7, 0.010)]

    def _scapula(self, side: int) -> list[Segments]:
        lines = (
            ([(150, 84), (139, 120), (131, 160), (126, 196)], 3.0, 0.016),
            ([(112, 72), (113, 120), (119, 170), (126, 196)], 1.8, 0.012),
            ([(112, 92), (135, 70), (160, 56)], 5.0, 0.012),
        )
        parts = []
        for corners, half, attenuation in lines:
            knots = np.array(corners, dtype=float)
            along = np.linspace(0, len(knots) - 1, 40)
            x, y = (np.interp(along, np.arange(len(knots)), knots[:, k]) for k in (0, 1))
            points = np.stack([self.midline + side * x, y, np.full_like(x, -80.0)], axis=1)
            parts.append(polyline(points, half, half, attenuation, hollow=0.6))
        return parts

    def airways(self) -> list[Segments]:
        """Return trachea and main bronchi, as what they lack in attenuation beside soft tissue."""
        m = self.midline
        lines = (
            ([(m, -10), (m - 1, 60), (m - 4, 112)], 8.0),
            ([(m - 4, 110), (m - 20, 124), (m - 36, 140)], 5.5),
            ([(m - 4, 110), (m + 16, 127), (m + 40, 144)], 5.0),
        )
        parts = []
        for knots, half in lines:
            points = np.array([(x, y, 0.0) for x, y in knots])
            parts.append(polyline(points, half, half, -0.75 * SOFT_TISSUE))
        return parts

    def vessels(self) -> list[Segments]:
        """Return the branching vessels of both lungs."""
        return [piece for side in (-1, 1) for piece in self._tree(side)]

    def _tree(self, side: int) -> list[Segments]:
        rng = np.random.default_rng([self.seed, 3, side + 1])
        root = np.array([self.midline + side * 29.0, 134.0 - 4.0 * side, 0.0])
        angles = np.deg2rad([-72, -50, -24, 2, 24, 44, 60, 76]) + rng.uniform(-0.1, 0.1, 8)
        heading = np.stack([side * np.cos(angles), np.sin(angles), rng.uniform(-0.6, 0.6, 8)], axis=1)
        heading /= np.linalg.norm(heading, axis=1, keepdims=True)
        place = np.repeat(root[None], 8, axis=0) + rng.normal(0, (3, 8, 8), (8, 3))
        radius = rng.uniform(4.6, 6.6, 8)
        parts = []
        for generation in range(_GENERATIONS):
            length = rng.uniform(22, 34, len(radius)) * 0.87**generation
            for step in range(_STEPS):
                heading = heading + rng.normal(0, 0.13, heading.shape)
                heading /= np.linalg.norm(heading, axis=1, keepdims=True)
                onward = place + heading * (length / _STEPS)[:, None]
                tapered = radius * (1 - 0.06 * step)
                parts.append(self._pieces(place, onward, tapered, side))
                place = onward
            spread = rng.normal(0, 1, heading.shape)
            spread -= (spread * heading).sum(axis=1, keepdims=True) * heading
            spread /= np.linalg.norm(spread, axis=1, keepdims=True)
            spread[:, 2] *= 0.7
            width = rng.uniform(0.3, 0.6, len(radius))[:, None]
            heading = np.concatenate([heading + width * spread, heading - width * spread])
            share = rng.uniform(0.68, 0.86, len(radius))
            radius = np.concatenate([radius * share, radius * np.sqrt(1 - 0.55 * share**2) * 0.86])
            place = np.concatenate([place, place])
            alive = self._inside(place, side) & (radius > 0.3)
            heading, radius, place = heading[alive], radius[alive], place[alive]
        return parts

    def _pieces(
        self, start: NDArray[np.float64], end: NDArray[np.float64], radius: NDArray[np.float64], side: int
    ) -> Segments:
        inside = self._inside(end, side)
        n = int(inside.sum())
        solid = np.full(n, SOFT_TISSUE - LUNG)
        return Segments(start[inside], end[inside], radius[inside], radius[inside], np.zeros(n), solid)

    def _inside(self, points: NDArray[np.float64], side: int) -> NDArray[np.bool_]:
        x = (side * (points[:, 0] - self.midline)).astype(np.float32)
        y = points[:, 1].astype(np.float32)
        inside = (x > 12) & (x < self.lung_outer(y) - 7) & (y > self.apex + 8)
        return np.asarray(inside & (y < self.crest(x, side) + 12) & (np.abs(points[:, 2]) < 62))
