"""Studies of one patient are found by a keyed hash, to compare a result with the one before it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; studies that came before are not known by patient, only those that are read from now on."""
    op.create_table(
        "patients",
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("patient_key", sa.String(length=64), nullable=False),
        sa.Column("issued", sa.Boolean(), nullable=False),
        sa.Column("acquired_at", sa.DateTime(timezone=False), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name=op.f("fk_patients_study_id")),
        sa.PrimaryKeyConstraint("study_id", name=op.f("pk_patients")),
    )
    op.create_index(op.f("ix_patients_patient_key"), "patients", ["patient_key"], unique=False)


def downgrade() -> None:
    """Take back."""
    op.drop_index(op.f("ix_patients_patient_key"), table_name="patients")
    op.drop_table("patients")
