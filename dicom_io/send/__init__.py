"""Sending: C-STORE and C-ECHO as SCU, copies into a folder, finding DICOM files.

Import from the modules: ``nodes`` (addresses, results, errors), ``storage``, ``folder``, ``collect``.
"""
