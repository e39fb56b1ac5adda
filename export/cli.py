"""Commands of the export room; torch is imported only when one of them runs."""

# ruff: noqa: PLC0415

from __future__ import annotations

import os
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(
    help="Train, evaluate and package the detectors that ship with SecondRead.", no_args_is_help=True
)


class Detector(StrEnum):
    """Detectors that can be trained here."""

    CHEST_NODULE = "chest-nodule"
    BRAIN_TUMOUR = "brain-tumour"
    MAMMOGRAPHY = "mammography"


Which = Annotated[Detector, typer.Argument(help="Which detector.")]
Out = Annotated[
    Path, typer.Option("--out", help="Folder of the run: caches, checkpoints, ONNX files, answers.")
]
Package = Annotated[
    Path | None, typer.Option("--package", help="Package folder that receives manifest and report.")
]
PACKAGES = Path("models/packages")


def _ready(*, data: bool) -> None:
    """Say in one line what a command lacks, before anything starts."""
    lacking = ""
    if find_spec("torch") is None:
        lacking = "torch is not installed: pip install -c constraints.txt -e '.[cpu,dev,export]'"
    elif data and not (folder := os.environ.get("SECONDREAD_DATA")):
        lacking = "SECONDREAD_DATA is not set: it names the folder of training data"
    elif data and not Path(str(folder)).is_dir():
        lacking = "SECONDREAD_DATA names no folder: set it to the folder of training data"
    if lacking:
        typer.echo(lacking, err=True)
        raise typer.Exit(2)


@app.command()
def train(
    detector: Which,
    *,
    out: Out,
    member: Annotated[
        list[int] | None, typer.Option("--member", help="Only this member; repeatable.")
    ] = None,
    stage: Annotated[
        list[str] | None,
        typer.Option("--stage", help="Only this stage; repeatable. The chest nodule detector has none."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep finished stages, go on from checkpoints.")
    ] = False,
    minutes: Annotated[float | None, typer.Option(help="Minutes granted to each member.", min=0.01)] = None,
    threads: Annotated[int, typer.Option(help="Threads of torch.", min=1)] = 2,
    start: Annotated[
        Path | None,
        typer.Option("--from", help="Torch weights of a brain-tumour member to start from (mammography)."),
    ] = None,
) -> None:
    """Train a detector, all of it or the stages and members named (data folder: SECONDREAD_DATA)."""
    _ready(data=True)
    if detector is Detector.BRAIN_TUMOUR:
        from export.training.brain_tumour.stages import STAGES
        from export.training.brain_tumour.stages import train as train_brain

        _known(stage, STAGES)
        train_brain(out, stage or STAGES, member, resume=resume, minutes=minutes, threads=threads)
    elif detector is Detector.MAMMOGRAPHY:
        from export.training.mammography.stages import STAGES as MAMMOGRAPHY_STAGES
        from export.training.mammography.stages import train as train_mammography

        _known(stage, MAMMOGRAPHY_STAGES)
        train_mammography(
            out,
            stage or MAMMOGRAPHY_STAGES,
            member,
            resume=resume,
            minutes=minutes,
            threads=threads,
            encoder=start,
        )
    else:
        if stage:
            raise typer.BadParameter("the chest nodule detector is trained in one piece")
        _train_chest(out, member, resume=resume, minutes=minutes, threads=threads)
    typer.echo(f"{detector.value}: trained in {out}")


def _known(stages: list[str] | None, known: tuple[str, ...]) -> None:
    unknown = sorted(set(stages or ()) - set(known))
    if unknown:
        raise typer.BadParameter(f"no such stage: {', '.join(unknown)}; there are {', '.join(known)}")


def _train_chest(
    out: Path, member: list[int] | None, *, resume: bool, minutes: float | None, threads: int
) -> None:
    from dataclasses import replace

    from export.training.chest_nodule.training import MEMBER, MEMBERS, PRETRAINING
    from export.training.chest_nodule.training import train as run

    pretraining, plan = PRETRAINING, MEMBER
    if minutes is not None:
        pretraining, plan = replace(PRETRAINING, minutes=minutes), replace(MEMBER, minutes=minutes)
    chosen = list(member) if member else list(range(MEMBERS))
    run(out, chosen, resume=resume, pretraining=pretraining, member_plan=plan, threads=threads)


@app.command("onnx")
def to_onnx(detector: Which, out: Out) -> None:
    """Export every finished member of a run to ONNX and record parity with torch."""
    _ready(data=False)
    if detector is Detector.MAMMOGRAPHY:
        from export.training.mammography.onnx_export import export_run as export_mammography

        rows, output = export_mammography(out), "centre"
    elif detector is Detector.BRAIN_TUMOUR:
        from export.training.brain_tumour.candidates import chosen_network
        from export.training.brain_tumour.onnx_export import export_run as export_brain

        rows, output = export_brain(out, chosen_network(out)), "probability"
    else:
        from export.training.chest_nodule.onnx_export import export_run

        rows, output = export_run(out), "centre"
    for row in rows:
        worst = row["parity"][output]["max"]
        typer.echo(f"{detector.value}: {row['file']}, {row['bytes']} bytes, {output} off by {worst:.1e}")


@app.command()
def evaluate(detector: Which, out: Out) -> None:
    """Answer every film or patient out-of-bag with the exported members and compute all figures.

    Answers are kept beside the run, so a member is asked again only when its file changes.
    """
    _ready(data=True)
    if detector is Detector.MAMMOGRAPHY:
        from export.training.mammography.report import evaluate_run as evaluate_mammography

        lines = evaluate_mammography(out)
    elif detector is Detector.BRAIN_TUMOUR:
        from export.training.brain_tumour.report import evaluate_run as evaluate_brain

        lines = evaluate_brain(out)
    else:
        from export.training.chest_nodule.report import evaluate_run

        lines = evaluate_run(out)
    for line in lines:
        typer.echo(f"{detector.value}: {line}")


@app.command()
def package(detector: Which, out: Out, package: Package = None) -> None:
    """Write the package folder: ONNX files, manifest, card, licence, metrics, split, plots."""
    if detector is Detector.MAMMOGRAPHY:
        from export.training.mammography import packaging
    elif detector is Detector.BRAIN_TUMOUR:
        from export.training.brain_tumour import packaging  # type: ignore[no-redef]
    else:
        from export.training.chest_nodule import packaging  # type: ignore[no-redef]

    folder = package or PACKAGES / detector.value / packaging.VERSION
    packaging.write_package(out, folder)
    typer.echo(f"{detector.value}: written to {folder}")
