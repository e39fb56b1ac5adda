"""``secondread demo``: phantoms in over DICOM, readings back, in a whole system of its own."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from dicom_io.archive import ArchiveNode
from dicom_io.send import SendError, collect_files, send_files
from flows.cli.console import errors, output, progress, table
from flows.cli.context import settings
from flows.cli.errors import CommandError
from flows.demo import LocalSystem, SystemFailed
from flows.demo.phantoms import make_phantom_studies
from flows.demo.watch import DemoStudy, StudyResult, wait_for_studies
from flows.journal import JournalError
from flows.offline import sort_files
from flows.settings import DimseNode

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_MARK = ".secondread-demo"
_STUDY_SECONDS = 60.0
_START_S = 120.0


def _fresh(folder: Path) -> Path:
    """Empty the demo's folder; only one that a demo has made."""
    if folder.exists():
        if any(folder.iterdir()) and not (folder / _MARK).is_file():
            raise CommandError(f"{folder} exists and was not made by the demo: name another by --folder", 2)
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / _MARK).touch()
    return folder.resolve()


def _own_studies(folder: Path) -> list[DemoStudy]:
    contents = sort_files(collect_files(folder))
    for item in contents.set_aside:
        errors.print(f"  {item.path.name}: {item.reason}", markup=False)
    if not contents.studies:
        raise CommandError(f"no DICOM study in {folder}")
    paths: dict[str, list[Path]] = {}
    for study in contents.studies:
        if study.study_instance_uid in paths:
            errors.print(
                "  a file has the SOP Instance UID of another and other content: it will be quarantined, see "
                "`secondread status`"
            )
        paths.setdefault(study.study_instance_uid, []).extend(study.paths.values())
    return [DemoStudy(uid, tuple(of_study)) for uid, of_study in paths.items()]


def _phantoms(folder: Path, count: int) -> list[DemoStudy]:
    with progress("phantoms", count) as bar:
        return make_phantom_studies(folder, count, lambda: bar.advance(bar.task_ids[0]))


def _send(system: LocalSystem, studies: Sequence[DemoStudy]) -> None:
    paths = [path for study in studies for path in study.paths]
    with progress("sent over DICOM", len(paths)) as bar:
        results = send_files(paths, system.address, "MODALITY", lambda _result: bar.advance(bar.task_ids[0]))
    for result in results:
        if not result.delivered:
            errors.print(f"  {result.path.name} was not accepted: {result.error}", markup=False)


def _wait(system: LocalSystem, archive: ArchiveNode, studies: Sequence[DemoStudy]) -> list[StudyResult]:
    timeout = _STUDY_SECONDS + _STUDY_SECONDS * len(studies)
    with progress("back in the archive", len(studies)) as bar:
        return wait_for_studies(
            system, archive, studies, timeout, lambda _result: bar.advance(bar.task_ids[0])
        )


def _verdict(result: StudyResult) -> str:
    verdict = result.verdict
    if verdict is None:
        return "-"
    words = []
    if verdict.hits or verdict.missed:
        found = ["hit"] * verdict.hits + ["missed"] * verdict.missed
        words.append(", ".join(found))
    else:
        words.append("no nodule")
    if verdict.elsewhere:
        words.append(f"{verdict.elsewhere} elsewhere")
    return "; ".join(words)


def _truth(result: StudyResult) -> str:
    nodules = result.study.nodules
    if nodules is None:
        return f"{len(result.study.paths)} files"
    return ", ".join(f"nodule {nodule.diameter_mm:.0f} mm" for nodule in nodules) or "no nodule"


def _confidence(result: StudyResult) -> str:
    if not result.outcome:
        return "-"
    confidence, decision = result.outcome.get("confidence"), result.outcome.get("decision", "-")
    if confidence is not None:
        return f"{confidence:.2f} {decision}"
    components = result.outcome.get("components", {})
    raw = ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in components.items())
    return f"{decision} ({raw})" if raw else decision


def _findings(result: StudyResult) -> str:
    if not result.outcome:
        return "-"
    highest = max((finding["score"] for finding in result.findings), default=None)
    return "none" if highest is None else f"{len(result.findings)} (highest score {highest:.2f})"


