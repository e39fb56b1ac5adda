"""The schema of ``package.toml``: its networks, and which of them reads a study."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pydantic import Field, model_validator

from models.exam_tables import ExamRules
from models.package_tables import (
    About,
    Calibration,
    Code,
    FindingConcept,
    InputContract,
    Member,
    Metric,
    OperatingPoint,
    Resources,
    Table,
    Tensor,
    TrainingData,
    VolumeContract,
    check_subsets,
)
from models.sequences import SEQUENCES, in_words
from models.sequences import Sequence as SequenceName

__all__ = [
    "MAIN",
    "Branch",
    "ClassificationOutput",
    "Network",
    "PackageManifest",
    "Plan",
    "UnsupportedSubset",
]

MAIN = "main"
"""Name of the network that the manifest itself describes, apart from its branches."""


class Network(Table):
    """An ensemble: the tensors of its members, how they are fed and from which score they count.

    ``ensemble`` members, from the first, take part unless a study asks for another number; all of them
    where it is absent. The others are there for figures on patients that the first ones have seen.
    """

    tensor: Tensor
    outputs: tuple[Tensor, ...] = Field(min_length=1)
    preprocessing: dict[str, int | float | str | bool] = Field(default_factory=dict)
    members: tuple[Member, ...] = Field(min_length=1)
    ensemble: int | None = Field(default=None, ge=1)
    operating_point: OperatingPoint

    @model_validator(mode="after")
    def _enough_members(self) -> Network:
        if self.ensemble is not None and self.ensemble > len(self.members):
            raise ValueError(f"ensemble asks for {self.ensemble} of {len(self.members)} members")
        return self


class Branch(Network):
    """Other networks of the package, for studies that the main ones cannot read."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")
    title: str = Field(min_length=1)
    subsets: tuple[tuple[SequenceName, ...], ...] = Field(min_length=1)
    reference: SequenceName
    spacing_mm: float = Field(gt=0, description="Pixel distance that the networks are made for.")
    statements: tuple[str, ...] = Field(min_length=1, description="What a result by it must say.")
    finding: str | None = Field(
        default=None, description="Key of what it marks; the first finding without one."
    )

    @model_validator(mode="after")
    def _subsets(self) -> Branch:
        check_subsets(self.subsets, self.reference)
        if self.name == MAIN:
            raise ValueError(f"{MAIN!r} is the name of the package's main network")
        return self


class ClassificationOutput(Table):
    """An output that classifies the study, apart from what is outlined."""

    key: str
    branch: str = Field(default=MAIN, description="Whose output it is.")
    output: str = Field(description="Name of the tensor, one share per class.")
    name: Code = Field(description="What is classified.")
    classes: tuple[FindingConcept, ...] = Field(min_length=2, description="In the order of the output.")
    statements: tuple[str, ...] = ()


class UnsupportedSubset(Exception):
    """A study that no network of a package reads; the text says what there is and what would do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which networks read a study, and with what.

    Parameters
    ----------
    branch : str
        ``MAIN`` or the name of a branch.
    sequences : tuple of str
        What is read.
    reference : str
        The one of them whose grid is the working grid and whose series carries the result.
    missing : tuple of str
        What the main network would read too and the study does not have.
    spacing_mm : float
        Pixel distance of the working grid.
    statements : tuple of str
        What the result must say.
    """

    branch: str
    sequences: tuple[SequenceName, ...]
    reference: SequenceName
    missing: tuple[SequenceName, ...]
    spacing_mm: float
    statements: tuple[str, ...] = ()


