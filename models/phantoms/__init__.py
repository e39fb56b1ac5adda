"""Made-up films with known content, for tests and demonstrations; they show nobody."""

from __future__ import annotations

from models.phantoms.chest import ChestPhantom, chest_phantom, random_nodules
from models.phantoms.nodules import NoduleTruth, PhantomNodule

__all__ = ["ChestPhantom", "NoduleTruth", "PhantomNodule", "chest_phantom", "random_nodules"]
