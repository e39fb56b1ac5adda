"""What the manifest fixes for one ensemble of the package: how slices are laid out, and the rules after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from models.package import Branch, Network, Package, PackageError, VolumeContract
from models.preprocessing.brain import CHANNELS, SEQUENCES

__all__ = ["PARAMETERS", "Settings", "settings_of"]

Layout = Literal["context", "contrast"]
PARAMETERS = ("flip", "largest_component", "layout", "minimum_volume_ml")
"""What the preprocessing table of every ensemble must hold."""

PROBABILITY = "probability"
"""Name of the output that marks voxels."""

_CHANNELS = {"context": CHANNELS, "contrast": 1}


@dataclass(frozen=True, slots=True)
class Settings:
    """How one ensemble reads.

    Parameters
    ----------
    layout : {"context", "contrast"}
        ``member_input`` or ``contrast_input`` of :mod:`models.preprocessing.brain`.
    operating_point : float
        Mean probability from which a voxel is marked.
    flip : bool
        Whether members also read the mirrored slices.
    largest_component : bool
        Whether only the largest region is reported.
    minimum_volume_ml : float
        Regions below it are not reported.
    neighbour_mm : float or None
        Distance of the neighbours that a slice is shown with; None for the next slices.
    batch : int
        Slices in one run.
    """

    layout: Layout
    operating_point: float
    flip: bool
    largest_component: bool
    minimum_volume_ml: float
    neighbour_mm: float | None = None
    batch: int = 4

    def __post_init__(self) -> None:
        if self.layout not in _CHANNELS:
            raise ValueError(f"layout is one of {', '.join(_CHANNELS)}, not {self.layout!r}")
        if not 0 < self.operating_point <= 1:
            raise ValueError("operating_point lies in (0, 1]")
        if self.minimum_volume_ml < 0:
            raise ValueError("minimum_volume_ml is not negative")
        if self.neighbour_mm is not None and self.neighbour_mm <= 0:
            raise ValueError("neighbour_mm is a length")
        if self.batch < 1:
            raise ValueError("batch is at least 1")

    def step(self, slice_spacing_mm: float) -> int:
        """Return how many slices away the neighbours are, at least 1."""
        if self.neighbour_mm is None:
            return 1
        return max(1, round(self.neighbour_mm / slice_spacing_mm))


def settings_of(package: Package, name: str) -> Settings:
    """Take the settings of the main ensemble or a branch from a manifest.

    Raises
    ------
    PackageError
        A parameter is missing or out of range, or the tensors do not fit the layout.
    """
    network = package.manifest.network(name)
    steps = network.preprocessing
    where = f"{package.reference}: [preprocessing] of {name}"
    missing = sorted(set(PARAMETERS) - set(steps))
    if missing:
        raise PackageError(f"{where} lacks {', '.join(missing)}")
    distance = steps.get("neighbour_mm")
    layout: Layout = "contrast" if steps["layout"] == "contrast" else "context"
    try:
        if steps["layout"] != layout:
            raise ValueError(f"layout is one of {', '.join(_CHANNELS)}, not {steps['layout']!r}")
        settings = Settings(
            layout=layout,
            operating_point=network.operating_point.score,
            flip=bool(steps["flip"]),
            largest_component=bool(steps["largest_component"]),
            minimum_volume_ml=float(steps["minimum_volume_ml"]),
            neighbour_mm=None if distance is None else float(distance),
            batch=int(steps.get("batch", 4)),
        )
        _check_tensors(network, settings.layout)
        _check_sequences(package, network, settings.layout)
    except ValueError as error:
        raise PackageError(f"{where}: {error}") from error
    return settings


def _check_tensors(network: Network, layout: Layout) -> None:
    channels = _CHANNELS[layout]
    if len(network.tensor.shape) != 4 or network.tensor.shape[1] != channels:
        raise ValueError(f"layout {layout} needs a tensor of four axes with {channels} channels")
    if network.tensor.dtype != "float32":
        raise ValueError("tensors are float32")
    if PROBABILITY not in {tensor.name for tensor in network.outputs}:
        raise ValueError(f"there is no output {PROBABILITY!r}")


def _check_sequences(package: Package, network: Network, layout: Layout) -> None:
    reads: Branch | VolumeContract | None = (
        network if isinstance(network, Branch) else package.manifest.input.volume
    )
    if reads is None:
        raise ValueError("the package has no input.volume")
    for subset in reads.subsets:
        if layout == "contrast" and len(subset) != 1:
            raise ValueError("layout contrast reads one sequence")
        if layout == "context" and not set(subset) <= set(SEQUENCES):
            raise ValueError(f"layout context reads {', '.join(SEQUENCES)} only")
