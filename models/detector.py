"""From a package to something that reads films: which code of the core reads which family."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from models.chest_nodule.detector import ChestNoduleDetector
from models.film import Film
from models.onnx_header import read_onnx_versions
from models.package import Package, PackageError, Tensor
from models.results import FilmReading
from models.runtime import Provider, Session, TensorSpec, open_session

__all__ = ["Detector", "check_graph", "open_detector"]


class Detector(Protocol):
    """Reads one film with all members of a package."""

    def detect(self, film: Film) -> FilmReading:
        """Return every candidate and the score of the film."""


_FAMILIES: dict[tuple[str, str], Callable[[Package, Callable[[Path], Session]], Detector]] = {
    ("detect", "centre-heatmap"): ChestNoduleDetector,
}
_DTYPES = {"float32": "float", "float16": "float16", "uint8": "uint8", "int64": "int64"}


def open_detector(package: Package, provider: Provider = "cpu", threads: int = 0) -> Detector:
    """Open every member of a package and check its graph against the manifest.

    Raises
    ------
    PackageError
        The family is unknown, or a network is not what the manifest says.
    RuntimeUnavailable
        The runtime is missing.
    """
    about = package.manifest.package
    maker = _FAMILIES.get((about.task, about.family))
    if maker is None:
        known = ", ".join(f"{task}/{family}" for task, family in sorted(_FAMILIES))
        raise PackageError(
            f"{package.reference}: nothing here reads {about.task}/{about.family}; known are {known}"
        )
    return maker(package, partial(_open_checked, package, provider, threads))


def _open_checked(package: Package, provider: Provider, threads: int, path: Path) -> Session:
    _check_versions(package, path)
    session = open_session(path, provider, threads)
    check_graph(package, path, session)
    return session


def _check_versions(package: Package, path: Path) -> None:
    stated = next(member for member in package.manifest.members if member.file == path.name)
    try:
        found = read_onnx_versions(path.read_bytes())
    except (OSError, ValueError) as error:
        raise PackageError(f"{path}: is no ONNX network: {error}") from error
    if (found.ir_version, found.opset) != (stated.ir_version, stated.opset):
        raise PackageError(
            f"{path}: has IR version {found.ir_version} and opset {found.opset}, the manifest says "
            f"{stated.ir_version} and {stated.opset}; correct the manifest or export the network again"
        )


def check_graph(package: Package, path: Path, session: Session) -> None:
    """Compare a network's inputs and outputs with the manifest: names, element types and fixed axes.

    Raises
    ------
    PackageError
        They differ.
    """
    pairs = ((package.manifest.tensor,), session.inputs), (package.manifest.outputs, session.outputs)
    for stated, found in pairs:
        names = [tensor.name for tensor in stated], [spec.name for spec in found]
        if sorted(names[0]) != sorted(names[1]):
            raise PackageError(f"{path}: the manifest names {names[0]}, the network has {names[1]}")
        by_name = {spec.name: spec for spec in found}
        for tensor in stated:
            _check_tensor(path, tensor, by_name[tensor.name])


def _check_tensor(path: Path, tensor: Tensor, spec: TensorSpec) -> None:
    if spec.dtype != f"tensor({_DTYPES[tensor.dtype]})":
        raise PackageError(f"{path}: {tensor.name} is {spec.dtype}, the manifest says {tensor.dtype}")
    fits = len(spec.shape) == len(tensor.shape) and all(
        axis is None or not isinstance(wanted, int) or axis == wanted
        for axis, wanted in zip(spec.shape, tensor.shape, strict=True)
    )
    if not fits:
        raise PackageError(f"{path}: {tensor.name} has shape {spec.shape}, the manifest says {tensor.shape}")
