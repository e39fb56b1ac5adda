"""The static site: a table of the files that were there at start, and nothing else is ever opened."""

from __future__ import annotations

import mimetypes
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from starlette.responses import FileResponse, Response

from flows.viewer.release import default_folders

__all__ = ["INDEX", "Site", "SiteMissing", "find_site"]

INDEX: Final = "index.html"
_HASHED: Final = re.compile(r"(^|\.)[0-9a-f]{16}\.")
# The host's own table of types is not asked for these: a wrong one keeps the viewer from starting.
_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".onnx": "application/octet-stream",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}


class SiteMissing(Exception):
    """There is no viewer site where it was looked for."""


def find_site(folder: Path | None = None) -> Path:
    """Return the folder of the site: the given one, or the first place that has one.

    Raises
    ------
    SiteMissing
        None has one; the message says how to fetch it.
    """
    folders: Sequence[Path] = (folder,) if folder else default_folders()
    for candidate in folders:
        if (candidate / INDEX).is_file():
            return candidate.resolve()
    places = " or ".join(str(place) for place in dict.fromkeys(folders))
    raise SiteMissing(
        f"the viewer's site is not in {places}: fetch it with `make viewer`, or name it by --site"
    )


@dataclass(frozen=True)
class Site:
    """The files of a site by their names in URLs.

    Parameters
    ----------
    files : mapping of str to pathlib.Path
        Name without a leading slash, e.g. ``assets/favicon.ico``.
    """

    files: Mapping[str, Path]

    @classmethod
    def of(cls, folder: Path) -> Site:
        """List a folder; links and what lies behind them are left out."""
        files = {}
        for place, _, names in os.walk(folder, followlinks=False):
            for name in names:
                path = Path(place, name)
                if path.is_file() and not path.is_symlink():
                    files[path.relative_to(folder).as_posix()] = path
        if INDEX not in files:
            raise SiteMissing(f"there is no {INDEX} in {folder}")
        return cls(MappingProxyType(files))

    def respond(self, name: str) -> Response:
        """Return a file; a page of the application, which has no file of its own, is the index.

        The names of files carry a hash of their content wherever the build gave them one; such a file may be
        kept for ever, any other is asked for again.
        """
        path = self.files.get(name)
        if path is None and Path(name).suffix in _TYPES:
            return Response("There is no such file.\n", 404, media_type="text/plain")
        path = path or self.files[INDEX]
        kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        kept = "public, max-age=31536000, immutable" if _HASHED.search(path.name) else "no-cache"
        return FileResponse(path, media_type=kind, headers={"Cache-Control": kept})
