"""What ``package show`` says of a package in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows.cli.package_words import aims_of, as_people_read
from tests.cli.conftest import Cli
from tests.packages.blobs import NAME, build_blob_package

FIGURE: dict[str, Any] = {"definition": "out-of-bag", "value": 0.7, "n": "9 films", "set": "phantoms"}


@pytest.mark.parametrize("field", ["value", "definition", "n", "set"])
def test_figures_that_differ_in_anything_but_the_name_stay_apart(field: str) -> None:
    rows = [{"name": "A", **FIGURE}, {"name": "B", **FIGURE, field: 0.8}]
    assert as_people_read({"metrics": rows})["metrics"] == rows


def test_figures_that_are_the_same_become_one_row() -> None:
    names = ("AUROC", "LLF", "AUROC, without asymmetry", "accuracy")
    rows = [{"name": name, **FIGURE, "value": 0.6 if name == "LLF" else 0.7} for name in names]
    shown = as_people_read({"metrics": rows})["metrics"]
    assert [row["name"] for row in shown] == ["AUROC (the same: without asymmetry; accuracy)", "LLF"]
    assert rows[0]["name"] == "AUROC"


def test_an_sop_class_has_its_name_where_it_has_one() -> None:
    manifest = {"input": {"sop_classes": ["1.2.840.10008.5.1.4.1.1.1.2", "1.2.3"]}}
    assert as_people_read(manifest)["input"]["sop_classes"] == [
        "1.2.840.10008.5.1.4.1.1.1.2 Digital Mammography X-Ray Image Storage - For Presentation",
        "1.2.3",
    ]


def test_fields_of_chest_films_are_not_shown_of_mammograms(cli: Cli) -> None:
    text = cli("package", "show", "mammography").out
    assert "accept_unknown_view" not in text
    assert [
        line.strip() for line in text.splitlines() if line.lstrip().startswith(("views:", "validated_views:"))
    ] == [
        "views: MLO, CC",
        "validated_views: MLO",
    ]
    assert "views: PA, AP" in cli("package", "show", "chest-nodule").out
    assert "accept_unknown_view" in cli("package", "show", "mammography", "--json").out


def test_a_package_without_a_card_states_no_aims(cli: Cli, tmp_path: Path) -> None:
    folder = build_blob_package(tmp_path / "packages")
    Path("secondread.toml").write_text("[runtime]\npackage_dirs = ['packages']\n")
    assert aims_of(folder) == []
    answer = cli("package", "show", NAME)
    assert answer.status == 0
    assert "aims" not in answer.out


def test_aims_are_those_of_the_card(cli: Cli, tmp_path: Path) -> None:
    folder = build_blob_package(tmp_path / "packages")
    Path("secondread.toml").write_text("[runtime]\npackage_dirs = ['packages']\n")
    (folder / "MODEL_CARD.md").write_text(
        "# Card\nNothing is claimed, whatever was reached.\nAUROC 0.73 (NOT reached: the aim was 0.80).\n"
    )
    assert aims_of(folder) == ["AUROC 0.73 (NOT reached: the aim was 0.80)."]
    assert "NOT reached: the aim was 0.80" in cli("package", "show", NAME).out
