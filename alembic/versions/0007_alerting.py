"""What incidents weigh and who has been told, outages of many, mutes, the delivery log, channels and workers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
PENDING = sa.text("sent_at is null and failed_at is null")
LEASED = sa.text("sent_at is null and failed_at is null and lease_until is not null")
IS_OPEN = sa.text("ended_at is null")
SEVERITY = "case when verdict = 'down' then 'critical' else 'warning' end"
INCIDENT_COLUMNS = (
    sa.Column("acknowledged_at", INSTANT),
    sa.Column("acknowledged_by", sa.Text),
    sa.Column("snoozed_until", INSTANT),
    sa.Column("muted", sa.Text),
    sa.Column("muted_until", INSTANT),
    sa.Column("telling", JSONB),
    sa.Column("reconsider_at", INSTANT),
    sa.Column("outage_id", sa.Uuid),
)


def upgrade() -> None:
    for name in ("incident", "transition"):
        op.alter_column(name, "severity", new_column_name="verdict")
        op.add_column(name, sa.Column("severity", sa.Text))
        op.execute(f"update {name} set severity = {SEVERITY}")  # noqa: S608 - all of it stands in this file
        op.alter_column(name, "severity", nullable=False)
    for column in INCIDENT_COLUMNS:
        op.add_column("incident", column)
    op.create_index(
        "incident_reconsider", "incident", ["reconsider_at"], postgresql_where=sa.text("reconsider_at is not null")
    )
    # The state of an endpoint repeats its incident.
    op.execute(
        "update endpoint_state set incident = jsonb_set(jsonb_set(incident,"
        " '{incident,verdict}', incident #> '{incident,severity}'), '{incident,severity}',"
        " case when incident #>> '{incident,severity}' = 'down' then '\"critical\"' else '\"warning\"' end::jsonb)"
        " where jsonb_typeof(incident -> 'incident') = 'object'"
    )
    _told()
    _notices()
    _others()


def _told() -> None:
    """Whoever has been told of an incident that is open is told of its end, and not of its beginning again."""
    op.execute(
        "update incident set telling = jsonb_build_object('told', told) from ("
        " select incident_id, jsonb_agg(jsonb_build_object('channel', channel, 'heard', 1, 'count', count,"
        " 'last_at', last_at, 'over', false) order by channel) as told from ("
        " select incident_id, channel, count(*) as count, max(created_at) as last_at"
        " from notice join transition on transition.id = transition_id where failed_at is null group by 1, 2"
        " ) as each group by 1) as past where incident_id = incident.id and ended_at is null"
    )


def _notices() -> None:
    op.drop_index("notice_pending", "notice")
    op.add_column("notice", sa.Column("thread", sa.Uuid))
    op.execute(
        "update notice set thread = transition.incident_id from transition where transition.id = notice.transition_id"
    )
    op.alter_column("notice", "thread", nullable=False)
    # Notices that wait while the release changes are sent by the new one.
    op.execute(
        "update notice set payload = payload - 'incident_id' || jsonb_build_object('thread', payload -> 'incident_id',"
        " 'verdict', payload -> 'severity', 'about', 'endpoint', 'labels', '{}'::jsonb,"
        " 'severity', case when payload ->> 'severity' = 'down' then 'critical' else 'warning' end)"
    )
    for name in ("transition_id", "endpoint_id"):
        op.alter_column("notice", name, nullable=True)
    op.add_column("notice", sa.Column("superseded_by", sa.Uuid))
    op.add_column("notice", sa.Column("handed_to", sa.Text))
    op.create_index("notice_thread", "notice", ["thread"])
    op.create_index("notice_pending", "notice", ["channel", "thread", "number"], postgresql_where=PENDING)
    op.create_index("notice_due", "notice", ["channel", "next_attempt_at", "number"], postgresql_where=PENDING)
    op.create_index("notice_order", "notice", ["channel", "endpoint_id", "number"], postgresql_where=PENDING)
    op.create_index("notice_leased", "notice", ["channel"], postgresql_where=LEASED)
    op.create_table(
        "attempt",
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("notice_id", sa.Uuid, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False, server_default=sa.func.now()),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.Column("took_ms", sa.REAL, nullable=False),
        sa.PrimaryKeyConstraint("number", name="attempt_pkey"),
        sa.ForeignKeyConstraint(["notice_id"], ["notice.id"], name="attempt_notice_id_fkey", ondelete="CASCADE"),
    )
    op.create_index("attempt_notice", "attempt", ["notice_id"])
    op.create_index("attempt_newest", "attempt", ["at"])


def _others() -> None:
    op.create_table(
        "outage",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("group_key", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.Column("facts", JSONB, nullable=False),
        sa.Column("telling", JSONB),
        sa.Column("reconsider_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="outage_pkey"),
    )
    op.create_index("outage_open", "outage", ["group_key"], unique=True, postgresql_where=IS_OPEN)
    op.create_table(
        "channel",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("fallback", sa.Text),
        sa.Column("configured_at", INSTANT, nullable=False, server_default=sa.func.now()),
        *(sa.Column(name, INSTANT) for name in ("removed_at", "sent_at", "failing_since", "broken_since")),
        sa.Column("failures", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("resting_until", INSTANT),
        sa.Column("rests_on_request", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("last_error", sa.Text),
        sa.PrimaryKeyConstraint("name", name="channel_pkey"),
    )
    op.create_table(
        "mute",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("endpoints", ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("labels", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("id", name="mute_pkey"),
    )
    op.create_index("mute_ends", "mute", ["ends_at"])
    op.create_table(
        "maintenance_window",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("rule", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("name", name="maintenance_window_pkey"),
    )
    op.create_table(
        "impairment",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="impairment_pkey"),
    )
    op.create_index("impairment_open", "impairment", ["worker", "reason"], unique=True, postgresql_where=IS_OPEN)
    op.create_table(
        "worker",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("location", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("vitals", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("name", name="worker_pkey"),
    )


def downgrade() -> None:
    for name in ("worker", "impairment", "maintenance_window", "mute", "channel", "outage", "attempt"):
        op.drop_table(name)
    op.execute("delete from notice where transition_id is null or endpoint_id is null")
    op.execute(
        "update notice set payload = payload - array['thread', 'verdict', 'about', 'labels']"
        " || jsonb_build_object('incident_id', payload -> 'thread', 'severity', payload -> 'verdict')"
    )
    for name in ("notice_pending", "notice_due", "notice_order", "notice_leased", "notice_thread"):
        op.drop_index(name, "notice")
    for name in ("handed_to", "superseded_by", "thread"):
        op.drop_column("notice", name)
    for name in ("transition_id", "endpoint_id"):
        op.alter_column("notice", name, nullable=False)
    op.create_index("notice_pending", "notice", ["channel", "endpoint_id", "number"], postgresql_where=PENDING)
    op.drop_index("incident_reconsider", "incident")
    for column in INCIDENT_COLUMNS:
        op.drop_column("incident", column.name)
    op.execute(
        "update endpoint_state set incident = jsonb_set(incident, '{incident}',"
        " (incident -> 'incident') - 'verdict' || jsonb_build_object('severity', incident #> '{incident,verdict}'))"
        " where jsonb_typeof(incident -> 'incident') = 'object'"
    )
    for name in ("incident", "transition"):
        op.drop_column(name, "severity")
        op.alter_column(name, "verdict", new_column_name="severity")
