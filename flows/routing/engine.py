"""Which routes read a study: tag tests first, then the package's own input contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydicom.dataset import Dataset

from dicom_io.reading import Rejected, Selection, select_instances
from flows.left_out import is_of_another_kind, is_said_mammogram
from flows.routing.conditions import definite_failures, failures
from flows.routing.rules import Route
from models.package import InputContract, Package, PackageError

__all__ = [
    "Header",
    "InstanceExplanation",
    "PackageSource",
    "RouteExplanation",
    "RouteMatch",
    "RoutingDecision",
    "UnreadInstance",
    "route_study",
]

Header = tuple[Path, Dataset]
Select = Callable[[Sequence[Header], InputContract], Selection]


class PackageSource(Protocol):
    """Where packages come from; `models.registry.Registry` is one."""

    def get(self, reference: str) -> Package:
        """Return the package of ``name`` or ``name@version``; PackageError where it cannot be had."""
        ...


@dataclass(frozen=True, slots=True)
class UnreadInstance:
    """An instance whose header need not be read: what is known of it fits no route."""

    sop_instance_uid: str
    modality: str
    sop_class_uid: str

    @property
    def known(self) -> dict[str, str]:
        """Its attributes by keyword."""
        return {"Modality": self.modality, "SOPClassUID": self.sop_class_uid}


@dataclass(frozen=True, slots=True)
class InstanceExplanation:
    """What a route says of one instance; ``code`` is ``selected``, ``tags`` or that of the contract."""

    sop_instance_uid: str
    code: str
    text: str

    @property
    def selected(self) -> bool:
        """Whether the package will read it."""
        return self.code == "selected"


@dataclass(frozen=True, slots=True)
class RouteExplanation:
    """What a route says of a study, in words free of protected health information."""

    route: str
    package: str
    matched: bool
    text: str
    instances: tuple[InstanceExplanation, ...] = ()
    problem: str | None = None

    @property
    def selected(self) -> int:
        """How many instances the package will read."""
        return sum(one.selected for one in self.instances)

    def lines(self) -> list[str]:
        """Return the verdict and one line per different reason, with how many instances it holds for."""
        counts = Counter((one.code == "selected", one.text) for one in self.instances)
        reasons = [
            f"  {count} instance{'s' if count != 1 else ''}: {text}"
            for (_, text), count in counts.most_common()
        ]
        return [f"{self.route}: {self.text}", *reasons]


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """A route that reads the study, with what its package selects.

    ``refused`` are images of the kind that the package reads where it selects none: the study becomes a job
    all the same, whose report says why it was not read.
    """

    route: Route
    package: Package
    selection: Selection
    refused: tuple[Rejected, ...] = ()

    @property
    def sop_instance_uids(self) -> tuple[str, ...]:
        """The selected instances, or those that the job refuses."""
        selected = [str(one.header.SOPInstanceUID) for one in self.selection.selected]
        return tuple(selected or dict.fromkeys(one.sop_instance_uid for one in self.refused))


@dataclass(frozen=True, slots=True)
class RoutingDecision:
    """The routes that read a study, and what every route says of it."""

    matches: tuple[RouteMatch, ...]
    explanations: tuple[RouteExplanation, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """What kept a route from being decided: a package that cannot be loaded."""
        return tuple(f"route {e.route}: {e.problem}" for e in self.explanations if e.problem is not None)

    @property
    def reason(self) -> str:
        """One line for a list of studies."""
        if self.matches:
            return "; ".join(
                f"{match.route.name}: {len(match.sop_instance_uids)} for {match.package.reference}"
                + (", which refuses them" if match.refused else "")
                for match in self.matches
            )
        if not self.explanations:
            return "there is no route"
        return "; ".join(f"{e.route}: {e.text}" for e in self.explanations)

    def lines(self) -> list[str]:
        """Return every route's verdict and reasons as text."""
        return [line for explanation in self.explanations for line in explanation.lines()]


