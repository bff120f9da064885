"""The tables, as SQLAlchemy Core sees them; `alembic/versions` makes them, and a test holds the two together.

All times are `timestamptz`. Columns called `*_ms` are milliseconds, `*_s` are seconds.
"""

from typing import Final

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

METADATA: Final = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

REPORT_PARTITION_PREFIX: Final = "report_"
"""Partitions of `report` are called `report_20260131`, and `report_default` for what no day holds."""

_INSTANT = DateTime(timezone=True)
_VERDICTS = "verdict in ('up', 'degraded', 'down', 'unknown')"

endpoint = Table(
    "endpoint",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("spec", JSONB, nullable=False),
    Column("source", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("interval_s", Double, nullable=False),
    Column("timeout_s", Double, nullable=False),
    Column("full_every_s", Double),
    Column("full_timeout_s", Double, nullable=False, server_default=text("30")),
    Column("labels", JSONB, nullable=False),
    Column("phase_s", Double, nullable=False),
    Column("next_due", _INSTANT, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", _INSTANT),
    Column("claimed_slot", _INSTANT),
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    Column("created_at", _INSTANT, nullable=False, server_default=func.now()),
    Column("updated_at", _INSTANT, nullable=False, server_default=func.now()),
    Column("removed_at", _INSTANT),
    CheckConstraint("interval_s > 0 and timeout_s > 0 and full_every_s > 0 and full_timeout_s > 0", name="positive"),
    Index("endpoint_due", "next_due", postgresql_where=text("enabled and removed_at is null")),
)
"""What is watched, and its timetable. A removed endpoint keeps its row, because reports and incidents point to it."""

endpoint_state = Table(
    "endpoint_state",
    METADATA,
    Column("endpoint_id", Uuid, ForeignKey("endpoint.id", ondelete="CASCADE"), primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("since", _INSTANT, nullable=False),
    Column("cause", Text),
    Column("cause_summary", Text, nullable=False),
    Column("report_id", Uuid),
    Column("slot", _INSTANT),
    Column("era", Text),
    Column("protocol_version", Text),
    Column("transport", Text),
    Column("server_name", Text),
    Column("server_version", Text),
    Column("tool_count", Integer),
    Column("latency_ms", REAL),
    Column("spark", ARRAY(REAL), nullable=False, server_default=text("'{}'")),
    Column("marks", Text, nullable=False, server_default=text("''")),
    Column("warm_wait_ms", ARRAY(REAL), nullable=False, server_default=text("'{}'")),
    Column("opener", JSONB(none_as_null=True)),
    Column("incident", JSONB(none_as_null=True)),
    Column("updated_at", _INSTANT, nullable=False, server_default=func.now()),
    Column("full_at", _INSTANT),
    Column("full_due", Text, nullable=False, server_default=text("'in-time'")),
    Column("full_findings", JSONB(none_as_null=True)),
    Column("full_report_id", Uuid),
    Column("baseline", JSONB(none_as_null=True)),
    Column("cold_starts", JSONB, nullable=False, server_default=text("'[]'")),
    Column("log_streams", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("answered_at", _INSTANT),
    Column("tool_memory", JSONB(none_as_null=True)),
    Column("sentinels", JSONB, nullable=False, server_default=text("'[]'")),
    CheckConstraint(_VERDICTS, name="verdict"),
    CheckConstraint("full_due in ('next-slot', 'next-turn', 'in-time')", name="full_due"),
)
"""The newest of every endpoint in one row, so that the fleet page never reads reports.

`full_at` is when the last full probe that could look was saved, as `full_report_id`; `full_due` and `full_findings` are
what `checks.standing` remembers. `warm_wait_ms`, `baseline`, `cold_starts`, `log_streams`, `answered_at` and
`tool_memory` make the `History` of the next probe; `sentinels` is how each of them stands.
"""

accepted_tools = Table(
    "accepted_tools",
    METADATA,
    Column("endpoint_id", Uuid, ForeignKey("endpoint.id", ondelete="CASCADE"), primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("tools", JSONB, nullable=False),
    Column("accepted_at", _INSTANT, nullable=False, server_default=func.now()),
    Column("accepted_by", Text, nullable=False),
)
"""The list of tools that changes of an endpoint are measured by, as `checks.inventory` writes it."""

report = Table(
    "report",
    METADATA,
    Column("id", Uuid, nullable=False),
    Column("endpoint_id", Uuid, nullable=False),
    Column("slot", _INSTANT, nullable=False),
    Column("location", Text, nullable=False),
    Column("started_at", _INSTANT),
    Column("saved_at", _INSTANT, nullable=False, server_default=func.now()),
    Column("verdict", Text, nullable=False),
    Column("cause", Text),
    Column("cause_summary", Text, nullable=False, server_default=text("''")),
    Column("era", Text),
    Column("protocol_version", Text),
    Column("transport", Text),
    Column("tool_count", Integer),
    Column("cold", Boolean, nullable=False, server_default=text("false")),
    Column("missed", Integer, nullable=False, server_default=text("0")),
    Column("missed_reason", Text),
    Column("duration_ms", REAL),
    Column("dns_ms", REAL),
    Column("connect_ms", REAL),
    Column("tls_ms", REAL),
    Column("wait_ms", REAL),
    Column("handshake_ms", REAL),
    Column("tools_list_ms", REAL),
    Column("sentinel_ms", REAL),
    Column("first_event_ms", REAL),
    Column("last_event_ms", REAL),
    Column("detail", JSONB(none_as_null=True)),
    Column("profile", Text, nullable=False, server_default=text("'standard'")),
    Column("cold_confirmed", Boolean),
    Column("init_ms", REAL),
    Column("restore_ms", REAL),
    Column("function_ms", REAL),
    Column("memory_mb", REAL),
    Column("burst_ms", ARRAY(REAL)),
    PrimaryKeyConstraint("id", "slot"),
    UniqueConstraint("endpoint_id", "slot", "location"),
    CheckConstraint(_VERDICTS, name="verdict"),
    postgresql_partition_by="RANGE (slot)",
)
"""One wide row per probe. A row with `missed` above zero stands for that many slots, from `slot` on, without one.

`cold` is what the probe suspected; `cold_confirmed` and the four columns after it are what the function's log says of
its first request, null where nobody asked. `burst_ms` are the first answers of new instances that a burst woke.
"""

incident = Table(
    "incident",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("endpoint_id", Uuid, ForeignKey("endpoint.id", ondelete="CASCADE"), nullable=False),
    Column("severity", Text, nullable=False),
    Column("since", _INSTANT, nullable=False),
    Column("opened_at", _INSTANT, nullable=False),
    Column("ended_at", _INSTANT),
    Column("cause", Text),
    Column("cause_summary", Text, nullable=False),
    Column("fix", Text, nullable=False),
    Column("report_id", Uuid, nullable=False),
    Index("incident_newest", "opened_at"),
    Index("incident_endpoint", "endpoint_id", "opened_at"),
    Index("incident_open", "endpoint_id", unique=True, postgresql_where=text("ended_at is null")),
)
"""The time in which an endpoint was not well; open while `ended_at` is null."""

transition = Table(
    "transition",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("incident_id", Uuid, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", _INSTANT, nullable=False),
    Column("report_id", Uuid, nullable=False),
    Column("severity", Text, nullable=False),
    Column("cause", Text),
    Column("cause_summary", Text, nullable=False),
    Index("transition_incident", "incident_id"),
)
"""Every change of an incident, in the words of the moment."""

notice = Table(
    "notice",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("number", BigInteger, Identity(always=True), nullable=False, unique=True),
    Column("transition_id", Uuid, ForeignKey("transition.id", ondelete="CASCADE"), nullable=False),
    Column("endpoint_id", Uuid, ForeignKey("endpoint.id", ondelete="CASCADE"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("created_at", _INSTANT, nullable=False, server_default=func.now()),
    Column("next_attempt_at", _INSTANT, nullable=False, server_default=func.now()),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("lease_owner", Text),
    Column("lease_until", _INSTANT),
    Column("sent_at", _INSTANT),
    Column("failed_at", _INSTANT),
    Column("last_error", Text),
    Index("notice_transition", "transition_id"),
    Index(
        "notice_pending",
        "channel",
        "endpoint_id",
        "number",
        postgresql_where=text("sent_at is null and failed_at is null"),
    ),
)
"""The outbox: what is to be told on which channel. It is done once `sent_at` or `failed_at` is set."""
