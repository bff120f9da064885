"""Evidence beside the reports, figures by the hour and by the day, and what tells apart why nothing was observed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
ROUTINE = "verdict = 'up' and profile = 'standard' and cause is null"
REPORT_COLUMNS = (
    sa.Column("coalesced", sa.Integer, nullable=False, server_default=sa.text("0")),
    sa.Column("last_slot", INSTANT),
    sa.Column("confirmed", sa.Text),
    sa.Column("lag_ms", sa.REAL),
)


def upgrade() -> None:
    op.add_column("endpoint", sa.Column("edition", sa.BigInteger, nullable=False, server_default=sa.text("0")))
    op.add_column("endpoint", sa.Column("options", JSONB, nullable=False, server_default=sa.text("'{}'")))
    op.add_column("endpoint_state", sa.Column("bad_since", INSTANT))
    op.add_column("endpoint_state", sa.Column("stats", JSONB))
    for column in REPORT_COLUMNS:
        op.add_column("report", column)
    op.alter_column("report", "missed_reason", new_column_name="unknown_reason")
    op.execute(
        "update report set last_slot = slot + make_interval(secs => (missed - 1) * endpoint.interval_s)"
        " from endpoint where endpoint.id = report.endpoint_id and missed > 0"
    )
    op.create_index("report_missed", "report", ["endpoint_id", "slot"], postgresql_where=sa.text("missed > 0"))
    # Rows come in the order of their slots: so little an index finds those of an hour.
    op.create_index("report_slot", "report", ["slot"], postgresql_using="brin", postgresql_with={"autosummarize": "on"})
    op.create_index("report_runs", "report", ["last_slot"], postgresql_where=sa.text("last_slot is not null"))
    days = _days()
    for name in ("evidence", "routine_evidence"):
        op.create_table(
            name,
            sa.Column("report_id", sa.Uuid, nullable=False),
            sa.Column("slot", INSTANT, nullable=False),
            sa.Column("detail", JSONB, nullable=False),
            sa.PrimaryKeyConstraint("report_id", "slot", name=f"{name}_pkey"),
            postgresql_partition_by="RANGE (slot)",
        )
        op.execute(f"create table {name}_default partition of {name} default")
        for day, bounds in days:
            op.execute(f"create table {name}_{day} partition of {name} {bounds}")
    kept = "select id, slot, detail from report where detail is not null and"
    op.execute(f"insert into routine_evidence {kept} ({ROUTINE})")
    op.execute(f"insert into evidence {kept} not ({ROUTINE})")
    op.drop_column("report", "detail")
    _figures("figures_hour", sa.Column("hour", INSTANT, nullable=False))
    _figures("figures_day", sa.Column("day", sa.Date, nullable=False))
    op.create_table(
        "rollup_due",
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("hour", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("number", name="rollup_due_pkey"),
    )
    # What was reported before this release is rolled up as well.
    op.execute(
        "insert into rollup_due (hour) select distinct hour from report cross join lateral generate_series("
        "date_trunc('hour', slot, 'UTC'), coalesce(last_slot, slot), interval '1 hour') as hour"
    )
    op.create_table(
        "housekeeping",
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("begun_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("job", name="housekeeping_pkey"),
    )


def _days() -> list[tuple[str, str]]:
    """The days that `report` has a partition for, as `20260131`, each with its bounds."""
    found = op.get_bind().execute(
        sa.text(
            "select right(relname, 8), pg_get_expr(relpartbound, oid) from pg_class"
            " join pg_inherits on inhrelid = oid where inhparent = 'report'::regclass and relname ~ '_[0-9]{8}$'"
        )
    )
    return [(day, bounds) for day, bounds in found]


def _figures(name: str, key: sa.Column[object]) -> None:
    op.create_table(
        name,
        sa.Column("endpoint_id", sa.Uuid, nullable=False),
        key,
        *(sa.Column(verdict, sa.Integer, nullable=False) for verdict in ("up", "degraded", "down", "unknown")),
        sa.Column("warm_buckets", ARRAY(sa.SmallInteger), nullable=False),
        sa.Column("warm_counts", ARRAY(sa.Integer), nullable=False),
        sa.Column("cold_buckets", ARRAY(sa.SmallInteger), nullable=False),
        sa.Column("cold_counts", ARRAY(sa.Integer), nullable=False),
        sa.PrimaryKeyConstraint("endpoint_id", key.name, name=f"{name}_pkey"),
        postgresql_partition_by=f"RANGE ({key.name})",
    )
    op.execute(f"create table {name}_default partition of {name} default")


def downgrade() -> None:
    for name in ("housekeeping", "rollup_due", "figures_day", "figures_hour"):
        op.drop_table(name)
    for name in ("report_missed", "report_slot"):
        op.drop_index(name, "report")
    op.add_column("report", sa.Column("detail", JSONB))
    for name in ("evidence", "routine_evidence"):
        op.execute(
            f"update report set detail = past.detail from {name} as past"  # noqa: S608 - one of two names above
            " where past.report_id = report.id and past.slot = report.slot"
        )
        op.drop_table(name)
    op.alter_column("report", "unknown_reason", new_column_name="missed_reason")
    for column in REPORT_COLUMNS:
        op.drop_column("report", column.name)
    for name in ("stats", "bad_since"):
        op.drop_column("endpoint_state", name)
    for name in ("options", "edition"):
        op.drop_column("endpoint", name)
