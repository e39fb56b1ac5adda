"""Open networks of a process, kept by content, so that a study finds them loaded."""

from __future__ import annotations

import gc
from collections import OrderedDict

import numpy as np

from flows.settings import RuntimeSettings
from models.detector import Detector, open_detector
from models.film import Film
from models.package import Package
from models.registry import Registry

__all__ = ["DetectorCache"]

_WARM_UP_SHAPE = (1024, 1024)


class DetectorCache:
    """Packages that were verified and networks that were opened, the last used ones.

    Nothing in it depends on a study.

    Parameters
    ----------
    runtime : RuntimeSettings
        Provider, threads and package folders.
    capacity : int
        How many packages stay open.
    """

    def __init__(self, runtime: RuntimeSettings, capacity: int = 4) -> None:
        self._runtime = runtime
        self._capacity = capacity
        self._registry = Registry(runtime.package_dirs)
        self._packages: dict[str, Package] = {}
        self._detectors: OrderedDict[str, Detector] = OrderedDict()

    def package(self, reference: str, content_hash: str | None = None) -> Package:
        """Return a verified package; it is read again when it is not the one that was asked for."""
        known = self._packages.get(reference)
        if known is None or (content_hash is not None and known.content_hash != content_hash):
            known = self._packages[reference] = self._registry.get(reference)
        return known

    def detector(self, package: Package) -> Detector:
        """Return the opened networks of a package."""
        key = package.content_hash
        if key not in self._detectors:
            self._detectors[key] = open_detector(package, self._runtime.provider, self._runtime.threads)
        self._detectors.move_to_end(key)
        while len(self._detectors) > self._capacity:
            self._detectors.popitem(last=False)
        return self._detectors[key]

    def smaller_detector(self, package: Package) -> Detector:
        """Drop everything that is open and open one package with one thread: the least memory there is."""
        self._detectors.clear()
        gc.collect()
        return open_detector(package, self._runtime.provider, 1)

    def warm_up(self, reference: str) -> None:
        """Verify and open a package and run it once, so that all its memory is claimed."""
        detector = self.detector(self.package(reference))
        ramp = np.linspace(0.0, 1.0, _WARM_UP_SHAPE[1], dtype=np.float32)
        pixels = np.broadcast_to(ramp, _WARM_UP_SHAPE).copy()
        detector.detect(
            Film(sop_instance_uid="2.25.0", pixels=pixels, view="PA", pixel_spacing_mm=(0.3, 0.3))
        )
