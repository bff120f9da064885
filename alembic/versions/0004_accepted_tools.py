"""The list of tools that an endpoint's owner accepted, and those that probes have read since."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accepted_tools",
        sa.Column(
            "endpoint_id",
            sa.Uuid,
            sa.ForeignKey("endpoint.id", name=op.f("accepted_tools_endpoint_id_fkey"), ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("tools", JSONB, nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("accepted_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("endpoint_id", name=op.f("accepted_tools_pkey")),
    )
    op.add_column("endpoint_state", sa.Column("tool_memory", JSONB))


def downgrade() -> None:
    op.drop_column("endpoint_state", "tool_memory")
    op.drop_table("accepted_tools")
