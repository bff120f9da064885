"""Endpoints with their timetable and state, reports by day, incidents, the outbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
VERDICTS = "verdict in ('up', 'degraded', 'down', 'unknown')"


def upgrade() -> None:
    _endpoint()
    _endpoint_state()
    _report()
    _incident()
    _transition()
    _notice()


def downgrade() -> None:
    for name in ("notice", "transition", "incident", "report", "endpoint_state", "endpoint"):
        op.drop_table(name)


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, INSTANT, nullable=False, server_default=sa.func.now())


def _endpoint() -> None:
    op.create_table(
        "endpoint",
        sa.Column("id", sa.Uuid),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("spec", JSONB, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("interval_s", sa.Double, nullable=False),
        sa.Column("timeout_s", sa.Double, nullable=False),
        sa.Column("labels", JSONB, nullable=False),
        sa.Column("phase_s", sa.Double, nullable=False),
        sa.Column("next_due", INSTANT, nullable=False),
        sa.Column("lease_owner", sa.Text),
        sa.Column("lease_until", INSTANT),
        sa.Column("claimed_slot", INSTANT),
        sa.Column("fence", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        _now("created_at"),
        _now("updated_at"),
        sa.Column("removed_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="endpoint_pkey"),
        sa.UniqueConstraint("name", name="endpoint_name_key"),
        sa.CheckConstraint("interval_s > 0 and timeout_s > 0", name=op.f("endpoint_positive_check")),
    )
    op.create_index(
        "endpoint_due", "endpoint", ["next_due"], postgresql_where=sa.text("enabled and removed_at is null")
    )
    # Every claim and every result rewrites a row here: room for it on the page, and vacuum that does not wait.
    op.execute(
        "alter table endpoint set (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05,"
        " autovacuum_vacuum_cost_delay = 0)"
    )


def _endpoint_state() -> None:
    op.create_table(
        "endpoint_state",
        sa.Column("endpoint_id", sa.Uuid),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("cause", sa.Text),
        sa.Column("cause_summary", sa.Text, nullable=False),
        sa.Column("report_id", sa.Uuid),
        sa.Column("slot", INSTANT),
        sa.Column("era", sa.Text),
        sa.Column("protocol_version", sa.Text),
        sa.Column("transport", sa.Text),
        sa.Column("server_name", sa.Text),
        sa.Column("server_version", sa.Text),
        sa.Column("tool_count", sa.Integer),
        sa.Column("latency_ms", sa.REAL),
        sa.Column("spark", ARRAY(sa.REAL), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("marks", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.Column("warm_wait_ms", ARRAY(sa.REAL), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("opener", JSONB),
        sa.Column("incident", JSONB),
        _now("updated_at"),
        sa.PrimaryKeyConstraint("endpoint_id", name="endpoint_state_pkey"),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["endpoint.id"], name="endpoint_state_endpoint_id_fkey", ondelete="CASCADE"
        ),
        sa.CheckConstraint(VERDICTS, name=op.f("endpoint_state_verdict_check")),
    )
    op.execute(
        "alter table endpoint_state set (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05,"
        " autovacuum_vacuum_cost_delay = 0)"
    )


def _report() -> None:
    op.create_table(
        "report",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("endpoint_id", sa.Uuid, nullable=False),
        sa.Column("slot", INSTANT, nullable=False),
        sa.Column("location", sa.Text, nullable=False),
        sa.Column("started_at", INSTANT),
        _now("saved_at"),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("cause", sa.Text),
        sa.Column("cause_summary", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.Column("era", sa.Text),
        sa.Column("protocol_version", sa.Text),
        sa.Column("transport", sa.Text),
        sa.Column("tool_count", sa.Integer),
        sa.Column("cold", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("missed", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("missed_reason", sa.Text),
        *(sa.Column(f"{name}_ms", sa.REAL) for name in ("duration", "dns", "connect", "tls", "wait")),
        *(sa.Column(f"{name}_ms", sa.REAL) for name in ("handshake", "tools_list", "sentinel")),
        *(sa.Column(f"{name}_ms", sa.REAL) for name in ("first_event", "last_event")),
        sa.Column("detail", JSONB),
        sa.PrimaryKeyConstraint("id", "slot", name="report_pkey"),
        sa.UniqueConstraint("endpoint_id", "slot", "location", name="report_endpoint_id_slot_location_key"),
        sa.CheckConstraint(VERDICTS, name=op.f("report_verdict_check")),
        postgresql_partition_by="RANGE (slot)",
    )
    # The net under the days that `partitions.ensure` makes ahead: a late housekeeping job never costs a report.
    op.execute("create table report_default partition of report default")


def _incident() -> None:
    op.create_table(
        "incident",
        sa.Column("id", sa.Uuid),
        sa.Column("endpoint_id", sa.Uuid, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.Column("cause", sa.Text),
        sa.Column("cause_summary", sa.Text, nullable=False),
        sa.Column("fix", sa.Text, nullable=False),
        sa.Column("report_id", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("id", name="incident_pkey"),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoint.id"], name="incident_endpoint_id_fkey", ondelete="CASCADE"),
    )
    op.create_index("incident_newest", "incident", ["opened_at"])
    op.create_index("incident_endpoint", "incident", ["endpoint_id", "opened_at"])
    op.create_index(
        "incident_open", "incident", ["endpoint_id"], unique=True, postgresql_where=sa.text("ended_at is null")
    )


def _transition() -> None:
    op.create_table(
        "transition",
        sa.Column("id", sa.Uuid),
        sa.Column("incident_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("report_id", sa.Uuid, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("cause", sa.Text),
        sa.Column("cause_summary", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="transition_pkey"),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name="transition_incident_id_fkey", ondelete="CASCADE"
        ),
    )
    op.create_index("transition_incident", "transition", ["incident_id"])


def _notice() -> None:
    op.create_table(
        "notice",
        sa.Column("id", sa.Uuid),
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("transition_id", sa.Uuid, nullable=False),
        sa.Column("endpoint_id", sa.Uuid, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("payload", JSONB, nullable=False),
        _now("created_at"),
        _now("next_attempt_at"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("lease_owner", sa.Text),
        sa.Column("lease_until", INSTANT),
        sa.Column("sent_at", INSTANT),
        sa.Column("failed_at", INSTANT),
        sa.Column("last_error", sa.Text),
        sa.PrimaryKeyConstraint("id", name="notice_pkey"),
        sa.UniqueConstraint("number", name="notice_number_key"),
        sa.ForeignKeyConstraint(
            ["transition_id"], ["transition.id"], name="notice_transition_id_fkey", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoint.id"], name="notice_endpoint_id_fkey", ondelete="CASCADE"),
    )
    op.create_index("notice_transition", "notice", ["transition_id"])
    op.create_index(
        "notice_pending",
        "notice",
        ["channel", "endpoint_id", "number"],
        postgresql_where=sa.text("sent_at is null and failed_at is null"),
    )
