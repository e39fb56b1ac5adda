"""Every setting of the service, from ``secondread.toml`` and the environment.

Order of precedence: environment (``SECONDREAD_LISTENER__PORT=11113``), then the TOML file, then the
defaults below. Relative paths in the file count from the file's folder.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from flows.nodes import (
    DicomwebNode,
    DimseNode,
    FolderNode,
    Node,
    TlsSettings,
    check_ae_title,
    with_absolute_paths,
)
from flows.routing.rules import Route, default_routes

__all__ = [
    "DicomwebNode",
    "DimseNode",
    "FolderNode",
    "JournalSettings",
    "ListenerSettings",
    "MetricsSettings",
    "Node",
    "Peer",
    "OutboxSettings",
    "PrefectSettings",
    "RuntimeSettings",
    "Settings",
    "TlsSettings",
    "WorkerSettings",
    "load_settings",
]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Peer(_Section):
    """A sender that the listener accepts: calling AE title together with its address."""

    ae_title: str = Field(description="Calling AE title of the peer; '*' accepts any title from the address.")
    address: str = Field(default="127.0.0.1", description="IP address or CIDR network of the peer.")


class ListenerSettings(_Section):
    """The Storage and Verification SCP."""

    ae_title: str = Field(default="SECONDREAD", description="Our AE title; other called titles are rejected.")
    host: str = Field(default="127.0.0.1", description="Address to bind; loopback unless opened on purpose.")
    port: int = Field(default=11112, ge=0, le=65535, description="TCP port; 0 takes a free one.")
    peers: tuple[Peer, ...] = Field(
        default=(Peer(ae_title="*", address="127.0.0.1"),),
        description="Who may send; all others are rejected.",
    )
    maximum_associations: int = Field(default=32, ge=1, description="Associations at one time.")
    network_timeout_s: float = Field(
        default=60.0, gt=0, description="A silent peer is dropped after this time."
    )
    maximum_object_bytes: int = Field(default=4 * 1024**3, ge=1024, description="Larger objects are refused.")

    _title = field_validator("ae_title")(check_ae_title)


class JournalSettings(_Section):
    """The journal's database."""

    url: str | None = Field(
        default=None,
        description="SQLAlchemy URL, e.g. postgresql+psycopg://…; SQLite in the state folder when unset.",
    )


class PrefectSettings(_Section):
    """The Prefect server that shows and schedules runs."""

    embedded: bool = Field(
        default=True, description="`secondread serve` starts and supervises the server itself."
    )
    host: str = Field(default="127.0.0.1", description="Address that the embedded server binds.")
    port: int = Field(default=4200, ge=1, le=65535, description="Port of the embedded server.")
    api_url: str | None = Field(
        default=None, description="API of a server that runs elsewhere (embedded = false)."
    )
    database_url: str | None = Field(
        default=None,
        description="postgresql+asyncpg://… for the embedded server; SQLite in the state folder when unset.",
    )
    work_pool: str = Field(default="secondread", description="Work pool of the deployment.")
    deployment: str = Field(
        default="process-study/secondread", description="flow/deployment that jobs go to."
    )

    @model_validator(mode="after")
    def _one_server(self) -> Self:
        if not self.embedded and self.api_url is None:
            raise ValueError("prefect.api_url is needed when prefect.embedded is false")
        return self

    @property
    def url(self) -> str:
        """The API address that clients use."""
        return self.api_url or f"http://{self.host}:{self.port}/api"

    @property
    def ui_url(self) -> str:
        """The address that people open."""
        return self.url.removesuffix("/api")


class WorkerSettings(_Section):
    """The resident worker."""

    enabled: bool = Field(default=True, description="`serve` starts the resident worker.")
    processes: int = Field(default=1, ge=1, description="Flow runs at one time, one process each.")
    spares: int = Field(default=1, ge=0, description="Warm processes kept ready beside the busy ones.")
    poll_interval_s: float = Field(
        default=0.2, gt=0, le=0.5, description="How often the worker asks for runs."
    )
    maximum_runs: int = Field(default=200, ge=1, description="A child is replaced after so many runs.")
    maximum_growth_mb: int = Field(
        default=300, ge=1, description="A child is replaced when it grew by so much."
    )
    run_timeout_s: float = Field(
        default=900.0, gt=0, description="A run that takes longer is ended as crashed."
    )


class OutboxSettings(_Section):
    """Submitting jobs and finding lost ones."""

    poll_interval_s: float = Field(
        default=0.1, gt=0, description="How often the dispatcher looks for waiting jobs."
    )
    reconcile_interval_s: float = Field(
        default=5.0, gt=0, description="How often runs are compared with jobs."
    )
    maximum_attempts: int = Field(
        default=3, ge=1, description="Attempts of a job before it is dead-lettered."
    )
    hang_timeout_s: float = Field(
        default=1200.0, gt=0, description="A run without an end after this time is lost."
    )
    delivery_attempts: int = Field(default=5, ge=1, description="Attempts of a delivery within one run.")


