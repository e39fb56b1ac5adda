"""Declarative routing rules: tag tests, their combinations, and what a route asks for."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydicom.datadict import tag_for_keyword

__all__ = ["Condition", "ReadingOptions", "Route", "default_routes"]


class Condition(BaseModel):
    """One test of one attribute, or a combination of tests.

    Exactly one of ``all``, ``any``, ``not`` or ``tag`` is given; ``tag`` comes with exactly one of
    ``equals``, ``in``, ``matches``, ``range`` or ``present``. A multi-valued attribute passes when one of
    its values does. An absent attribute fails every test but ``present = false``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    all_: tuple[Condition, ...] | None = Field(default=None, alias="all")
    any_: tuple[Condition, ...] | None = Field(default=None, alias="any")
    not_: Condition | None = Field(default=None, alias="not")
    tag: str | None = Field(default=None, description="Keyword of PS3.6, e.g. Modality.")
    equals: str | int | float | None = None
    in_: tuple[str | int | float, ...] | None = Field(default=None, alias="in")
    matches: str | None = Field(default=None, description="Regular expression, searched in the value.")
    range: tuple[float, float] | None = Field(default=None, description="Inclusive bounds of a number.")
    present: bool | None = None

    @field_validator("tag")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and tag_for_keyword(value) is None:
            raise ValueError(f"{value!r} is no attribute keyword of PS3.6")
        return value

    @field_validator("matches")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            re.compile(value)
        return value

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = [f for f in (self.all_, self.any_, self.not_, self.tag) if f is not None]
        tests = [t for t in (self.equals, self.in_, self.matches, self.range, self.present) if t is not None]
        if len(forms) != 1:
            raise ValueError("a condition is exactly one of all, any, not or a tag test")
        if len(tests) != (1 if self.tag is not None else 0):
            raise ValueError("a tag test has exactly one of equals, in, matches, range or present")
        return self


class ReadingOptions(BaseModel):
    """How a study is read, which objects the reading becomes, and how they are encoded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key_images: int = Field(
        default=3,
        ge=0,
        le=20,
        description="Key images of findings at most, beside the overview; 0: no key image.",
    )
    segmentation: Literal["binary", "fractional", "labelmap"] = Field(
        default="binary", description="Type of the segmentation of a volume; many viewers show binary only."
    )
    omit_empty_frames: bool = Field(
        default=True, description="Leave frames without any voxel out of a segmentation."
    )
    point_at_segments: bool = Field(
        default=True,
        description="Volumes of the report point at the segmentation; false for viewers that stop there.",
    )
    film_segmentations: bool = Field(
        default=False,
        description="Boxes of films as a segmentation too: highdicom reads it, OHIF and dcmqi do not.",
    )
    cad_report: bool = Field(
        default=False, description="A CAD report too (chest: TID 4100, breast: TID 4000), for CAD stations."
    )
    presentation_states: bool = Field(
        default=False, description="A presentation state too, one per film with findings."
    )

    members: int | None = Field(
        default=None,
        ge=1,
        description="Members of the ensemble that take part, from the first; those of the package if empty.",
    )

    @property
    def effective(self) -> dict[str, Any]:
        """What shapes the objects, for the configuration hash."""
        return self.model_dump(include=set(ReadingOptions.model_fields))


class Route(ReadingOptions):
    """What is read by which package and where the results go."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    package: str = Field(description="NAME or NAME@VERSION; the newest version without one.")
    when: Condition = Field(description="Which instances belong to this route.")
    destinations: tuple[str, ...] = Field(
        default=(), description="Names of nodes; results stay local if empty."
    )
    quiet_time_s: float = Field(
        default=5.0, ge=0, description="A study is complete after so long without news."
    )
    multi_site: bool = Field(
        default=False,
        description="Of several sites: earlier studies count only where the issuer of the patient is stated.",
    )
    urgency: Literal["routine", "urgent", "stat"] = "routine"

    @field_validator("when", mode="before")
    @classmethod
    def _list_is_all(cls, value: Any) -> Any:
        return {"all": value} if isinstance(value, list) else value


def default_routes() -> tuple[Route, ...]:
    """Return the route that a service without a configuration file has: chest films, results kept."""
    return (
        Route.model_validate(
            {
                "name": "chest",
                "package": "chest-nodule",
                "when": [{"tag": "Modality", "in": ["CR", "DX"]}],
            }
        ),
    )
