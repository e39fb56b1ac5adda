"""The table ``[exam]`` of ``package.toml``: from candidates to images, breasts and an examination."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from models.package_tables import Platt, Table

__all__ = ["AsymmetryRules", "ExamRules", "ImageRules", "PairingRules", "SeveralViews"]


class RisingPlatt(Platt):
    """A logistic map that never falls: a more suspicious view makes no breast less suspicious."""

    slope: float = Field(gt=0)


class ImageRules(Table):
    """Weights of the logits that make the score of an image; ``calibration.case`` maps their sum.

    The heads are averaged over the members as probabilities before their logit is taken.
    """

    candidate: float = Field(ge=0, description="Weight of the highest candidate.")
    abnormal: float = Field(ge=0, description="Weight of the members' mean output 'abnormal'.")
    malignant: float = Field(
        default=0.0,
        ge=0,
        description="Weight of the members' mean output 'malignant'; 0: it is there for figures only.",
    )
    abnormal_members: tuple[Platt, ...] = Field(
        default=(), description="One map per member of its output 'abnormal'; none: it is taken as it is."
    )

    @model_validator(mode="after")
    def _weighted(self) -> ImageRules:
        if self.candidate + self.abnormal + self.malignant <= 0:
            raise ValueError("one of the weights candidate, abnormal and malignant is above nought")
        return self


class SeveralViews(Table):
    """Breast seen on two views or more: ``sigmoid(maximum · max + mean · mean + offset)`` of their logits."""

    maximum: float = Field(ge=0)
    mean: float = Field(ge=0)
    offset: float

    @model_validator(mode="after")
    def _weighted(self) -> SeveralViews:
        if self.maximum + self.mean <= 0:
            raise ValueError("one of the weights maximum and mean is above nought")
        return self


class AsymmetryRules(Table):
    """How the difference of the two breasts counts.

    ``platt`` maps the sum of the breast's logit and ``weight`` times its asymmetry to a probability.
    With a weight of 0 the asymmetry is measured and not used, and the map is not applied.
    """

    weight: float = Field(default=0.0, ge=0)
    density_share: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Part of the densities' difference; the rest is the scores'.",
    )
    platt: RisingPlatt = RisingPlatt(slope=1.0, offset=0.0)


class PairingRules(Table):
    """When findings on two views of one breast may be one lesion.

    ``line``: depth behind the nipple along the axis from the nipple to the chest wall, on oblique views
    across the edge of the pectoral muscle. ``arc``: distance to the nipple.
    """

    rule: Literal["line", "arc"] = "line"
    nipple_distance_mm: float = Field(
        default=20.0, gt=0, description="Greatest difference of the distances to the nipple."
    )
    nipple_distance_share: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="The same as a share of the breast's depth, without spacing.",
    )
    size_ratio: float = Field(default=3.0, ge=1, description="Greatest ratio of the two sizes.")
    least_probability: float = Field(
        default=0.0, ge=0, le=1, description="Findings with a lower score are not paired."
    )


class ExamRules(Table):
    """From the images to the breasts and the examination, and what every number was fitted on.

    Of several images of one view the highest counts, of the breasts the higher one is the examination.
    """

    image: ImageRules
    single: RisingPlatt = Field(description="Breast seen on one view: map of the image's score.")
    several: SeveralViews
    asymmetry: AsymmetryRules = AsymmetryRules()
    pairing: PairingRules = PairingRules()
    density: bool = Field(default=False, description="Whether the output 'density' is part of the result.")
    definition: str = Field(min_length=1, description="What the numbers were fitted on, and what is assumed.")
    statements: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), description="Sentences that every report of an examination says in words."
    )