class MetricsSettings(_Section):
    """The Prometheus endpoint."""

    host: str = Field(default="127.0.0.1", description="Address to bind.")
    port: int = Field(default=9108, ge=0, le=65535, description="Port; 0 takes a free one.")


class RuntimeSettings(_Section):
    """How networks run."""

    provider: Literal["cpu", "cuda", "tensorrt"] = Field(default="cpu", description="Execution provider.")
    threads: int = Field(default=0, ge=0, description="Threads of one session; 0 means one per core.")
    package_dirs: tuple[Path, ...] = Field(
        default=(), description="More folders with packages (name/version)."
    )


def _node_kind(value: Any) -> Any:
    if isinstance(value, dict) and "kind" not in value:
        return {"kind": "dimse", **value}
    return value


class Settings(BaseSettings):
    """All settings; a constructed object is checked."""

    model_config = SettingsConfigDict(
        env_prefix="SECONDREAD_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    state_dir: Path = Field(
        default_factory=lambda: platformdirs.user_state_path("secondread"),
        description="Inbox, quarantine, journal, results and keys.",
    )
    listener: ListenerSettings = ListenerSettings()
    journal: JournalSettings = JournalSettings()
    prefect: PrefectSettings = PrefectSettings()
    worker: WorkerSettings = WorkerSettings()
    outbox: OutboxSettings = OutboxSettings()
    metrics: MetricsSettings = MetricsSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    nodes: dict[str, Node] = Field(default_factory=dict, description="Named destinations and peers.")
    routes: tuple[Route, ...] = Field(default_factory=default_routes, description="What is read by what.")

    _path: Path | None = PrivateAttr(default=None)

    @field_validator("nodes", mode="before")
    @classmethod
    def _default_kind(cls, value: Any) -> Any:
        return {name: _node_kind(node) for name, node in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _references(self) -> Self:
        names = [route.name for route in self.routes]
        if len(set(names)) != len(names):
            raise ValueError("route names must differ")
        for route in self.routes:
            missing = sorted(set(route.destinations) - set(self.nodes))
            if missing:
                raise ValueError(f"route {route.name!r} names unknown nodes: {', '.join(missing)}")
        return self

    @property
    def inbox(self) -> Path:
        """``study/series/instance.dcm``, the only place where received data lies."""
        return self.state_dir / "inbox"

    @property
    def quarantine(self) -> Path:
        """Objects that were kept and never processed."""
        return self.state_dir / "quarantine"

    @property
    def results(self) -> Path:
        """Encoded results by study pseudonym and job."""
        return self.state_dir / "results"

    @property
    def scratch(self) -> Path:
        """What the tasks of one run hand to each other; removed with the run."""
        return self.state_dir / "scratch"

    @property
    def journal_url(self) -> str:
        """SQLAlchemy URL of the journal."""
        return self.journal.url or f"sqlite:///{self.state_dir / 'journal.sqlite'}"

    @property
    def path(self) -> Path | None:
        """The file that was read."""
        return self._path

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then what the caller read from TOML."""
        return env_settings, init_settings


def load_settings(path: Path | None = None) -> Settings:
    """Read settings from ``path``, ``$SECONDREAD_CONFIG`` or ``./secondread.toml``, or take the defaults.

    Raises
    ------
    FileNotFoundError
        A file was named and is not there.
    pydantic.ValidationError
        A setting is unknown or out of range; the error names it.
    """
    named = path or (Path(os.environ["SECONDREAD_CONFIG"]) if os.environ.get("SECONDREAD_CONFIG") else None)
    if named is not None and not named.is_file():
        raise FileNotFoundError(f"no configuration file at {named}")
    found = named or (Path("secondread.toml") if Path("secondread.toml").is_file() else None)
    if found is None:
        return Settings()
    values = TomlConfigSettingsSource(Settings, toml_file=found)()
    base = found.resolve().parent
    if "state_dir" in values:
        values["state_dir"] = base / values["state_dir"]
    if "nodes" in values:
        values["nodes"] = with_absolute_paths(values["nodes"], base)
    runtime = values.get("runtime", {})
    if "package_dirs" in runtime:
        runtime["package_dirs"] = [base / item for item in runtime["package_dirs"]]
    settings = Settings(**values)
    settings._path = found.resolve()
    return settings


def is_loopback(url: str) -> bool:
    """Return whether an http URL stays on this machine."""
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}
