"""The generated pages of the documentation are those that the code writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.cli.app import COMMANDS
from flows.cli.reference import PAGES, command_page

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


def test_every_command_and_its_options_are_on_the_page() -> None:
    page = command_page()
    for name in set(COMMANDS) - {"reference"}:
        assert f"## `secondread {name}`" in page
    assert "- `--all-candidates`:" in page
    assert "### `secondread routes explain`" in page
