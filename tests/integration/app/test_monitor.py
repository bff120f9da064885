"""A worker with everything around it: Slack, SNS and CloudWatch hear what it finds, and edits of the file count."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
import yaml
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Profile
from prober.app import channels
from prober.app import monitor as monitor_room
from prober.app.measuring import CannotPublish
from prober.app.monitor import Following, Monitor
from prober.clock import SystemClock
from prober.endpoints.config_file import ConfigFileWatcher
from prober.storage import probe_requests
from tests.integration.notifiers.sink import SlackSink, open_sink
from tests.integration.probing.servers import Switched, serving
from tests.integration.storage.builders import Store

REGION = "eu-central-1"


@pytest.fixture
def aws(aws_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The process's AWS configuration points to moto."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": aws_url,
    }.items():
        monkeypatch.setenv(name, value)
    return aws_url


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackSink]:
    with open_sink() as sink:
        monkeypatch.setenv("SLACK_WEBHOOK", sink.url)
        yield sink


@dataclass
class Stage:
    """A configuration file, the database, and a server that can be switched off."""

    path: Path
    db: AsyncEngine
    server: Switched
    url: str

    def write(self, *names: str, **more: Any) -> None:
        document = {
            "defaults": {"interval": "1s"},
            "incidents": {"fail_after": 2, "recover_after": 1},
            "network": {"allow_cidrs": ["127.0.0.0/8"]},
            "endpoints": [{"name": name, "url": self.url} for name in names],
            **more,
        }
        self.path.write_text(yaml.safe_dump(document))

    @asynccontextmanager
    async def monitor(self) -> AsyncIterator[Monitor]:
        """A worker that runs meanwhile and ends well."""
        watcher = ConfigFileWatcher(self.path, {}, judge=channels.problems_with)
        made = Monitor(
            db=self.db,
            settings=watcher.load(),
            following=Following(watcher=watcher, owns_endpoints=True),
            clock=SystemClock(),
            worker="tested",
            spool=self.path.parent / "spool",
        )
        stop = asyncio.Event()
        running = asyncio.create_task(made.run(stop))
        try:
            yield made
        finally:
            stop.set()
            async with asyncio.timeout(20):
                await running

    async def names(self) -> set[str]:
        return {name for (name,) in await Store(self.db).sql("select name from endpoint where removed_at is null")}


@pytest.fixture
async def stage(db: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr(monitor_room, "FOLLOW_EVERY_S", 0.2)
    server = Switched()
    async with serving(server) as (_, url):
        yield Stage(tmp_path / "prober.yaml", db, server, url)


async def eventually(condition: Callable[[], Any], within_s: float = 40) -> Any:
    """The first true value of `condition`, which may be a coroutine function."""
    async with asyncio.timeout(within_s):
        while True:
            value = condition()
            if asyncio.iscoroutine(value):
                value = await value
            if value:
                return value
            await asyncio.sleep(0.05)


class Queue:
    """What a topic's subscribers get."""

    def __init__(self, name: str) -> None:
        self._sqs = boto3.client("sqs", region_name=REGION)
        sns = boto3.client("sns", region_name=REGION)
        self.topic: str = sns.create_topic(Name=name)["TopicArn"]
        self._url: str = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn)
        self.subjects: list[str] = []

    def read(self) -> list[str]:
        answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
        self.subjects += [json.loads(each["Body"])["Subject"] for each in answer.get("Messages", ())]
        return self.subjects


