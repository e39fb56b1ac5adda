"""``secondread run``: read a folder with a package, without any server."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from dicom_io.send import collect_files
from flows.cli.console import output, progress, table
from flows.cli.context import settings
from flows.cli.errors import CommandError, failing_on
from flows.cli.package import find_package
from flows.installation import Installation
from flows.offline import OfflineReader, RunReport, StudyReport, sort_files
from flows.offline.files import FolderContents
from flows.offline.report import FileReport
from flows.routing.rules import ReadingOptions
from models.detector import open_detector
from models.package import Package, PackageError
from models.runtime import RuntimeUnavailable

__all__ = ["app"]

app = typer.Typer(add_completion=False)


def _sorted(folder: Path) -> FolderContents:
    collection = collect_files(folder)
    if not (collection.files or collection.others):
        raise CommandError(f"there is no file in {folder}")
    with progress("headers", len(collection.files)) as bar:
        contents = sort_files(collection, lambda: bar.advance(bar.task_ids[0]))
    if not contents.studies:
        number, first = len(contents.set_aside), contents.set_aside[0]
        raise CommandError(
            f"no DICOM study in {folder}: {number} files, the first ({first.path.name}): {first.reason}"
        )
    return contents


def _reader(
    package: Package, folder: Path, results: Path, options: ReadingOptions, all_candidates: bool
) -> OfflineReader:
    configured = settings()
    with failing_on(PackageError, RuntimeUnavailable):
        detector = open_detector(
            package, configured.runtime.provider, configured.runtime.threads, members=options.members
        )
    with failing_on(OSError):
        results.mkdir(parents=True, exist_ok=True)
        installation = Installation(configured.state_dir)
    return OfflineReader(
        package,
        detector,
        installation,
        input_folder=folder,
        output_folder=results,
        options=options,
        all_candidates=all_candidates,
    )


def _found(study: StudyReport) -> tuple[str, str, str]:
    """Return number of findings, the surest of films or the largest of a volume, and the study's score."""
    if study.volume is not None:
        sizes = [segment.volume_ml for segment in study.volume.segments]
        return str(len(sizes)), f"{max(sizes):.1f} ml" if sizes else "-", f"{study.volume.case_score:.3f}"
    scores = [film.case_score for film in study.films] if study.exam is None else [study.exam.score]
    return (
        str(len(study.findings)) if study.outcome == "completed" else "-",
        f"{max(finding.score for finding in study.findings):.3f}" if study.findings else "-",
        f"{max(scores):.3f}" if scores else "-",
    )


def _report(studies: list[StudyReport], report: RunReport, results: Path) -> None:
    rows = table(
        "study", "outcome", "findings", "surest or largest", "score", "decision", "seconds", "remarks"
    )
    for study in studies:
        rows.add_row(
            study.pseudonym if study.variant == 1 else f"{study.pseudonym} ({study.variant})",
            study.outcome,
            *_found(study),
            study.decision or "-",
            f"{study.timings_s.get('total', 0):.2f}",
            "; ".join((*study.reasons, *study.warnings)),
        )
    output.print(rows)
    if report.files:
        aside = table("outcome", "file", "reason")
        for file in report.files:
            aside.add_row(file.code, file.file, file.reason)
        output.print()
        output.print(aside)
    output.print(f"\nresults in {results}", markup=False)


@app.command()
def command(
    package: Annotated[
        str, typer.Argument(metavar="PACKAGE", help="NAME, NAME@VERSION, or a package's folder.")
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", exists=True, help="DICOM files of any number of studies.")
    ],
    *,
    results: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="Where a folder per study is written.")
    ],
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the report as JSON; - is standard output."),
    ] = None,
    all_candidates: Annotated[
        bool, typer.Option("--all-candidates", help="Report candidates below the operating point too (JSON).")
    ] = False,
    key_images: Annotated[
        int, typer.Option(min=0, max=20, help="Key images of findings at most, beside the overview.")
    ] = 3,
    cad_report: Annotated[bool, typer.Option("--cad-report", help="Write a CAD report too.")] = False,
    presentation_states: Annotated[
        bool, typer.Option("--presentation-states", help="Write presentation states too.")
    ] = False,
    film_segmentations: Annotated[
        bool, typer.Option("--film-segmentations", help="Write the boxes of films as a segmentation too.")
    ] = False,
    members: Annotated[
        int | None,
        typer.Option(min=1, help="Members of the ensemble that take part, from the first; fewer are faster."),
    ] = None,
) -> None:
    """Read every study of a folder, write SR and key images, and say what became of each file.

    The same steps as the service, without journal, Prefect or network; the models are loaded once. Status 0
    means that every study came to an end, read or refused with its reason; 1 that a study failed.
    """
    started, start = datetime.now(UTC), time.perf_counter()
    found = find_package(package)
    options = ReadingOptions(
        key_images=key_images,
        cad_report=cad_report,
        presentation_states=presentation_states,
        film_segmentations=film_segmentations,
        members=members,
    )
    reader = _reader(found, folder, results, options, all_candidates)
    loaded = time.perf_counter() - start
    contents = _sorted(folder)
    studies: list[StudyReport] = []
    with progress(found.reference, len(contents.studies)) as bar:
        for study in contents.studies:
            studies.append(reader.read(study))
            bar.advance(bar.task_ids[0])
    base = folder if folder.is_dir() else folder.parent
    report = RunReport(
        software=version("secondread"),
        started_at=started,
        package=reader.package_report,
        models_loaded_s=round(loaded, 3),
        total_s=round(time.perf_counter() - start, 3),
        studies=tuple(studies),
        files=tuple(
            FileReport(file=str(item.path.relative_to(base)), code=item.code, reason=item.reason)
            for item in contents.set_aside
        ),
    )
    text = report.model_dump_json(indent=2, exclude_none=False)
    if json_file is not None and str(json_file) == "-":
        print(text)
    else:
        _report(studies, report, results)
        if json_file is not None:
            with failing_on(OSError):
                json_file.write_text(text + "\n", encoding="utf-8")
    failed = [study for study in studies if study.outcome == "failed"]
    if failed:
        raise CommandError(
            f"{len(failed)} of {len(studies)} studies failed, the first: {failed[0].reasons[0]}"
        )