def _print(results: Sequence[StudyResult]) -> None:
    findings = table("study", "sent", "findings", "verdict", "confidence", "files back", "reason")
    for result in results:
        findings.add_row(
            result.pseudonym,
            _truth(result),
            _findings(result),
            _verdict(result),
            _confidence(result),
            ", ".join(result.outcome.get("objects", ())) if result.came_back else f"{len(result.files)}",
            "" if result.came_back else f"{result.state}: {result.reason or 'no reason given'}",
        )
    output.print(findings)
    stages = list(dict.fromkeys(stage for result in results for stage in result.stages_s))
    if stages:
        times = table("seconds", *stages, "total")
        for result in results:
            seconds = [result.stages_s.get(stage) for stage in stages]
            total = sum(value for value in seconds if value is not None)
            times.add_row(
                result.pseudonym,
                *("-" if value is None else f"{value:.2f}" for value in seconds),
                f"{total:.2f}",
            )
        output.print()
        output.print(times)


def _addresses(system: LocalSystem, archive: ArchiveNode) -> None:
    own = system.settings
    output.print(
        f"\nPrefect UI       {own.prefect.ui_url}\n"
        f"metrics          http://{own.metrics.host}:{own.metrics.port}/metrics\n"
        f"listener         {own.listener.ae_title}@{own.listener.host}:{own.listener.port}\n"
        f"results          {own.results}\n"
        f"archive          {archive.folder}\n"
        f"settings, logs   {system.folder}",
        markup=False,
        soft_wrap=True,
    )


def _conclude(results: Sequence[StudyResult]) -> None:
    back = sum(result.came_back for result in results)
    verdicts = [result.verdict for result in results if result.verdict is not None]
    hits, nodules = sum(v.hits for v in verdicts), sum(v.hits + v.missed for v in verdicts)
    output.print(
        f"\n{back} of {len(results)} studies came back"
        + (f"; {hits} of {nodules} phantom nodules hit." if nodules else ".")
    )


def _keep(system: LocalSystem) -> None:
    errors.print("\nEverything keeps running; Ctrl-C ends it.")
    try:
        while True:
            time.sleep(1)
            system.check()
    except KeyboardInterrupt:
        errors.print("ending …")


@app.command()
def command(
    *,
    source: Annotated[
        Path | None,
        typer.Option(
            "--input", metavar="DIR", exists=True, help="Send these DICOM files instead of phantoms."
        ),
    ] = None,
    folder: Annotated[Path, typer.Option(metavar="DIR", help="Where everything lies; emptied first.")] = Path(
        ".demo"
    ),
    count: Annotated[int, typer.Option(min=1, max=100, help="How many phantoms.")] = 6,
    package: Annotated[str, typer.Option(metavar="NAME", help="What reads the films.")] = "chest-nodule",
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")] = False,
) -> None:
    """Start a whole system on free ports, send studies over DICOM, show what came back and what it took.

    Ends with status 0 only if every study came back as structured report and key images.
    """
    start = time.monotonic()
    # Ended from outside, the system must end as well: SIGTERM alone would leave its processes behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    home = _fresh(folder)
    with ArchiveNode(home / "archive") as archive:
        node = DimseNode(ae_title=archive.ae_title, port=archive.port)
        system = LocalSystem(
            home,
            nodes={"archive": node},
            package=package,
            # How networks run is this machine's matter; everything else is the demo's own.
            settings={"runtime": settings().runtime.model_dump(mode="json")},
        )
        try:
            errors.print("starting listener, Prefect and worker …")
            system.launch()
            studies = _phantoms(home / "phantoms", count) if source is None else _own_studies(source)
            system.wait_until_ready(_START_S)
            seconds = time.monotonic() - start
            errors.print(
                f"ready after {seconds:.0f} s, {len(studies)} studies to send; runs are shown at "
                f"{system.settings.prefect.ui_url}"
            )
            _send(system, studies)
            results = _wait(system, archive, studies)
            output.print()
            _print(results)
            _addresses(system, archive)
            _conclude(results)
            if keep:
                _keep(system)
        except (SystemFailed, SendError, JournalError) as error:
            raise CommandError(f"{error}") from error
        except KeyboardInterrupt:
            errors.print("ending …")
            raise typer.Exit(130) from None
        finally:
            system.stop()
    lost = [result for result in results if not result.came_back]
    if lost:
        raise CommandError(
            f"{len(lost)} of {len(results)} studies did not come back; the log is {system.log}, "
            f"more in {system.settings.state_dir / 'logs'}"
        )
