"""``secondread routes explain``: what would be read by what, and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from dicom_io.reading import read_header
from dicom_io.send import collect_files
from flows.cli.console import output, print_json, progress
from flows.cli.context import settings
from flows.cli.errors import CommandError, failing_on
from flows.cli.journals import journal
from flows.installation import Installation
from flows.intake import RoutingFailed, study_headers
from flows.offline import sort_files
from flows.routing.engine import Header, InstanceExplanation, RoutingDecision, route_study
from flows.settings import Settings
from models.registry import Registry

__all__ = ["app"]

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Explain what would be read by what, and why."
)


@app.callback()
def _routes() -> None:
    """Explain what would be read by what, and why."""


def _print(name: str, decision: RoutingDecision) -> None:
    output.print(f"[bold]{name}[/]")
    for explanation in decision.explanations:
        mark = "matched" if explanation.matched else "not matched"
        for number, line in enumerate(explanation.lines()):
            output.print(("  " + line + (f" [{mark}]" if number == 0 else "")), markup=False)


def _as_json(name: str, uid: str, decision: RoutingDecision) -> dict[str, Any]:
    return {
        "study": name,
        "study_instance_uid": uid,
        "routed": bool(decision.matches),
        "reason": decision.reason,
        "routes": [
            {
                "route": one.route,
                "package": one.package,
                "matched": one.matched,
                "reason": one.text,
                "instances": [_instance(instance) for instance in one.instances],
            }
            for one in decision.explanations
        ],
    }


def _instance(instance: InstanceExplanation) -> dict[str, Any]:
    return {
        "sop_instance_uid": instance.sop_instance_uid,
        "selected": instance.selected,
        "code": instance.code,
        "reason": instance.text,
    }


def _from_folder(folder: Path, configured: Settings) -> list[tuple[str, str, Sequence[Header]]]:
    collection = collect_files(folder)
    with progress("headers", len(collection.files)) as bar:
        contents = sort_files(collection, lambda: bar.advance(bar.task_ids[0]))
    if not contents.studies:
        raise CommandError(f"no DICOM study in {folder} ({len(contents.set_aside)} files)")
    pseudonymiser = Installation(configured.state_dir).pseudonymiser
    return [
        (
            pseudonymiser.study(study.study_instance_uid),
            study.study_instance_uid,
            [(path, read_header(path)) for path in study.paths.values()],
        )
        for study in contents.studies
    ]


def _from_journal(reference: str, configured: Settings) -> list[tuple[str, str, Sequence[Header]]]:
    with journal(configured) as opened:
        study = opened.find_study(reference)
        if study is None:
            raise CommandError(f"the journal knows no study {reference}, and there is no such folder")
        if study.state == "purged":
            raise CommandError(f"study {study.pseudonym} is purged: its files are gone")
        with failing_on(RoutingFailed):
            headers = study_headers(opened.study_instances(study.id), configured.inbox)
    return [(study.pseudonym, study.study_instance_uid, headers)]


@app.command()
def explain(
    study: Annotated[
        str,
        typer.Argument(metavar="STUDY|DIR", help="Study Instance UID, pseudonym, or a folder of DICOM."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say for each route whether it reads a study, and why or why not, instance by instance."""
    configured = settings()
    studies = (
        _from_folder(Path(study), configured) if Path(study).exists() else _from_journal(study, configured)
    )
    registry = Registry(configured.runtime.package_dirs)
    decided = [
        (name, uid, route_study(headers, configured.routes, registry)) for name, uid, headers in studies
    ]
    if as_json:
        print_json([_as_json(*one) for one in decided])
        return
    for name, _, decision in decided:
        _print(name, decision)
