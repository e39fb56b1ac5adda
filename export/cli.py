"""Commands of the export room; torch is imported only when one of them runs."""

# ruff: noqa: PLC0415

from __future__ import annotations

from enum import StrEnum
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


Which = Annotated[Detector, typer.Argument(help="Which detector.")]
Out = Annotated[
    Path, typer.Option("--out", help="Folder of the run: caches, checkpoints, ONNX files, answers.")
]
Package = Annotated[Path, typer.Option("--package", help="Package folder that receives manifest and report.")]
DEFAULT_PACKAGE = Path("models/packages/chest-nodule/0.1.0")


@app.command()
def train(
    detector: Which,
    *,
    out: Out,
    member: Annotated[
        list[int] | None, typer.Option("--member", help="Only this member; repeatable.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep finished stages, go on from checkpoints.")
    ] = False,
    minutes: Annotated[float | None, typer.Option(help="Minutes granted to each member.", min=0.01)] = None,
    threads: Annotated[int, typer.Option(help="Threads of torch.", min=1)] = 2,
) -> None:
    """Pre-train once and fine-tune the members (data folder: SECONDREAD_DATA)."""
    from dataclasses import replace

    from export.training.chest_nodule.training import MEMBER, MEMBERS, PRETRAINING
    from export.training.chest_nodule.training import train as run

    pretraining, plan = PRETRAINING, MEMBER
    if minutes is not None:
        pretraining, plan = replace(PRETRAINING, minutes=minutes), replace(MEMBER, minutes=minutes)
    chosen = list(member) if member else list(range(MEMBERS))
    run(out, chosen, resume=resume, pretraining=pretraining, member_plan=plan, threads=threads)
    typer.echo(f"{detector.value}: trained in {out}")


@app.command("onnx")
def to_onnx(detector: Which, out: Out) -> None:
    """Export every finished member of a run to ONNX and record parity with torch."""
    from export.training.chest_nodule.onnx_export import export_run

    for row in export_run(out):
        worst = row["parity"]["centre"]["max"]
        typer.echo(f"{detector.value}: {row['file']}, {row['bytes']} bytes, centre off by {worst:.1e}")


@app.command()
def evaluate(detector: Which, out: Out) -> None:
    """Answer every film out-of-bag with the exported members and compute all figures.

    Answers are kept beside the run, so a member is asked again only when its file changes.
    """
    from export.training.chest_nodule.report import evaluate_run

    for line in evaluate_run(out):
        typer.echo(f"{detector.value}: {line}")


@app.command()
def package(detector: Which, out: Out, package: Package = DEFAULT_PACKAGE) -> None:
    """Write the package folder: ONNX files, manifest, card, licence, metrics, split, plots."""
    from export.training.chest_nodule.packaging import write_package

    write_package(out, package)
    typer.echo(f"{detector.value}: written to {package}")
