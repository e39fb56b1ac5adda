"""``secondread package``: the model packages that are installed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import output, print_json, table
from flows.cli.context import settings
from flows.cli.errors import CommandError, failing_on
from flows.cli.package_words import aims_of, as_people_read, lines_of
from models.detector import check_networks
from models.package import Package, PackageError, load_package
from models.registry import Registry
from models.runtime import RuntimeUnavailable

__all__ = ["app"]

app = typer.Typer(add_completion=False, no_args_is_help=True, help="List, show and verify model packages.")

_Reference = Annotated[
    str, typer.Argument(metavar="PACKAGE", help="NAME, NAME@VERSION, or the folder of a package.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def find_package(reference: str) -> Package:
    """Return a verified package by name, by name and version, or by its folder."""
    with failing_on(PackageError):
        if (Path(reference) / "package.toml").is_file():
            return load_package(Path(reference))
        return Registry(settings().runtime.package_dirs).get(reference)


@app.command("list")
def list_packages(as_json: _Json = False) -> None:
    """List the packages that routes and `run` may name."""
    with failing_on(PackageError):
        packages = Registry(settings().runtime.package_dirs).packages()
    if as_json:
        print_json(
            [
                {
                    "name": package.name,
                    "version": package.version,
                    "title": package.manifest.package.title,
                    "task": package.manifest.package.task,
                    "content_hash": package.content_hash,
                    "folder": package.folder,
                }
                for package in packages
            ]
        )
        return
    rows = table("package", "version", "task", "title")
    for package in packages:
        about = package.manifest.package
        rows.add_row(package.name, package.version, about.task, about.title)
    output.print(rows)


@app.command()
def show(package: _Reference, as_json: _Json = False) -> None:
    """Show a package's manifest: intended use, limits, members, findings, metrics as measured."""
    found = find_package(package)
    manifest = found.manifest.model_dump(mode="json", by_alias=True, exclude_none=True)
    identity = {
        "reference": found.reference,
        "content_hash": found.content_hash,
        "device_uid": found.device_uid,
        "folder": str(found.folder),
    }
    if as_json:
        print_json({**identity, "manifest": manifest})
        return
    about = found.manifest.package
    output.print(f"[bold]{found.reference}[/]  {about.title}")
    output.print(
        f"device {found.device_uid}\ncontent {found.content_hash}\nfolder {found.folder}", markup=False
    )
    output.print(f"\nIntended use: {about.intended_use}", markup=False)
    for limit in about.limitations:
        output.print(f"- {limit}", markup=False)
    if aims := aims_of(found.folder):
        output.print("\n[bold]aims, by the model card[/]")
        for line in aims:
            output.print(f"  {line}", markup=False)
    for heading, value in as_people_read(manifest).items():
        output.print(f"\n[bold]{heading}[/]")
        for line in lines_of(value):
            output.print(f"  {line}", markup=False)


@app.command()
def verify(package: _Reference, as_json: _Json = False) -> None:
    """Check manifest, hashes, opset, and the networks' inputs and outputs; status 1 where one is wrong."""
    try:
        found = find_package(package)
        with failing_on(PackageError, RuntimeUnavailable):
            check_networks(found)
    except CommandError as error:
        if as_json:
            print_json({"package": package, "valid": False, "reason": str(error)})
            raise typer.Exit(error.exit_code) from error
        raise
    if as_json:
        print_json(
            {
                "package": found.reference,
                "valid": True,
                "content_hash": found.content_hash,
                "device_uid": found.device_uid,
                "members": len(found.manifest.all_members),
            }
        )
    else:
        number = len(found.manifest.all_members)
        output.print(f"{found.reference} is sound: {number} networks, content {found.content_hash}")