def up_published(endpoint: str) -> set[float]:
    """The least of each minute: one or two of them, as the test falls."""
    now = datetime.now(UTC)
    metric = {
        "Namespace": "McpProber",
        "MetricName": "Up",
        "Dimensions": [{"Name": "Endpoint", "Value": endpoint}],
    }
    answer = boto3.client("cloudwatch", region_name=REGION).get_metric_data(
        MetricDataQueries=[{"Id": "up", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Minimum"}}],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=10),
    )
    return set(answer["MetricDataResults"][0]["Values"])


async def test_slack_sns_and_cloudwatch_hear_of_an_incident(stage: Stage, slack: SlackSink, aws: str) -> None:
    queue = Queue("alerts")
    stage.write(
        "shop",
        notifiers=[
            {"name": "team", "kind": "slack", "webhook": "env:SLACK_WEBHOOK"},
            {"name": "pager", "kind": "sns", "topic_arn": queue.topic, "endpoint_url": aws},
        ],
        cloudwatch={"enabled": True, "region": REGION, "flush": "1s"},
    )
    async with stage.monitor():
        await eventually(lambda: up_published("shop") == {1.0})
        stage.server.is_well = False
        await eventually(lambda: len(slack.arrived) == 1 and len(queue.read()) == 1)
        await eventually(lambda: 0.0 in up_published("shop"))
        stage.server.is_well = True
        await eventually(lambda: len(slack.arrived) == 2 and len(queue.read()) == 2)
    titles = [payload["blocks"][0]["text"]["text"] for payload in slack.arrived]
    assert titles[0] == "🔴 shop is down"
    assert titles[1].startswith("🟢 shop")
    assert queue.subjects[0] == "MCP: shop is down"
    assert slack.refused == []


async def test_a_worker_that_stops_publishes_what_it_still_holds(stage: Stage, aws: str) -> None:
    stage.write("last-words", cloudwatch={"enabled": True, "region": REGION, "flush": "1h"})
    async with stage.monitor():
        await eventually(lambda: Store(stage.db).sql("select 1 from report where missed = 0"))
        assert up_published("last-words") == set()
    assert up_published("last-words") == {1.0}


async def test_cloudwatch_without_a_region_is_refused_with_the_way_out(
    stage: Stage, aws: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    stage.write("shop", cloudwatch={"enabled": True})
    with pytest.raises(CannotPublish, match=r"cloudwatch\.region"):
        async with stage.monitor():
            pass


async def test_an_edit_counts_without_a_restart(stage: Stage, slack: SlackSink) -> None:
    stage.write("before")
    async with stage.monitor():
        await eventually(lambda: Store(stage.db).sql("select 1 from endpoint_state"))
        stage.server.is_well = False
        stage.write("after", notifiers=[{"name": "team", "kind": "slack", "webhook": "env:SLACK_WEBHOOK"}])
        await eventually(lambda: slack.arrived)
        assert await stage.names() == {"after"}
    assert slack.arrived[0]["blocks"][0]["text"]["text"] == "🔴 after is down"


async def test_every_edit_counts_once_and_names_what_needs_a_restart(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stage.write("first")
    async with stage.monitor():
        await eventually(stage.names)
        for edits, name in enumerate(("second", "third"), start=1):
            stage.write(name, dashboard={"port": 9000 + edits})
            await eventually(lambda edits=edits: caplog.text.count("counts from now on") >= edits)
            assert await stage.names() == {name}
    assert caplog.text.count("counts from now on") == 2
    assert caplog.text.count("the edit of dashboard counts after a restart") == 2


async def test_an_endpoint_of_the_database_has_no_secret_that_the_file_does_not_allow(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOMEBODY_ELSES_TOKEN", "s3cret")
    stage.write("shop", secrets={"allow": ["env:MCP_*"]}, limits={"connect_s": 2})
    async with stage.monitor() as worker:
        assert worker._net.limits.connect_s == 2
        store = Store(stage.db)
        await eventually(stage.names)
        await store.sql("""update endpoint set spec = spec || '{"bearer": "env:SOMEBODY_ELSES_TOKEN"}'""")
        await eventually(lambda: store.sql("select 1 from report where verdict = 'unknown' and missed = 0"))
        ((said,),) = await store.sql("select report::text from report where verdict = 'unknown' and missed = 0 limit 1")
    assert "env:SOMEBODY_ELSES_TOKEN is not among the secrets that may be used here" in said


async def test_a_broken_edit_is_named_and_changes_nothing(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.write("before")
    async with stage.monitor():
        await eventually(stage.names)
        stage.write("after", intervall="1s")
        await eventually(lambda: "the edited configuration is not taken over" in caplog.text)
        assert await stage.names() == {"before"}
    assert "intervall" in caplog.text


async def test_an_edit_while_the_database_is_away_counts_once_it_is_back(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stage.write("before")
    async with stage.monitor():
        await eventually(stage.names)
        await Store(stage.db).sql("alter table endpoint rename to endpoint_away")
        stage.write("after")
        await eventually(lambda: "following the configuration file failed" in caplog.text)
        await Store(stage.db).sql("alter table endpoint_away rename to endpoint")
        await eventually(lambda: "counts from now on" in caplog.text)
        assert await stage.names() == {"after"}


async def test_a_worker_outlives_a_database_that_goes_away(
    stage: Stage, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    stage.write("shop")
    plain = make_url(postgres_url).set(drivername="postgresql").render_as_string(hide_password=False)
    name = stage.db.url.database
    async with stage.monitor():
        await eventually(lambda: Store(stage.db).sql("select 1 from report where missed = 0"))
        with psycopg.connect(plain, autocommit=True) as admin:
            admin.execute(f'alter database "{name}" with allow_connections false')
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
            await eventually(lambda: "claiming due probes failed and is tried again" in caplog.text)
            admin.execute(f'alter database "{name}" with allow_connections true')
        await eventually(lambda: "claiming due probes works again" in caplog.text)
        ((before,),) = await Store(stage.db).sql("select max(slot) from report where missed = 0")
        await eventually(
            lambda: Store(stage.db).sql("select 1 from report where missed = 0 and slot > :before", before=before)
        )
    assert caplog.text.count("claiming due probes failed") == 1, "once, not at every tick"


async def test_a_probe_that_a_person_asks_for_is_made_at_once_and_moves_no_slot(stage: Stage) -> None:
    stage.write("asked", defaults={"interval": "60s"})
    first_due = "select next_due from endpoint where next_due > now() + interval '15 seconds'"
    async with stage.monitor():
        ((due,),) = await eventually(lambda: Store(stage.db).sql(first_due))
        async with stage.db.begin() as connection:
            request = await probe_requests.ask(connection, "asked", Profile.STANDARD, "ana")
        report = "select report.verdict from probe_request join report on report.id = report_id where slot = taken_at"
        assert await eventually(lambda: Store(stage.db).sql(report), 5) == [("up",)]
        found = await probe_requests.known(stage.db, request)
        assert found is not None
        assert found.taken_at is not None
        assert found.taken_at - found.asked_at < timedelta(seconds=3), "a tick, and room for a small machine"
        assert await Store(stage.db).sql("select next_due, lease_owner from endpoint") == [(due, None)]
