from __future__ import annotations

from pathlib import Path

from dicom_io.reading import data_set_sha256, read_header, select_instances
from tests.dicom_io.reading.films import CONTRACT, film, save


def test_every_instance_is_selected_or_rejected_with_its_reason(tmp_path: Path) -> None:
    paths = [
        save(film(SOPInstanceUID="2.25.1"), tmp_path / "a.dcm"),
        save(film(SOPInstanceUID="2.25.2", ViewPosition="LL"), tmp_path / "b.dcm"),
        save(film(SOPInstanceUID="2.25.3", Modality="MR"), tmp_path / "c.dcm"),
    ]
    selection = select_instances([(path, read_header(path)) for path in paths], CONTRACT)
    (chosen,) = selection.selected
    assert (chosen.path, chosen.sha256) == (paths[0], data_set_sha256(paths[0]))
    assert [(one.path, one.sop_instance_uid, one.code) for one in selection.rejected] == [
        (paths[1], "2.25.2", "lateral-view"),
        (paths[2], "2.25.3", "wrong-modality"),
    ]
    assert selection.rejected[0].reason == "the view is lateral, not PA or AP"


def test_a_repeat_is_read_once(tmp_path: Path) -> None:
    path = save(film(), tmp_path / "a.dcm")
    copy = tmp_path / "copy.dcm"
    copy.write_bytes(path.read_bytes())
    selection = select_instances([(one, read_header(one)) for one in (path, copy)], CONTRACT)
    assert [one.path for one in selection.selected] == [path]
    assert selection.rejected == ()


def test_of_two_images_with_one_uid_the_first_is_read(tmp_path: Path) -> None:
    paths = [
        save(film(), tmp_path / "a.dcm"),
        save(film(PhotometricInterpretation="MONOCHROME1"), tmp_path / "b.dcm"),
    ]
    selection = select_instances([(one, read_header(one)) for one in paths], CONTRACT)
    assert [one.path for one in selection.selected] == paths[:1]
    assert [one.code for one in selection.rejected] == ["duplicate-uid"]


def test_an_empty_study() -> None:
    selection = select_instances([], CONTRACT)
    assert selection.selected == selection.rejected == ()


def test_a_header_without_identity_is_rejected_not_raised(tmp_path: Path) -> None:
    selection = select_instances([(tmp_path / "x.dcm", film(SOPInstanceUID=None, Modality="MR"))], CONTRACT)
    assert selection.rejected[0].sop_instance_uid == ""
