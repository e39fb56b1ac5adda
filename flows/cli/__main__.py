"""``python -m flows.cli``, the same as ``secondread``."""

from flows.cli.app import main

main()