def route_study(
    headers: Sequence[Header],
    routes: Sequence[Route],
    registry: PackageSource,
    *,
    unread: Sequence[UnreadInstance] = (),
    select: Select = select_instances,
) -> RoutingDecision:
    """Decide which routes read a study, and say why or why not.

    Parameters
    ----------
    headers : sequence of (Path, Dataset)
        The instances of the study, without pixel data.
    routes : sequence of Route
        In the order of the configuration; each is decided on its own.
    registry : PackageSource
        Asked only for routes that an instance's tags fit.
    unread : sequence of UnreadInstance
        Instances of the study that fit no route, for the explanation.
    select : callable
        The package's input contract at work.
    """
    matches: list[RouteMatch] = []
    explanations: list[RouteExplanation] = []
    for route in routes:
        match, explanation = _decide(route, headers, unread, registry, select)
        explanations.append(explanation)
        if match is not None:
            matches.append(match)
    return RoutingDecision(tuple(matches), tuple(explanations))


def _decide(
    route: Route,
    headers: Sequence[Header],
    unread: Sequence[UnreadInstance],
    registry: PackageSource,
    select: Select,
) -> tuple[RouteMatch | None, RouteExplanation]:
    by_uid: dict[str, InstanceExplanation] = {}
    fitting: list[Header] = []
    for path, header in headers:
        reasons = failures(route.when, header)
        uid = str(header.SOPInstanceUID)
        if reasons:
            by_uid[uid] = InstanceExplanation(uid, "tags", "; ".join(reasons))
        else:
            fitting.append((path, header))
    for one in unread:
        reasons = definite_failures(route.when, one.known) or ["the package was not asked"]
        by_uid[one.sop_instance_uid] = InstanceExplanation(one.sop_instance_uid, "tags", "; ".join(reasons))
    if not fitting:
        text = _most_common(by_uid.values()) or "the study has no instance"
        return None, RouteExplanation(route.name, route.package, False, text, tuple(by_uid.values()))
    try:
        package = registry.get(route.package)
    except PackageError as error:
        problem = f"package {route.package} cannot be used: {error}"
        return None, RouteExplanation(
            route.name, route.package, False, problem, tuple(by_uid.values()), problem
        )
    selection = select(fitting, package.manifest.input)
    for chosen in selection.selected:
        uid = str(chosen.header.SOPInstanceUID)
        told = f"{chosen.told}; " if chosen.told else ""
        by_uid[uid] = InstanceExplanation(uid, "selected", f"{told}read by {package.reference}")
    for left_out in selection.rejected:
        by_uid[left_out.sop_instance_uid] = InstanceExplanation(
            left_out.sop_instance_uid, left_out.code, left_out.reason
        )
    said = tuple(by_uid.values())
    if not selection.selected:
        text = _most_common(one for one in said if one.code != "tags") or "no instance is suitable"
        refused = _to_refuse(selection, package.manifest.input, dict(fitting))
        explanation = RouteExplanation(route.name, package.reference, bool(refused), text, said)
        return RouteMatch(route, package, selection, refused) if refused else None, explanation
    text = f"{len(selection.selected)} of {len(by_uid)} instances go to {package.reference}"
    return (
        RouteMatch(route, package, selection),
        RouteExplanation(route.name, package.reference, True, text, said),
    )


def _to_refuse(
    selection: Selection, contract: InputContract, headers: Mapping[Path, Dataset]
) -> tuple[Rejected, ...]:
    """Return the images that a report must speak of although none is read.

    A mammography study of raw data, spot views or specimens looks to the PACS like one that was read
    without findings, unless something comes back. Of chest films and volumes their own route says it.
    """
    if contract.mammography is None:
        return ()
    return tuple(
        one
        for one in selection.rejected
        if not is_of_another_kind(one.code) or is_said_mammogram(headers[one.path], one.code)
    )


def _most_common(instances: Iterable[InstanceExplanation]) -> str:
    counts = Counter(one.text for one in instances)
    return "; ".join(text for text, _ in counts.most_common(3))
