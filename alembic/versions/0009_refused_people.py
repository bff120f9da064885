"""Since when whoever vouches for a person names no group of theirs that may come in."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("person", sa.Column("refused_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("person", "refused_at")
