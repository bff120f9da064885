"""Puts a text of the test's choice into every stored text that a page may show."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import psycopg

_OURS: Final = frozenset(
    {
        "answer", "at", "check", "chosen_at", "connect", "effect", "era", "exchange", "failure", "id", "incident_id",
        "kind", "key", "opened_at", "outcome", "profile", "report_id", "severity", "since", "slot", "started_at",
        "thread", "transport", "verdict", "fingerprint", "until", "accepted_at", "format",
    }
)  # fmt: skip
"""Keys below which the prober keeps words of its own: what a reader of the row could not do without."""

_JSON: Final = {
    "evidence": ("detail", "report_id"),
    "routine_evidence": ("detail", "report_id"),
    "notice": ("payload", "id"),
    "accepted_tools": ("tools", "endpoint_id"),
}
_TEXTS: Final = {
    "report": ("id", "cause", "cause_summary"),
    "endpoint_state": ("endpoint_id", "cause", "cause_summary", "server_name", "server_version", "protocol_version"),
    "incident": ("id", "cause", "cause_summary", "fix", "acknowledged_by", "muted"),
    "transition": ("id", "cause", "cause_summary"),
    "notice": ("id", "last_error", "channel"),
    "attempt": ("number", "reason", "channel"),
    "mute": ("id", "reason", "created_by"),
    "comment": ("id", "author", "words"),
    "audit": ("number", "author", "action", "subject"),
    "worker": ("name", "location", "version"),
    "impairment": ("id", "detail", "worker"),
    "channel": ("name", "last_error"),
    "person": ("id", "name", "created_by"),
    "login": ("digest", "agent", "address"),
    "api_token": ("id", "name", "created_by"),
    "probe_request": ("id", "asked_by"),
}

Next = Callable[[], str]


def fill(url: str, text: Next) -> None:
    """Make sure that every table has a row, and write what `text` gives into all of them."""
    seed(url)
    with psycopg.connect(url, autocommit=True) as connection:
        for table, (column, key) in _JSON.items():
            for identity, value in connection.execute(f"select {key}, {column} from {table}").fetchall():
                changed = json.dumps(_filled(value, text))
                connection.execute(f"update {table} set {column} = %s where {key} = %s", (changed, identity))
        for table, (key, *columns) in _TEXTS.items():
            for (identity,) in connection.execute(f"select {key} from {table}").fetchall():
                for column in columns:
                    connection.execute(f"update {table} set {column} = %s where {key} = %s", (text(), identity))
        for (identity,) in connection.execute("select id from endpoint").fetchall():
            labels = json.dumps({"team": text(), text()[:60]: text()})
            connection.execute("update endpoint set labels = %s where id = %s", (labels, identity))
            public = json.dumps({"public": text()[:60]})
            connection.execute("update endpoint set options = options || %s where id = %s", (public, identity))


def _filled(value: Any, text: Next) -> Any:
    if isinstance(value, Mapping):
        return {key: each if key in _OURS else _filled(each, text) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, text) for each in value]
    return text() if isinstance(value, str) else value


def seed(url: str) -> None:
    """Rows of the tables that the example fleet leaves empty."""
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("select count(*) from comment").fetchone() == (0,):
            for statement in _ROWS:
                connection.execute(statement)


_ROWS: Final = (
    "insert into comment (id, incident_id, author, words)"
    " select gen_random_uuid(), id, 'ada', 'It is the layer of\nthe last deploy.' from incident limit 1",
    "insert into audit (author, via, action, subject) values ('ada', 'page', 'token.add', 'deploy pipeline')",
    "insert into mute (id, kind, starts_at, ends_at, created_by)"
    " values (gen_random_uuid(), 'maintenance', now(), now() + interval '1 h', 'ada')",
    "insert into worker (name, location, version, started_at, seen_at, vitals)"
    " values ('worker-1', 'local', '1', now(), now(), '{}')",
    "insert into impairment (id, worker, reason, detail, since)"
    " values (gen_random_uuid(), 'worker-1', 'clock', 'the clock jumped', now())",
    "insert into channel (name, kind, broken_since) values ('oncall', 'file', now())",
    "insert into attempt (notice_id, channel, outcome, took_ms) select id, channel, 'failed', 1 from notice limit 1",
    "insert into api_token (id, name, digest, scopes, created_by)"
    " values (gen_random_uuid(), 'deploy pipeline', '\\x01', '{read}', 'ada')",
    "insert into probe_request (id, endpoint_id, profile, asked_by)"
    " select gen_random_uuid(), id, 'standard', 'ada' from endpoint where name = 'orders'",
    "update endpoint set options = options || '{\"public\": \"Orders\"}' where name = 'orders'",
)
