"""Alembic's entry: runs the migrations on the connection that the journal hands over."""

from __future__ import annotations

from alembic import context

from flows.journal.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
