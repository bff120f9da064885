"""What cold starts leave behind: what the function's log says of a probe, and the past by which the next is judged."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_OF_THE_LOG = ("init_ms", "restore_ms", "function_ms", "memory_mb")


def upgrade() -> None:
    op.add_column("endpoint_state", sa.Column("baseline", JSONB))
    op.add_column("endpoint_state", sa.Column("cold_starts", JSONB, nullable=False, server_default=sa.text("'[]'")))
    op.add_column(
        "endpoint_state", sa.Column("log_streams", ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'"))
    )
    op.add_column("endpoint_state", sa.Column("answered_at", sa.DateTime(timezone=True)))
    op.add_column("report", sa.Column("cold_confirmed", sa.Boolean))
    for name in _OF_THE_LOG:
        op.add_column("report", sa.Column(name, sa.REAL))
    op.add_column("report", sa.Column("burst_ms", ARRAY(sa.REAL)))


def downgrade() -> None:
    for name in ("burst_ms", *reversed(_OF_THE_LOG), "cold_confirmed"):
        op.drop_column("report", name)
    for name in ("answered_at", "log_streams", "cold_starts", "baseline"):
        op.drop_column("endpoint_state", name)
