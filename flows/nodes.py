"""Settings of nodes: DICOM nodes, DICOMweb servers and folders, and how patiently each is tried."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = [
    "DicomwebNode",
    "DimseNode",
    "FolderNode",
    "Node",
    "TlsSettings",
    "check_ae_title",
    "with_absolute_paths",
]

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_PATHS = ("path", "ca_file", "certificate_file", "key_file", "authorization_file")


def check_ae_title(value: str) -> str:
    """Return an AE title; ValueError unless it is one (PS3.5 6.2)."""
    if not (1 <= len(value) <= 16) or value != value.strip() or not _is_ae_text(value):
        raise ValueError(
            f"an AE title has 1 to 16 printable characters and no backslash (PS3.5 6.2), not {value!r}"
        )
    return value


def _is_ae_text(value: str) -> bool:
    return all(" " <= character <= "~" and character != "\\" for character in value)


class _Certified(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    ca_file: Path | None = Field(
        default=None, description="PEM certificates to trust; those of the system when unset."
    )
    certificate_file: Path | None = Field(
        default=None, description="Our certificate (PEM, with its chain), where the node asks for one."
    )
    key_file: Path | None = Field(default=None, description="Its key (PEM, without a passphrase).")

    @model_validator(mode="after")
    def _certificate_with_key(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file come together or not at all")
        return self


class TlsSettings(_Certified):
    """TLS 1.2 or later to a DICOM node."""

    verify_host: bool = Field(default=True, description="The node's certificate must name its host.")


class _Tried(BaseModel):
    """How often and how long a destination is tried."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attempts: int | None = Field(
        default=None,
        ge=1,
        description="Attempts within one run; outbox.delivery_attempts when unset. More follow after it.",
    )
    first_pause_s: float = Field(
        default=5.0, gt=0, description="Pause before the first attempt after a run; it doubles each time."
    )
    longest_pause_s: float = Field(default=300.0, gt=0, description="The longest pause between attempts.")
    give_up_after_h: float = Field(
        default=72.0, gt=0, description="After this time a delivery is a dead letter."
    )

    @model_validator(mode="after")
    def _pauses_grow(self) -> Self:
        if self.longest_pause_s < self.first_pause_s:
            raise ValueError("longest_pause_s is shorter than first_pause_s")
        return self


class DimseNode(_Tried):
    """A DICOM node reached by DIMSE."""

    kind: Literal["dimse"] = "dimse"
    ae_title: str = Field(description="Called AE title.")
    host: str = Field(default="127.0.0.1", description="Address.")
    port: int = Field(ge=1, le=65535, description="TCP port.")
    timeout_s: float = Field(default=30.0, gt=0, description="Connection, association and DIMSE timeout.")
    tls: TlsSettings | None = Field(default=None, description="Connect over TLS.")
    commitment: Literal["when-offered", "required", "off"] = Field(
        default="when-offered",
        description="Ask for storage commitment (PS3.4 Annex J): where the node offers it; always, so that "
        "what goes to a node without it is a dead letter; never.",
    )
    commitment_timeout_s: float = Field(
        default=300.0, gt=0, description="A report that does not come within this time is asked for again."
    )
    commitment_wait_s: float = Field(
        default=1.0,
        ge=0,
        le=30,
        description="How long the report is waited for on the association of the request.",
    )

    _title = field_validator("ae_title")(check_ae_title)


class DicomwebNode(_Tried, _Certified):
    """A DICOMweb server reached by STOW-RS."""

    kind: Literal["dicomweb"]
    url: str = Field(description="Root of its services, e.g. https://pacs.example/dicom-web.")
    timeout_s: float = Field(default=30.0, gt=0, description="Connection, and each silence.")
    allow_plain_http: bool = Field(
        default=False, description="Send over http, unencrypted, to another machine."
    )
    authorization_file: Path | None = Field(
        default=None, description="File with the value of the Authorization header, e.g. Bearer …"
    )
    authorization_env: str | None = Field(
        default=None, description="Environment variable with that value instead."
    )

    @model_validator(mode="after")
    def _safe(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("url is http(s)://host[:port]/root, without query")
        if parts.username is not None or parts.password is not None:
            raise ValueError("no user or password in url: name authorization_file or authorization_env")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK and not self.allow_plain_http:
            raise ValueError(
                "plain http shows patient data to the network: take https, or set allow_plain_http = true"
            )
        if parts.scheme == "http" and (self.ca_file or self.certificate_file):
            raise ValueError("certificates are for https")
        if self.authorization_file is not None and self.authorization_env is not None:
            raise ValueError("authorization_file or authorization_env, not both")
        return self

    def authorization(self) -> str | None:
        """Return the value of the Authorization header, or None where none is configured.

        Raises
        ------
        ValueError
            The file or variable is missing, empty, or holds more than one line; the text does not quote it.
        """
        if self.authorization_file is not None:
            name = f"authorization_file {self.authorization_file}"
            try:
                value = self.authorization_file.read_text(encoding="ascii")
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"{name} cannot be read: {type(error).__name__}") from None
        elif self.authorization_env is not None:
            name = f"authorization_env {self.authorization_env}"
            value = os.environ.get(self.authorization_env, "")
        else:
            return None
        value = value.strip()
        if not value or not (value.isascii() and value.isprintable()):
            raise ValueError(f"{name} must hold one line of text: the value of the Authorization header")
        return value


class FolderNode(_Tried):
    """A folder that receives result files."""

    kind: Literal["folder"]
    path: Path = Field(description="Where the files go.")


Node = Annotated[DimseNode | DicomwebNode | FolderNode, Field(discriminator="kind")]


def with_absolute_paths(nodes: Any, base: Path) -> Any:
    """Return nodes as read from a file in ``base``, their paths relative to it made absolute."""
    if not isinstance(nodes, dict):
        return nodes
    return {
        name: dict(_absolute(node, base)) if isinstance(node, dict) else node for name, node in nodes.items()
    }


def _absolute(values: dict[str, Any], base: Path) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if key in _PATHS and isinstance(value, str):
            yield key, base / value
        elif key == "tls" and isinstance(value, dict):
            yield key, dict(_absolute(value, base))
        else:
            yield key, value
