"""Reading a folder of DICOM without any server: ``secondread run``."""

from flows.offline.files import FolderContents, SetAside, StudyFiles, sort_files
from flows.offline.reader import OfflineReader
from flows.offline.report import RunReport, StudyReport

__all__ = [
    "FolderContents",
    "OfflineReader",
    "RunReport",
    "SetAside",
    "StudyFiles",
    "StudyReport",
    "sort_files",
]
