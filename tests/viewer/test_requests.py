from __future__ import annotations

import pytest

from flows.viewer.requests import is_readable, shape_of

UID = "1.2.840.113619.2.55"


@pytest.mark.parametrize(
    "path",
    [
        "studies",
        "series",
        "instances",
        f"studies/{UID}",
        f"studies/{UID}/series",
        f"studies/{UID}/instances",
        f"studies/{UID}/metadata",
        f"studies/{UID}/series/{UID}",
        f"studies/{UID}/series/{UID}/metadata",
        f"studies/{UID}/series/{UID}/instances",
        f"studies/{UID}/series/{UID}/instances/{UID}",
        f"studies/{UID}/series/{UID}/instances/{UID}/rendered",
        f"studies/{UID}/series/{UID}/instances/{UID}/thumbnail",
        f"studies/{UID}/series/{UID}/instances/{UID}/frames/1,2,30",
        f"studies/{UID}/series/{UID}/instances/{UID}/frames/7/rendered",
        f"studies/{UID}/series/{UID}/instances/{UID}/bulk/00480200/1/00660023",
        f"studies/{UID}/series/{UID}/instances/{UID}/bulkdata/7fe00010",
    ],
)
def test_reading_is_let_through(path: str) -> None:
    assert is_readable(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "studies/",
        "studies/x",
        "studies//series",
        f"studies/{UID}/../../../instances",
        f"studies/{UID}/%2e%2e",
        "../instances",
        "..",
        "/studies",
        "studies\n",
        "studies?x",
        "servers",
        "servers/peer/stow",
        "info",
        "workitems",
        f"studies/{UID}/series/{UID}/instances/{UID}/bulk/../../x",
        f"studies/{UID}/series/{UID}/instances/{UID}/file",
        f"studies/{'1' * 65}",
        "wado",
    ],
)
def test_all_else_is_not(path: str) -> None:
    assert not is_readable(path)


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        (f"/dicom-web/studies/{UID}/series/{UID}/metadata", "/dicom-web/studies/*/series/*/metadata"),
        (f"/dicom-web/studies/{UID}/series/{UID}/instances/{UID}/frames/1,2",
         "/dicom-web/studies/*/series/*/instances/*/frames/*"),
        ("/dicom-web/patients/Mustermann", "/dicom-web/…"),
        ("/viewer/Mustermann^Erika", "/…"),
        ("/app.js", "/app.js"),
        ("/", "/…"),
    ],
)  # fmt: skip
def test_a_logged_path_names_nobody(path: str, shape: str) -> None:
    assert shape_of(path, {"app.js"}) == shape
