"""Deliveries are committed, or dead for a reason; every request for commitment is kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COLUMNS = ("stored_at", "committed_at", "asked_at", "transaction_uid", "commitment_requests", "dead_reason")


def upgrade() -> None:
    """Apply; what was sent is stored, what was dead had been tried for too long."""
    for name in ("stored_at", "committed_at", "asked_at"):
        op.add_column("deliveries", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column("deliveries", sa.Column("transaction_uid", sa.String(length=64), nullable=True))
    op.add_column(
        "deliveries", sa.Column("commitment_requests", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("deliveries", sa.Column("dead_reason", sa.String(length=32), nullable=True))
    op.create_index(op.f("ix_deliveries_transaction_uid"), "deliveries", ["transaction_uid"], unique=False)
    op.execute("UPDATE deliveries SET stored_at = sent_at WHERE state = 'sent'")
    op.execute("UPDATE deliveries SET dead_reason = 'given-up' WHERE state = 'dead'")
    op.create_table(
        "commitments",
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name=op.f("fk_commitments_delivery_id")),
        sa.PrimaryKeyConstraint("transaction_uid", "delivery_id", name=op.f("pk_commitments")),
    )
    op.create_index(op.f("ix_commitments_delivery_id"), "commitments", ["delivery_id"], unique=False)


def downgrade() -> None:
    """Take back; what was stored is sent, whether committed or not."""
    op.drop_index(op.f("ix_commitments_delivery_id"), table_name="commitments")
    op.drop_table("commitments")
    op.execute("UPDATE deliveries SET state = 'sent' WHERE state IN ('awaiting', 'committed')")
    op.drop_index(op.f("ix_deliveries_transaction_uid"), table_name="deliveries")
    with op.batch_alter_table("deliveries") as table:
        for name in _COLUMNS:
            table.drop_column(name)
