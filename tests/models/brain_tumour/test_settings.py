from __future__ import annotations

from typing import Any

import pytest

from models.brain_tumour.settings import PARAMETERS, Settings, settings_of
from models.package import MAIN, Package, PackageError, PackageManifest
from tests.models.brain_tumour.scripted import package


def changed(**values: Any) -> Package:
    made = package()
    raw = made.manifest.model_dump()
    for path, value in values.items():
        place = raw
        *folders, name = path.split("__")
        for folder in folders:
            place = place[int(folder)] if folder.isdigit() else place[folder]  # type: ignore[index]
        place[name] = value
    return Package(PackageManifest.model_validate(raw), made.folder, made.content_hash)


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_missing_parameter_is_named_with_its_ensemble(name: str) -> None:
    with pytest.raises(PackageError, match=rf"of main lacks {name}"):
        settings_of(package(**{name: None}), MAIN)


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ({"layout": "volume"}, "layout is one of context, contrast, not 'volume'"),
        ({"layout": "contrast"}, "with 1 channels"),
        ({"minimum_volume_ml": -1.0}, "minimum_volume_ml"),
        ({"minimum_volume_ml": "much"}, "could not convert"),
        ({"neighbour_mm": 0.0}, "neighbour_mm"),
        ({"batch": 0}, "batch"),
    ],
)
def test_a_parameter_out_of_range_is_refused(steps: dict[str, Any], says: str) -> None:
    with pytest.raises(PackageError, match=says):
        settings_of(package(**steps), MAIN)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"operating_point__score": 0.0}, "operating_point"),
        ({"tensor__shape": ("n", 9, "h", "w")}, "with 12 channels"),
        ({"tensor__dtype": "float16"}, "tensors are float32"),
        ({"outputs": ({"name": "mask", "shape": ("n", 1, "h", "w")},)}, "no output 'probability'"),
        ({"input__volume__subsets": (("T2", "FLAIR"),)}, "reads T1, FLAIR, T1C only"),
        ({"branches__0__subsets": (("T1", "T1C"),)}, "reads one sequence"),
    ],
)
def test_tensors_and_sequences_fit_the_layout(values: dict[str, Any], says: str) -> None:
    broken = changed(**values)
    with pytest.raises(PackageError, match=says):
        for name in (MAIN, "contrast"):
            settings_of(broken, name)


@pytest.mark.parametrize(
    ("neighbour_mm", "spacing", "step"), [(None, 0.5, 1), (5.0, 1.0, 5), (5.0, 3.0, 2), (5.0, 20.0, 1)]
)
def test_neighbours_are_as_far_away_as_the_networks_are_used_to(
    neighbour_mm: float | None, spacing: float, step: int
) -> None:
    settings = Settings("context", 0.5, False, False, 0.0, neighbour_mm)
    assert settings.step(spacing) == step


def test_each_ensemble_has_its_own() -> None:
    made = package(flip=True, neighbour_mm=5)
    assert settings_of(made, MAIN) == Settings("context", 0.5, True, False, 0.0, 5.0, 4)
    assert settings_of(made, "contrast") == Settings("contrast", 0.4, False, True, 0.0, None, 4)
