"""Deliveries are claimed by who delivers them; those of a job without a result end with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; what could never be delivered any more, since its job had ended, is a dead letter."""
    op.add_column("deliveries", sa.Column("uncommitted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("deliveries", sa.Column("claimed_by", sa.String(length=64), nullable=True))
    op.add_column("deliveries", sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True))
    op.create_index(op.f("ix_deliveries_claimed_by"), "deliveries", ["claimed_by"], unique=False)
    op.execute(
        "UPDATE deliveries SET state = 'dead', dead_reason = 'job-ended', "
        "error = 'the job ended before this was delivered' "
        "WHERE state IN ('pending', 'failed') AND job_id IN "
        "(SELECT id FROM jobs WHERE state IN ('failed', 'dead-letter', 'cancelled'))"
    )


def downgrade() -> None:
    """Take back."""
    op.execute("UPDATE deliveries SET state = 'pending', dead_reason = NULL WHERE dead_reason = 'job-ended'")
    op.drop_index(op.f("ix_deliveries_claimed_by"), table_name="deliveries")
    with op.batch_alter_table("deliveries") as table:
        for name in ("uncommitted_at", "claimed_by", "claimed_until"):
            table.drop_column(name)
