"""How studies are read, step by step: films one by one, volumes and mammograms together."""

from __future__ import annotations

from flows.reading.readers import FilmReader, MammographyReader, StudyReader, VolumeReader, reader_of
from flows.reading.study import Gathered, NotRead, Refused, SourceFile

__all__ = [
    "FilmReader",
    "Gathered",
    "MammographyReader",
    "NotRead",
    "Refused",
    "SourceFile",
    "StudyReader",
    "VolumeReader",
    "reader_of",
]
