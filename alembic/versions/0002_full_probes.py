"""When an endpoint is due for a full probe, what such probes found, and the profile of each report."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("endpoint", sa.Column("full_every_s", sa.Double))
    op.add_column("endpoint", sa.Column("full_timeout_s", sa.Double, nullable=False, server_default=sa.text("30")))
    # As the release that brings this has it by default; the first read of the configuration writes what it says.
    op.execute(
        "update endpoint set full_every_s = 86400,"
        " full_timeout_s = greatest(timeout_s, least(3 * timeout_s, interval_s))"
    )
    op.drop_constraint(op.f("endpoint_positive_check"), "endpoint")
    op.create_check_constraint(
        op.f("endpoint_positive_check"),
        "endpoint",
        "interval_s > 0 and timeout_s > 0 and full_every_s > 0 and full_timeout_s > 0",
    )
    op.add_column("endpoint_state", sa.Column("full_at", sa.DateTime(timezone=True)))
    op.add_column("endpoint_state", sa.Column("full_due", sa.Text, nullable=False, server_default=sa.text("'in-time'")))
    op.add_column("endpoint_state", sa.Column("full_findings", JSONB))
    op.add_column("endpoint_state", sa.Column("full_report_id", sa.Uuid))
    op.create_check_constraint(
        op.f("endpoint_state_full_due_check"), "endpoint_state", "full_due in ('next-slot', 'next-turn', 'in-time')"
    )
    op.add_column("report", sa.Column("profile", sa.Text, nullable=False, server_default=sa.text("'standard'")))


def downgrade() -> None:
    op.drop_column("report", "profile")
    op.drop_constraint(op.f("endpoint_state_full_due_check"), "endpoint_state")
    for name in ("full_report_id", "full_findings", "full_due", "full_at"):
        op.drop_column("endpoint_state", name)
    op.drop_constraint(op.f("endpoint_positive_check"), "endpoint")
    op.create_check_constraint(op.f("endpoint_positive_check"), "endpoint", "interval_s > 0 and timeout_s > 0")
    for name in ("full_timeout_s", "full_every_s"):
        op.drop_column("endpoint", name)
