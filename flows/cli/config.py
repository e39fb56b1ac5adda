"""``secondread config``: whether it is right, what is in force, and from where."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, distribution
from ipaddress import ip_address, ip_network
from typing import Annotated, Any

import typer
from sqlalchemy.engine import make_url

from dicom_io.send import SendError, echo, echo_web
from flows.addresses import dimse_address, web_address
from flows.cli.config_pages import effective_values
from flows.cli.console import output, print_json, table
from flows.cli.context import settings
from flows.settings import DicomwebNode, DimseNode, FolderNode, Settings
from models.detector import check_members
from models.package import PackageError
from models.registry import Registry

__all__ = ["app"]

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Check and show the settings.")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _runtime_problems() -> Iterator[tuple[str, str]]:
    cpu, gpu = _installed("onnxruntime"), _installed("onnxruntime-gpu")
    if cpu and gpu:
        yield (
            "error",
            "onnxruntime and onnxruntime-gpu are both installed and write the same files: "
            "uninstall both, then install secondread[cpu] or secondread[gpu], not both",
        )
    if not cpu and not gpu:
        yield "error", "no ONNX Runtime: pip install 'secondread[cpu]' or 'secondread[gpu]'"


def _is_open(host: str) -> bool:
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def _binding_problems(configured: Settings) -> Iterator[tuple[str, str]]:
    listener = configured.listener
    binds = {"listener": listener.host, "metrics": configured.metrics.host}
    if configured.prefect.embedded:
        binds["prefect"] = configured.prefect.host
    for section, host in binds.items():
        if _is_open(host):
            guarded = "only the peers below may send" if section == "listener" else "it asks for no password"
            yield "warning", f"{section}.host {host} is reachable from other machines; {guarded}"
    for peer in listener.peers:
        if peer.ae_title == "*" and peer.address not in {"127.0.0.1", "::1"}:
            yield "warning", f"listener.peers: {peer.address} may send under any AE title"
    if _is_open(listener.host) and all(peer.address in {"127.0.0.1", "::1"} for peer in listener.peers):
        yield "warning", "the listener is open to the network, but its peers are on this machine only"


def _commitment_problems(configured: Settings) -> Iterator[tuple[str, str]]:
    """Yield the archives that could not report: a report may come on an association of its own."""
    peers = configured.listener.peers
    for name, node in configured.nodes.items():
        if not isinstance(node, DimseNode) or node.commitment == "off":
            continue
        try:
            host = ip_address("127.0.0.1" if node.host == "localhost" else node.host)
        except ValueError:
            continue
        if not any(
            peer.ae_title in {"*", node.ae_title} and host in ip_network(peer.address, strict=False)
            for peer in peers
        ):
            yield (
                "warning",
                f"node {name!r} may report storage commitment to our listener, which does not let "
                f'{node.ae_title} at {host} in: add it to listener.peers, or set commitment = "off"',
            )


def _package_problems(configured: Settings) -> Iterator[tuple[str, str]]:
    registry = Registry(configured.runtime.package_dirs)
    for route in configured.routes:
        try:
            check_members(registry.get(route.package), route.members)
        except PackageError as error:
            yield "error", f"route {route.name!r}: {error}"
        if not route.destinations:
            yield (
                "warning",
                f"route {route.name!r} has no destination: its results stay in {configured.results}",
            )


def _node_file_problems(configured: Settings) -> Iterator[tuple[str, str]]:
    """Yield what nodes name and this machine does not have; no delivery to them can work."""
    for name, node in configured.nodes.items():
        if isinstance(node, FolderNode):
            nearest = next(folder for folder in (node.path, *node.path.parents) if folder.exists())
            if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
                yield "error", f"node {name!r}: the folder {node.path} cannot be written"
            continue
        holder = node.tls if isinstance(node, DimseNode) else node
        for keyword in ("ca_file", "certificate_file", "key_file"):
            path = getattr(holder, keyword, None)
            if path is not None and not os.access(path, os.R_OK):
                yield "error", f"node {name!r}: {keyword} {path} cannot be read"
        if isinstance(node, DicomwebNode) and node.authorization_file is not None:
            try:
                node.authorization()
            except ValueError as error:
                yield "error", f"node {name!r}: {error}"


def _asked(configured: Settings) -> dict[str, str | None]:
    """Ask every node; return what is wrong with each, None where it answered."""
    answers: dict[str, str | None] = {}
    for name, node in configured.nodes.items():
        quick: Any = {"timeout_s": min(getattr(node, "timeout_s", 5.0), 5.0)}
        answers[name] = None
        try:
            if isinstance(node, DimseNode):
                address = replace(dimse_address(node), **quick)
                echo(address, calling_ae_title=configured.listener.ae_title)
            elif isinstance(node, DicomwebNode):
                echo_web(replace(web_address(node), **quick))
        except (SendError, ValueError) as error:
            answers[name] = str(error)
    return answers


def _journal_problems(configured: Settings) -> Iterator[tuple[str, str]]:
    journal = make_url(configured.journal_url)
    if journal.get_backend_name() not in {"sqlite", "postgresql"}:
        yield (
            "error",
            f"journal.url: the journal lives in SQLite or PostgreSQL, not {journal.get_backend_name()}",
        )
    nearest = next(
        folder for folder in (configured.state_dir, *configured.state_dir.parents) if folder.exists()
    )
    if not nearest.is_dir():
        yield "error", f"state_dir: {nearest} is no folder"


@app.command()
def check(
    nodes: Annotated[
        bool, typer.Option("--nodes", help="Ask every node as well: C-ECHO, or a DICOMweb query.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Check the settings and the installation; status 1 where something cannot work."""
    configured = settings()
    problems = [
        *_runtime_problems(),
        *_journal_problems(configured),
        *_binding_problems(configured),
        *_commitment_problems(configured),
        *_package_problems(configured),
        *_node_file_problems(configured),
    ]
    asked = _asked(configured) if nodes else {}
    problems += [
        ("warning", f"node {name!r} does not answer: {wrong}")
        for name, wrong in asked.items()
        if wrong is not None
    ]
    wrong = [text for kind, text in problems if kind == "error"]
    if as_json:
        print_json(
            {
                "file": configured.path,
                "valid": not wrong,
                "errors": wrong,
                "warnings": [text for kind, text in problems if kind == "warning"],
                "nodes": {name: wrong or "answers" for name, wrong in asked.items()},
                "settings": [vars(value) for value in effective_values(configured)],
            }
        )
    else:
        output.print(f"settings from {configured.path or 'the defaults, there is no file'}", markup=False)
        _print_values(configured, only_set=True)
        for name in (name for name, wrong in asked.items() if wrong is None):
            output.print(f"node {name!r} ({_place(configured.nodes[name])}) answers", markup=False)
        for kind, text in problems:
            output.print(f"{kind}: {text}", markup=False)
        if wrong:
            output.print(f"{len(wrong)} of these settings cannot work.")
        else:
            output.print("The settings are right." if not problems else "The settings can work: see above.")
    if wrong:
        raise typer.Exit(1)


def _place(node: DimseNode | DicomwebNode | FolderNode) -> str:
    if isinstance(node, DimseNode):
        return f"{node.ae_title} at {node.host}:{node.port}"
    return node.url if isinstance(node, DicomwebNode) else f"folder {node.path}"


def _print_values(configured: Settings, *, only_set: bool) -> None:
    rows = table("setting", "value", "from")
    shown = [v for v in effective_values(configured) if not only_set or v.source != "default"]
    for value in shown:
        rows.add_row(value.name, value.shown, value.source)
    if shown:
        output.print(rows)


@app.command()
def show(as_json: _Json = False) -> None:
    """Show every setting in force and where it comes from: environment, file or default."""
    configured = settings()
    if as_json:
        values: dict[str, Any] = {
            value.name: {"value": value.value, "source": value.source}
            for value in effective_values(configured)
        }
        print_json(values)
    else:
        _print_values(configured, only_set=False)
