"""People, logins, tokens, the audit log, probes out of turn and comments."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
NOW = sa.func.now()
EMPTY = sa.text("''")


def upgrade() -> None:
    _people()
    _programs()
    op.create_table(
        "audit",
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("via", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("detail", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.CheckConstraint("via in ('page', 'api', 'command', 'prober')", name="via"),
    )
    op.create_index("audit_subject", "audit", ["subject", "number"])
    _asked()


def _people() -> None:
    op.create_table(
        "person",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, unique=True),
        sa.Column("password", sa.Text),
        sa.Column("password_at", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("seen_at", INSTANT),
        sa.Column("disabled_at", INSTANT),
        sa.CheckConstraint("role in ('viewer', 'operator', 'admin')", name="role"),
        sa.CheckConstraint("source in ('password', 'oidc', 'proxy')", name="source"),
        sa.CheckConstraint("(source = 'password') = (password is not null)", name="password"),
    )
    op.create_table(
        "login",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("person_id", sa.Uuid, sa.ForeignKey("person.id", ondelete="CASCADE"), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("seen_at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("address", sa.Text, nullable=False, server_default=EMPTY),
        sa.Column("agent", sa.Text, nullable=False, server_default=EMPTY),
    )
    op.create_index("login_person", "login", ["person_id"])
    op.create_index("login_expires", "login", ["expires_at"])
    op.create_table(
        "failed_login",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_at", INSTANT, nullable=False),
        sa.Column("locked_until", INSTANT),
    )
    op.create_index("failed_login_last", "failed_login", ["last_at"])


def _programs() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("scopes", ARRAY(sa.Text), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("used_at", INSTANT),
        sa.Column("revoked_at", INSTANT),
        sa.Column("revoked_by", sa.Text),
    )
    op.create_table(
        "setup_token",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("created_at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("expires_at", INSTANT, nullable=False),
    )


def _asked() -> None:
    op.create_table(
        "probe_request",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("endpoint_id", sa.Uuid, sa.ForeignKey("endpoint.id", ondelete="CASCADE"), nullable=False),
        sa.Column("profile", sa.Text, nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("taken_at", INSTANT),
        sa.Column("report_id", sa.Uuid),
        sa.CheckConstraint("profile in ('standard', 'full')", name="profile"),
    )
    op.create_index(
        "probe_request_open",
        "probe_request",
        ["endpoint_id"],
        unique=True,
        postgresql_where=sa.text("taken_at is null"),
    )
    op.create_index("probe_request_asked", "probe_request", ["asked_at"])
    op.create_table(
        "comment",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("incident_id", sa.Uuid, sa.ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
        sa.Column("at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
    )
    op.create_index("comment_incident", "comment", ["incident_id", "at"])


def downgrade() -> None:
    for name in ("comment", "probe_request", "audit", "setup_token", "api_token", "failed_login", "login", "person"):
        op.drop_table(name)
