"""The tables, as SQLAlchemy Core sees them; `alembic/versions` makes them, and a test holds the two together.

All times are `timestamptz`. Columns called `*_ms` are milliseconds, `*_s` are seconds.
"""

from typing import Any, Final

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
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

_INSTANT = DateTime(timezone=True)
_WAITS = "sent_at is null and failed_at is null"
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
    Column("edition", BigInteger, nullable=False, server_default=text("0")),
    Column("options", JSONB, nullable=False, server_default=text("'{}'")),
    Column("created_at", _INSTANT, nullable=False, server_default=func.now()),
    Column("updated_at", _INSTANT, nullable=False, server_default=func.now()),
    Column("removed_at", _INSTANT),
    CheckConstraint("interval_s > 0 and timeout_s > 0 and full_every_s > 0 and full_timeout_s > 0", name="positive"),
    Index("endpoint_due", "next_due", postgresql_where=text("enabled and removed_at is null")),
)
"""What is watched, and its timetable. A removed endpoint keeps its row, because reports and incidents point to it.

`edition` rises when another server takes its place: what a probe of an earlier one found is worthless. `options` are
`prober.settings.EndpointOptions`.
"""

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
    Column("bad_since", _INSTANT),
    Column("stats", JSONB(none_as_null=True)),
    CheckConstraint(_VERDICTS, name="verdict"),
    CheckConstraint("full_due in ('next-slot', 'next-turn', 'in-time')", name="full_due"),
)
"""The newest of every endpoint in one row, so that the fleet page never reads reports.

`full_at` is when the last full probe that could look was saved, as `full_report_id`; `full_due` and `full_findings` are
what `checks.standing` remembers. `warm_wait_ms`, `baseline`, `cold_starts`, `log_streams`, `answered_at` and
`tool_memory` make the `History` of the next probe; `sentinels` is how each of them stands. `bad_since` is the slot of
the first bad verdict of the row that lasts, by which an outage of many is seen; `stats` are figures of the last day.
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
    Column("coalesced", Integer, nullable=False, server_default=text("0")),
    Column("last_slot", _INSTANT),
    Column("unknown_reason", Text),
    Column("confirmed", Text),
    Column("lag_ms", REAL),
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
    Index("report_missed", "endpoint_id", "slot", postgresql_where=text("missed > 0")),
    Index("report_slot", "slot", postgresql_using="brin", postgresql_with={"autosummarize": "on"}),
    Index("report_runs", "last_slot", postgresql_where=text("last_slot is not null")),
    postgresql_partition_by="RANGE (slot)",
)
"""One wide row per probe. A row with `missed` above zero stands for that many slots, from `slot` to `last_slot`, with
none. `coalesced` counts further slots up to `last_slot` of which only the same verdict is known, because the spool was
full. `unknown_reason` says why nothing could be observed; `confirmed` is the verdict of the repetition of a bad probe,
by which people are told, where `verdict` counts for uptime. `lag_ms` is the worst delay of the prober's own event loop
meanwhile; above its limit the figures count for no percentile.

`cold` is what the probe suspected; `cold_confirmed` and the four columns after it are what the function's log says of
its first request, null where nobody asked. `burst_ms` are the first answers of new instances that a burst woke.
"""


def _evidence(name: str) -> Table:
    return Table(
        name,
        METADATA,
        Column("report_id", Uuid, nullable=False),
        Column("slot", _INSTANT, nullable=False),
        Column("detail", JSONB, nullable=False),
        PrimaryKeyConstraint("report_id", "slot"),
        postgresql_partition_by="RANGE (slot)",
    )


evidence = _evidence("evidence")
"""The whole of a report that found something, or was a full probe's, as `checks.encode` writes it."""
routine_evidence = _evidence("routine_evidence")
"""The same of reports that found nothing: it is kept for a shorter time."""


def _figures(name: str, *key: Column[Any]) -> Table:
    return Table(
        name,
        METADATA,
        Column("endpoint_id", Uuid, nullable=False),
        *key,
        *(Column(verdict, Integer, nullable=False) for verdict in ("up", "degraded", "down", "unknown")),
        *(Column(f"{kind}_{part}", ARRAY(of), nullable=False) for kind in ("warm", "cold") for part, of in _SKETCH),
        PrimaryKeyConstraint("endpoint_id", *(column.name for column in key)),
        postgresql_partition_by=f"RANGE ({key[0].name})",
    )


_SKETCH: Final = (("buckets", SmallInteger), ("counts", Integer))
figures_hour = _figures("figures_hour", Column("hour", _INSTANT, nullable=False))
"""What an endpoint's slots of one hour came to: slots by verdict, and a sketch of the waits for a first answer.

A sketch counts values by bucket; bucket `b` holds what lies above 1.05^(b-1) and up to 1.05^b milliseconds, so that
sketches are merged by adding, and a percentile is off by 2.5 % at most.
"""
figures_day = _figures("figures_day", Column("day", Date, nullable=False))
"""The same of one day in UTC."""

