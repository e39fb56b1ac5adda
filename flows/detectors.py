"""Open networks of a process, kept by content, so that a study finds them loaded."""

from __future__ import annotations

import gc
from collections import OrderedDict

from flows.settings import RuntimeSettings
from models.detector import Detector, open_detector
from models.package import Package
from models.registry import Registry

__all__ = ["DetectorCache"]


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
        self._detectors: OrderedDict[tuple[str, int | None], Detector] = OrderedDict()

    def package(self, reference: str, content_hash: str | None = None) -> Package:
        """Return a verified package; it is read again when it is not the one that was asked for."""
        known = self._packages.get(reference)
        if known is None or (content_hash is not None and known.content_hash != content_hash):
            known = self._packages[reference] = self._registry.get(reference)
        return known

    def detector(self, package: Package, members: int | None = None) -> Detector:
        """Return the opened networks of a package, or of its first members."""
        key = package.content_hash, members
        if key not in self._detectors:
            self._detectors[key] = self._open(package, members, self._runtime.threads)
        self._detectors.move_to_end(key)
        while len(self._detectors) > self._capacity:
            self._detectors.popitem(last=False)
        return self._detectors[key]

    def smaller_detector(self, package: Package, members: int | None = None) -> Detector:
        """Drop everything that is open and open one package with one thread: the least memory there is."""
        self._detectors.clear()
        gc.collect()
        return self._open(package, members, 1)

    def _open(self, package: Package, members: int | None, threads: int) -> Detector:
        return open_detector(package, self._runtime.provider, threads, members=members)

    def warm_up(self, reference: str, members: int | None = None) -> None:
        """Verify and open a package and run it once, so that all its memory is claimed."""
        self.detector(self.package(reference), members).warm_up()
