"""Receiving: the Storage and Verification SCP, and the inbox it writes to.

Import from the modules: ``records`` (plain values, no network library), ``part10``, ``inbox``, ``policy``,
``listener``.
"""