class PackageManifest(Network):
    """``package.toml``."""

    package: About
    input: InputContract
    findings: tuple[FindingConcept, ...] = Field(min_length=1)
    branches: tuple[Branch, ...] = ()
    classifications: tuple[ClassificationOutput, ...] = ()
    calibration: Calibration | None = None
    exam: ExamRules | None = Field(
        default=None, description="How images of one examination are read together; with input.mammography."
    )
    resources: Resources
    training_data: tuple[TrainingData, ...] = ()
    metrics: tuple[Metric, ...] = ()

    @property
    def all_members(self) -> tuple[Member, ...]:
        """Every network file that the manifest names: the main ones, then those of each branch."""
        return (*self.members, *(member for branch in self.branches for member in branch.members))

    @property
    def sequences(self) -> tuple[SequenceName, ...]:
        """Every sequence that a network of the package reads; empty for films."""
        read = {name for plan in self.plans for name in plan.sequences}
        return tuple(name for name in SEQUENCES if name in read)

    @property
    def plans(self) -> tuple[Plan, ...]:
        """Every way to read a study: subsets of the main network, then of the branches; none for films."""
        contract = self.input.volume
        if contract is None:
            return ()
        wanted = dict.fromkeys(name for subset in contract.subsets for name in subset)
        networks: tuple[VolumeContract | Branch, ...] = (contract, *self.branches)
        return tuple(
            Plan(
                branch=network.name if isinstance(network, Branch) else MAIN,
                sequences=subset,
                reference=network.reference,
                missing=tuple(name for name in wanted if name not in subset),
                spacing_mm=network.spacing_mm,
                statements=network.statements if isinstance(network, Branch) else (),
            )
            for network in networks
            for subset in network.subsets
        )

    def finding_of(self, network: str = MAIN) -> FindingConcept:
        """Return what the main network or a branch marks; KeyError where there is no such branch."""
        key = None if network == MAIN else {branch.name: branch for branch in self.branches}[network].finding
        return next(finding for finding in self.findings if key in (None, finding.key))

    def network(self, name: str = MAIN) -> Network:
        """Return the main network or a branch by its name; KeyError where there is none."""
        if name == MAIN:
            return self
        return {branch.name: branch for branch in self.branches}[name]

    def choose(self, available: Collection[str]) -> Plan:
        """Choose the networks and the sequences for a study.

        The main network comes first, then the branches in the manifest's order; of a network's subsets the
        largest that the study has, the first of equals.

        Parameters
        ----------
        available : collection of str
            The sequences that the study has.

        Raises
        ------
        UnsupportedSubset
            No network reads such a study.
        """
        if self.input.volume is None:
            raise UnsupportedSubset("the package reads single images, not volumes")
        there = set(available)
        fitting = [plan for plan in self.plans if there.issuperset(plan.sequences)]
        if fitting:
            return max((p for p in fitting if p.branch == fitting[0].branch), key=lambda p: len(p.sequences))
        every = [set(plan.sequences) for plan in self.plans]
        least = [plan.sequences for plan in self.plans if not any(one < set(plan.sequences) for one in every)]
        raise UnsupportedSubset(
            f"the study has {_listed(sorted(there)) if there else 'no sequence that is known'}; "
            f"needed is {', or '.join(dict.fromkeys(_listed(one) for one in least))}"
        )

    @model_validator(mode="after")
    def _consistent(self) -> PackageManifest:
        files = [member.file for member in self.all_members]
        if len(set(files)) != len(files):
            raise ValueError("two members name the same file")
        if self.calibration is not None and len(self.calibration.members) != len(self.members):
            raise ValueError("calibration.members must have one map per member")
        if self.branches and self.input.volume is None:
            raise ValueError("branches are chosen by sequences: input.volume is needed")
        names = [branch.name for branch in self.branches]
        if len(set(names)) != len(names):
            raise ValueError("two branches have the same name")
        keys = {finding.key for finding in self.findings}
        for branch in self.branches:
            if branch.finding is not None and branch.finding not in keys:
                raise ValueError(f"branch {branch.name!r} marks {branch.finding!r}, which is no finding")
        for classification in self.classifications:
            self._check_classification(classification)
        self._check_exam()
        return self

    def _check_exam(self) -> None:
        if (self.exam is None) != (self.input.mammography is None):
            raise ValueError("exam and input.mammography come together")
        if self.exam is None:
            return
        if self.calibration is None:
            raise ValueError("an examination needs calibration")
        if len(self.exam.image.abnormal_members) not in {0, len(self.members)}:
            raise ValueError("exam.image.abnormal_members must have one map per member, or none")
        if self.exam.density and "density" not in {tensor.name for tensor in self.outputs}:
            raise ValueError("exam.density is wanted, and there is no output 'density'")

    def _check_classification(self, classification: ClassificationOutput) -> None:
        key = classification.key
        try:
            outputs = {tensor.name: tensor for tensor in self.network(classification.branch).outputs}
        except KeyError:
            raise ValueError(
                f"classification {key!r}: there is no branch {classification.branch!r}"
            ) from None
        tensor = outputs.get(classification.output)
        if tensor is None:
            raise ValueError(f"classification {key!r}: there is no output {classification.output!r}")
        if isinstance(tensor.shape[-1], int) and tensor.shape[-1] != len(classification.classes):
            raise ValueError(f"classification {key!r}: the output has {tensor.shape[-1]} classes")


def _listed(sequences: Sequence[str]) -> str:
    words = [in_words(name) for name in sequences]
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
