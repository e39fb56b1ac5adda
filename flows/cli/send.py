"""``secondread send``: the DICOM files of a folder to a node."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from dicom_io.send import SendError, SendResult, collect_files, copy_files, send_files, store_over_web
from flows.addresses import web_address
from flows.cli.console import output, print_json, progress
from flows.cli.context import node, settings
from flows.cli.errors import CommandError
from flows.cli.nodes import dimse_address
from flows.settings import DicomwebNode, FolderNode

__all__ = ["app"]

app = typer.Typer(add_completion=False)


def _send(paths: list[Path], to: str) -> list[SendResult]:
    found = node(to)
    if isinstance(found, FolderNode):
        return copy_files(paths, found.path)
    with progress(f"to {to}", len(paths)) as bar:
        if isinstance(found, DicomwebNode):
            return store_over_web(
                paths, web_address(found), on_progress=lambda *_: bar.advance(bar.task_ids[0])
            )
        return send_files(
            paths,
            dimse_address(to),
            calling_ae_title=settings().listener.ae_title,
            on_progress=lambda *_: bar.advance(bar.task_ids[0]),
        )


@app.command()
def command(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", exists=True, help="A folder with any depth, or one file.")
    ],
    to: Annotated[str, typer.Option("--to", metavar="NODE", help="A node of the settings, or AE@HOST:PORT.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Send every DICOM file of a folder by C-STORE or STOW-RS, or copy it where the node is a folder."""
    collection = collect_files(folder)
    paths, skipped = list(collection.files), len(collection.others)
    if not paths:
        raise CommandError(f"no DICOM file in {folder}" + (f" ({skipped} other files)" if skipped else ""))
    try:
        results = _send(paths, to)
    except (SendError, OSError) as error:
        raise CommandError(f"{to}: {error}") from error
    failed = [result for result in results if not result.delivered]
    if as_json:
        print_json({"node": to, "sent": len(results) - len(failed), "failed": len(failed), "files": results})
    else:
        output.print(
            f"{len(results) - len(failed)} of {len(paths)} instances sent to {to}"
            + (f"; {skipped} files are no DICOM" if skipped else "")
        )
        for reason, number in Counter(str(result.error) for result in failed).most_common():
            output.print(f"  {number} × {reason}", markup=False)
    if failed:
        raise CommandError(f"{len(failed)} of {len(paths)} instances were not accepted by {to}")