rollup_due = Table(
    "rollup_due",
    METADATA,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("hour", _INSTANT, nullable=False),
)
"""Hours whose figures are outdated, as often as they became so: whoever adds one waits for nobody."""

housekeeping = Table(
    "housekeeping",
    METADATA,
    Column("job", Text, primary_key=True),
    Column("begun_at", _INSTANT, nullable=False),
)
"""When a job that one worker does for all was last begun."""

incident = Table(
    "incident",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("endpoint_id", Uuid, ForeignKey("endpoint.id", ondelete="CASCADE"), nullable=False),
    Column("verdict", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("since", _INSTANT, nullable=False),
    Column("opened_at", _INSTANT, nullable=False),
    Column("ended_at", _INSTANT),
    Column("cause", Text),
    Column("cause_summary", Text, nullable=False),
    Column("fix", Text, nullable=False),
    Column("report_id", Uuid, nullable=False),
    Column("acknowledged_at", _INSTANT),
    Column("acknowledged_by", Text),
    Column("snoozed_until", _INSTANT),
    Column("muted", Text),
    Column("muted_until", _INSTANT),
    Column("telling", JSONB(none_as_null=True)),
    Column("reconsider_at", _INSTANT),
    Column("outage_id", Uuid),
    Index("incident_reconsider", "reconsider_at", postgresql_where=text("reconsider_at is not null")),
    Index("incident_newest", "opened_at"),
    Index("incident_endpoint", "endpoint_id", "opened_at"),
    Index("incident_open", "endpoint_id", unique=True, postgresql_where=text("ended_at is null")),
)
"""The time in which an endpoint was not well; open while `ended_at` is null.

`telling` is what which channel has been told of it, and `reconsider_at` when that is looked at again without a new
report: for reminders, escalation and the end of what mutes. `muted` says why nobody is told just now, and `muted_until`
how long, where that is known.
"""

outage = Table(
    "outage",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("group_key", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("since", _INSTANT, nullable=False),
    Column("opened_at", _INSTANT, nullable=False),
    Column("ended_at", _INSTANT),
    Column("facts", JSONB, nullable=False),
    Column("telling", JSONB(none_as_null=True)),
    Column("reconsider_at", _INSTANT),
    Index("outage_open", "group_key", unique=True, postgresql_where=text("ended_at is null")),
)
"""Many incidents that began together and are told as one; incidents point to it. `facts` are
`prober.incidents.outages.Outage`."""

transition = Table(
    "transition",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("incident_id", Uuid, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", _INSTANT, nullable=False),
    Column("report_id", Uuid, nullable=False),
    Column("verdict", Text, nullable=False),
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
    Column("transition_id", Uuid, ForeignKey("transition.id", ondelete="CASCADE")),
    Column("endpoint_id", Uuid, ForeignKey("endpoint.id", ondelete="CASCADE")),
    Column("thread", Uuid, nullable=False),
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
    Column("superseded_by", Uuid),
    Column("handed_to", Text),
    Index("notice_transition", "transition_id"),
    Index("notice_thread", "thread"),
    Index("notice_pending", "channel", "thread", "number", postgresql_where=text(_WAITS)),
    Index("notice_due", "channel", "next_attempt_at", "number", postgresql_where=text(_WAITS)),
    Index("notice_order", "channel", "endpoint_id", "number", postgresql_where=text(_WAITS)),
    Index("notice_leased", "channel", postgresql_where=text(f"{_WAITS} and lease_until is not null")),
)
"""The outbox: what is to be told on which channel. It is done once `sent_at` or `failed_at` is set.

A notice that a newer one of its thread has made needless before it went out has `failed_at` and `superseded_by`, the
id of that row; one that another channel has taken over has `failed_at` and `handed_to`, the name of that channel.
"""

attempt = Table(
    "attempt",
    METADATA,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("notice_id", Uuid, ForeignKey("notice.id", ondelete="CASCADE"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("at", _INSTANT, nullable=False, server_default=func.now()),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=text("''")),
    Column("took_ms", REAL, nullable=False),
    Index("attempt_notice", "notice_id"),
    Index("attempt_newest", "at"),
)
"""The delivery log: every try to send a notice and what came of it."""

channel = Table(
    "channel",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("fallback", Text),
    Column("configured_at", _INSTANT, nullable=False, server_default=func.now()),
    Column("removed_at", _INSTANT),
    Column("sent_at", _INSTANT),
    Column("failing_since", _INSTANT),
    Column("broken_since", _INSTANT),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("resting_until", _INSTANT),
    Column("rests_on_request", Boolean, nullable=False, server_default=text("false")),
    Column("last_error", Text),
)
"""The channels of the configuration and how each does; `broken_since` is set while somebody has to mend it.

After `failures` in a row nothing is tried before `resting_until`, which with `rests_on_request` the channel itself has
asked for.
"""

mute = Table(
    "mute",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("endpoints", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("labels", JSONB, nullable=False, server_default=text("'{}'")),
    Column("starts_at", _INSTANT, nullable=False),
    Column("ends_at", _INSTANT, nullable=False),
    Column("reason", Text, nullable=False, server_default=text("''")),
    Column("created_by", Text, nullable=False),
    Column("created_at", _INSTANT, nullable=False, server_default=func.now()),
    Index("mute_ends", "ends_at"),
)
"""A single time in which nobody is told: of maintenance, or after a deploy that somebody marked. Without endpoints and
labels it is for all."""

maintenance_window = Table(
    "maintenance_window",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("rule", JSONB, nullable=False),
)
"""The recurring windows of the configuration, for whoever only reads the database."""

impairment = Table(
    "impairment",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("worker", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("since", _INSTANT, nullable=False),
    Column("ended_at", _INSTANT),
    Index("impairment_open", "worker", "reason", unique=True, postgresql_where=text("ended_at is null")),
)
"""Times in which a prober could not observe, by its own fault."""

worker = Table(
    "worker",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("location", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("started_at", _INSTANT, nullable=False),
    Column("seen_at", _INSTANT, nullable=False),
    Column("vitals", JSONB, nullable=False),
)
"""The workers that run or have run lately, and how each does."""

person = Table(
    "person",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("subject", Text, unique=True),
    Column("password", Text),
    Column("password_at", _INSTANT),
    Column("created_at", _INSTANT, nullable=False, server_default=func.now()),
    Column("created_by", Text, nullable=False),
    Column("seen_at", _INSTANT),
    Column("disabled_at", _INSTANT),
    Column("refused_at", _INSTANT),
    CheckConstraint("role in ('viewer', 'operator', 'admin')", name="role"),
    CheckConstraint("source in ('password', 'oidc', 'proxy')", name="source"),
    CheckConstraint("(source = 'password') = (password is not null)", name="password"),
)
"""Who may log in. `password` is an argon2id hash in PHC form; `subject` is the issuer and subject of an OpenID Connect
provider. Names are lower case. `refused_at`: since when the provider or the proxy names no group that may come in."""

login = Table(
    "login",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("person_id", Uuid, ForeignKey("person.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", _INSTANT, nullable=False, server_default=func.now()),
    Column("seen_at", _INSTANT, nullable=False, server_default=func.now()),
    Column("expires_at", _INSTANT, nullable=False),
    Column("address", Text, nullable=False, server_default=text("''")),
    Column("agent", Text, nullable=False, server_default=text("''")),
    Index("login_person", "person_id"),
    Index("login_expires", "expires_at"),
)
"""Browsers that are logged in, until `expires_at` or until somebody deletes the row. `digest` is the SHA-256 of what
the cookie holds."""

api_token = Table(
    "api_token",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("created_at", _INSTANT, nullable=False, server_default=func.now()),
    Column("created_by", Text, nullable=False),
    Column("expires_at", _INSTANT),
    Column("used_at", _INSTANT),
    Column("revoked_at", _INSTANT),
    Column("revoked_by", Text),
)
"""What programs show in place of a login; `digest` is the SHA-256 of it. `used_at` is true to the minute."""

setup_token = Table(
    "setup_token",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("created_at", _INSTANT, nullable=False, server_default=func.now()),
    Column("expires_at", _INSTANT, nullable=False),
)
"""What the first admin shows to set a password, once. There is none while somebody can log in as an admin."""

failed_login = Table(
    "failed_login",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", _INSTANT, nullable=False),
    Column("locked_until", _INSTANT),
    Index("failed_login_last", "last_at"),
)
"""How often in a row logging in has failed, by name and by address."""

audit = Table(
    "audit",
    METADATA,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("at", _INSTANT, nullable=False, server_default=func.now()),
    Column("author", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'")),
    CheckConstraint("via in ('page', 'api', 'command', 'prober')", name="via"),
    Index("audit_subject", "subject", "number"),
)
"""Who changed what, written in the transaction of the change. `detail` holds no secret."""

probe_request = Table(
    "probe_request",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("endpoint_id", Uuid, ForeignKey("endpoint.id", ondelete="CASCADE"), nullable=False),
    Column("profile", Text, nullable=False),
    Column("asked_at", _INSTANT, nullable=False, server_default=func.now()),
    Column("asked_by", Text, nullable=False),
    Column("taken_at", _INSTANT),
    Column("report_id", Uuid),
    CheckConstraint("profile in ('standard', 'full')", name="profile"),
    Index("probe_request_open", "endpoint_id", unique=True, postgresql_where=text("taken_at is null")),
    Index("probe_request_asked", "asked_at"),
)
"""Probes that a person asked for out of turn, and the report that came of each; one at a time waits for an endpoint."""

comment = Table(
    "comment",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("incident_id", Uuid, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
    Column("at", _INSTANT, nullable=False, server_default=func.now()),
    Column("author", Text, nullable=False),
    Column("words", Text, nullable=False),
    Index("comment_incident", "incident_id", "at"),
)
"""What people wrote about an incident."""
