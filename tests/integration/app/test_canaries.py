"""Canary secrets go through every way in which a probe can fail, and are looked for in everything that it leaves."""

import asyncio
import base64
import html
import json
import logging
import os
import re
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote, quote_plus

import boto3
import pytest
import yaml
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.encode import as_json
from checks.model import Endpoint, ProbeReport, Profile
from checks.reproduce import curl
from checks.unit import CheckContext, check
from prober.app import channels, logs
from prober.app.monitor import Following, Monitor
from prober.cli import report_json, report_text
from prober.cli.reports import FORMS
from prober.clock import SystemClock
from prober.endpoints.config_file import ConfigFileWatcher
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.probing.credentials import Credentials
from prober.probing.runner import Assignment, probe, run_checks
from prober.secrets.vault import Vault
from tests.integration.app.test_monitor import eventually
from tests.integration.dashboard.conftest import SetClock, browsing
from tests.integration.notifiers.sink import WEBHOOK_PATH, SlackSink, open_sink
from tests.integration.storage.builders import Store
from tests.integration.wire.scripted import DISCOVERED, Out, Request, Script, Server, result, running

ROOT = Path(__file__).parents[3]
REGION = "eu-central-1"

CANARIES = {
    name: f'cAnary{number:02}/{name}"+&=<{number * 7919:06}>'
    for number, name in enumerate(
        (
            "env-bearer", "file-bearer", "whole-secret", "key-of-secret", "parameter", "api-key", "auth-token",
            "cookie", "custom-scheme", "client-secret-basic", "client-secret-post", "app-token", "unnamed-header",
        )
    )
}  # fmt: skip
PASSWORD = "cAnary-of-basic+/auth"
ACCESS_TOKENS = ("cAnaryAccessToken-by-basic/+=", "cAnaryAccessToken-by-post/+=")
QUERY_KEY = "cAnaryQueryKey0123456789"
UNNAMED_QUERY = "cAnaryUnnamedPartOfTheQuery"
AWS = ("AKIDCANARY0123456789", "cAnary/aws+secret/key/0123456789abcdef", "cAnary//session+token/0123456789==")
SECRETS = (*CANARIES.values(), PASSWORD, *ACCESS_TOKENS, QUERY_KEY, UNNAMED_QUERY, *AWS, WEBHOOK_PATH)
assert len(SECRETS) > 20
OF_EACH_KIND = 30
"""How many pages of each kind are looked at; there are some 150 endpoints."""


@cache
def spellings(secret: str) -> frozenset[str]:
    """The secret as plain text, JSON, part of a URL, HTML, and base64."""
    encoded = base64.b64encode(secret.encode()).decode()
    written = json.dumps(secret)[1:-1]
    forms = {
        secret,
        written,
        written.replace("/", "\\/"),
        written.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"),
        re.sub("%..", lambda found: found[0].lower(), quote(secret, safe="")),
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        html.escape(secret),
        encoded.rstrip("="),
        encoded.replace("+", "-").replace("/", "_").rstrip("="),
    }
    return frozenset(forms)


def leaks(where: str, content: str) -> list[str]:
    found = [secret for secret in SECRETS if any(each in content for each in spellings(secret))]
    if "Signature=" in content and (signature := re.search(r"Signature=[0-9a-f]{64}", content)):
        found.append(signature[0])
    return [f"{where}: {secret}" for secret in found]


# servers that repeat what they are sent


def spoken(request: Request) -> str:
    """All that a request carried, in every spelling that the other side may write it in."""
    carried = [request.target.partition("?")[2], *request.target.partition("?")[2].split("&")]
    for name, value in request.headers.items():
        if name not in ("host", "content-length", "content-type", "accept", "accept-encoding", "user-agent"):
            carried += [value, value.partition(" ")[2]]
        if value.startswith("Basic "):
            carried += base64.b64decode(value.removeprefix("Basic ")).decode().split(":")
        carried += re.findall(r"Credential=([^/]+)", value)
    return " | ".join(each for value in carried if value for each in sorted(spellings(value)))


async def refuses(request: Request, out: Out) -> None:
    said = spoken(request)
    challenge = f'WWW-Authenticate: Bearer error="invalid_token", error_description="{said}"'
    await out.json({"error": said, said: 1}, challenge, status=401)


async def crashes(request: Request, out: Out) -> None:
    await out.reply(502, spoken(request).encode(), f"X-Echo: {spoken(request)}", f"x-amzn-errortype: {spoken(request)}")


async def redirects(request: Request, out: Out) -> None:
    await out.reply(307, b"", f"Location: https://elsewhere.example/{spoken(request)}")


async def talks_html(request: Request, out: Out) -> None:
    await out.reply(200, f"<html><b>{spoken(request)}</b>".encode(), content_type="text/html")


async def talks_garbage(request: Request, out: Out) -> None:
    await out.reply(200, b'{"jsonrpc": "2.0", "x": "' + spoken(request).encode(), content_type="application/json")


async def streams_and_breaks(request: Request, out: Out) -> None:
    said = spoken(request)
    await out.stream(f"Mcp-Session-Id: {said}")
    await out.chunk(f": {said}\nid: {said}\ndata: {json.dumps({'said': said})}\n\n")
    await out.chunk(f"data: {said}")
    out.writer.transport.abort()


async def hangs_up(request: Request, out: Out) -> None:
    await out.raw(f"HTTP/1.1 200 X\r\nX-Echo: {spoken(request)}\r\n".encode())
    out.writer.transport.abort()


async def fails_tools(request: Request, out: Out) -> None:
    """A server that speaks MCP and repeats everything in what it says of itself, its tools and their results."""
    said = spoken(request)
    if request.rpc_method == "server/discover":
        info = {"io.modelcontextprotocol/serverInfo": {"name": said, "version": said}}
        await out.json(result(request, {**DISCOVERED, "instructions": said, "_meta": info}))
    elif request.rpc_method == "tools/list":
        schema = {"type": "object", "properties": {said: {"type": "string"}}}
        tools = [{"name": name, "description": said, "inputSchema": schema} for name in ("add", said)]
        await out.json(result(request, {"tools": tools, "resultType": "complete"}))
    elif request.body:
        problem = {"code": -32000, "message": said, "data": {said: [said]}}
        await out.json({"jsonrpc": "2.0", "id": request.json.get("id"), "error": problem})
    else:
        await out.reply(404, said.encode())


MODES: Mapping[str, Script] = {
    "refuses": refuses,
    "crashes": crashes,
    "redirects": redirects,
    "html": talks_html,
    "garbage": talks_garbage,
    "stream": streams_and_breaks,
    "hang-up": hangs_up,
    "tools": fails_tools,
}


async def issues_tokens(request: Request, out: Out) -> None:
    """A token endpoint that gives a token to those who ask for the scope `good`, and repeats the others' secrets."""
    if b"scope=good" not in request.body:
        said = f"{spoken(request)} {request.body.decode()}"
        await out.json({"error": said, "error_description": said}, f"WWW-Authenticate: {said}", status=400)
        return
    token = ACCESS_TOKENS[0 if "authorization" in request.headers else 1]
    await out.json({"access_token": token, "token_type": "Bearer", "expires_in": 3600})


# endpoints with every kind of credential


@dataclass
class Stage:
    """The servers, and the references under which the secrets are to be had."""

    servers: dict[str, Server]
    token_url: str
    references: dict[str, str]
    directory: Path
    slack: SlackSink

    def credentials(self) -> Iterator[tuple[str, dict[str, Any], str]]:
        """A name, the keys of an endpoint, and what its address ends in."""
        refer = self.references
        for name in ("env-bearer", "file-bearer", "whole-secret", "key-of-secret", "parameter"):
            yield name, {"auth": {"bearer": refer[name]}}, ""
        headers = {
            "X-Api-Key": refer["api-key"],
            "X-Auth-Token": refer["auth-token"],
            "Cookie": refer["cookie"],
            "X-Tenant": refer["unnamed-header"],
        }
        yield "headers", {"headers": headers}, ""
        yield "basic", {"headers": {"Authorization": "env:CANARY_BASIC"}}, ""
        yield "custom-scheme", {"headers": {"Authorization": refer["custom-scheme"]}}, ""
        yield "query", {}, f"?tenant=a&api_key={QUERY_KEY}"
        yield "unnamed-query", {}, f"?{UNNAMED_QUERY}"
        for client_auth in ("basic", "post"):
            for scope in ("good", "bad"):
                oauth = {
                    "token_url": self.token_url,
                    "client_id": "prober",
                    "client_secret": refer[f"client-secret-{client_auth}"],
                    "client_auth": client_auth,
                    "scope": scope,
                }
                yield f"oauth-{client_auth}-{scope}", {"auth": {"oauth": oauth}}, ""
        sigv4 = {"service": "lambda", "region": REGION}
        auth = {"sigv4": sigv4, "bearer": refer["app-token"], "token_header": "X-App-Token"}
        yield "signed", {"auth": auth}, ""

    def endpoints(self) -> Iterator[dict[str, Any]]:
        for name, keys, query in self.credentials():
            for mode, server in self.servers.items():
                yield {"name": f"{name}.{mode}", "url": server.url + query, **keys}
            yield {"name": f"{name}.refused", "url": f"http://127.0.0.1:9/mcp{query}", **keys}

    def configuration(self, topic: str = "") -> Path:
        notifiers: list[dict[str, Any]] = [
            {"kind": "slack", "name": "team", "webhook": "env:CANARY_WEBHOOK"},
            {"kind": "slack", "name": "broken", "webhook": "env:CANARY_BROKEN_WEBHOOK"},
            {"kind": "file", "path": str(self.directory / "notices.txt")},
        ]
        if topic:
            notifiers.append({"kind": "sns", "topic_arn": topic})
        sentinel = {"tool": "add", "safe_to_repeat": True}
        document = {
            "defaults": {"interval": "10s", "timeout": "2s"},
            "incidents": {"fail_after": 1, "recover_after": 1},
            "network": {"allow_private": True},
            "notifiers": notifiers,
            "endpoints": [{**each, "sentinels": [sentinel]} for each in self.endpoints()],
        }
        path = self.directory / "prober.yaml"
        path.write_text(yaml.safe_dump(document))
        return path


@pytest.fixture
async def stage(aws_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    variables = dict(
        zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), AWS, strict=True),
        AWS_ENDPOINT_URL=aws_url,
        AWS_REGION=REGION,
        AWS_DEFAULT_REGION=REGION,
        AWS_EC2_METADATA_DISABLED="true",
        CANARY_BASIC=f"Basic {base64.b64encode(f'prober:{PASSWORD}'.encode()).decode()}",
    )
    references = {}
    for name, secret in CANARIES.items():
        variable = f"CANARY_{name.upper().replace('-', '_')}"
        variables[variable], references[name] = secret, f"env:{variable}"
    variables["CANARY_CUSTOM_SCHEME"] = f"Token {CANARIES['custom-scheme']}"
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "token"
    file.write_text(CANARIES["file-bearer"] + "\n")
    references["file-bearer"] = f"file:{file}"
    references |= await asyncio.to_thread(_stored)
    async with AsyncExitStack() as ending:
        sink = ending.enter_context(open_sink())
        monkeypatch.setenv("CANARY_WEBHOOK", sink.url)
        monkeypatch.setenv("CANARY_BROKEN_WEBHOOK", f"http://127.0.0.1:9{WEBHOOK_PATH}")
        servers = {name: await ending.enter_async_context(running(script)) for name, script in MODES.items()}
        tokens = await ending.enter_async_context(running(issues_tokens))
        yield Stage(servers, tokens.url.replace("/mcp", "/token"), references, tmp_path, sink)


def _stored() -> dict[str, str]:
    """Secrets in AWS, and their references."""
    manager: Any = boto3.session.Session().client("secretsmanager")
    whole = manager.create_secret(Name=f"whole-{os.urandom(4).hex()}", SecretString=CANARIES["whole-secret"])
    pair = json.dumps({"token": CANARIES["key-of-secret"], "other": "x"})
    keyed = manager.create_secret(Name=f"keyed-{os.urandom(4).hex()}", SecretString=pair)
    parameters: Any = boto3.session.Session().client("ssm")
    for name in ("parameter", "client-secret-post"):
        parameters.put_parameter(Name=f"/mcp/{name}", Value=CANARIES[name], Type="SecureString", Overwrite=True)
    return {
        "whole-secret": f"aws-sm:{whole['ARN']}",
        "key-of-secret": f"aws-sm:{keyed['ARN']}#token",
        "parameter": "aws-ssm:/mcp/parameter",
        "client-secret-post": "aws-ssm:/mcp/client-secret-post",
    }


# looking


async def dumped(db: AsyncEngine) -> str:
    """Every row of every table as text. The address of an endpoint is as its owner wrote it, with its query."""
    rows: list[str] = []
    async with db.connect() as connection:
        tables = await connection.execute(text("select tablename from pg_tables where schemaname = 'public'"))
        for (table,) in tables.all():
            if table == "endpoint":
                await connection.execute(text("update endpoint set spec = spec - 'url'"))
            found = await connection.execute(text(f'select t::text from "{table}" t'))
            rows += [str(row) for (row,) in found.all()]
    return "\n".join(rows)


async def crawled(database_url: str) -> str:
    """Pages of every kind that the dashboard leads to, and their JSON: of each kind some, drawn by lot, and those of
    all endpoints in whose address a secret stands. What pages are made of is in the rows, and these are all looked at.
    """
    seen: dict[str, str] = {}
    kinds: Counter[str] = Counter()
    order, clock = Random(0), SetClock()
    async with browsing(database_url, clock) as client:
        waiting = ["/", "/incidents", "/api/endpoints"]
        while waiting:
            path = waiting.pop(order.randrange(len(waiting)))
            kind = "/".join(path.partition("?")[0].split("/")[: 3 if path.startswith("/api/") else 2])
            has_secret = kind.endswith("/endpoints") and "query" in path
            if path in seen or (kinds[kind] >= OF_EACH_KIND and not has_secret):
                continue
            kinds[kind] += 1
            answer = await client.get(path)
            seen[path] = f"{answer.headers} {answer.text}"
            if path.startswith("/api") or "text/html" not in answer.headers.get("content-type", ""):
                continue
            links = re.findall(r'href="(/[^"#]*)"', answer.text)
            waiting += [html.unescape(link) for link in links if not link.startswith("/static")]
            waiting += [f"/api{path}"] if path.startswith(("/endpoints/", "/probes/")) else []
    for kind in ("/endpoints", "/probes", "/incidents", "/api/endpoints", "/api/probes"):
        assert kinds[kind] >= OF_EACH_KIND, f"{kind}: the dashboard shows what was probed"
    return "\n".join(seen.values())


@pytest.mark.timeout(300)
async def test_a_worker_leaves_no_secret_in_database_pages_notices_or_log(
    stage: Stage, db: AsyncEngine, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    logs.configure(logging.DEBUG)
    logging.getLogger().addHandler(caplog.handler)
    logging.getLogger().setLevel(logging.DEBUG)
    stage.slack.answers = [(500, {})]
    topic = await asyncio.to_thread(lambda: boto3.session.Session().client("sns").create_topic(Name="canaries"))
    watcher = ConfigFileWatcher(stage.configuration(topic["TopicArn"]), {}, judge=channels.problems_with)
    following = Following(watcher=watcher, owns_endpoints=True)
    monitor = Monitor(
        db=db,
        settings=watcher.load(),
        following=following,
        clock=SystemClock(),
        worker="tested",
        spool=stage.directory / "spool",
    )
    stop, store = asyncio.Event(), Store(db)
    running_monitor = asyncio.create_task(monitor.run(stop))

    async def all_probed() -> bool:
        ((left,),) = await store.sql(
            "select count(*) from endpoint e where not exists (select 1 from report r where r.endpoint_id = e.id)"
        )
        ((told,),) = await store.sql("select count(*) from notice")
        return left == 0 and told > 0 and len(stage.slack.arrived) > 0

    try:
        await eventually(all_probed, 90)
    finally:
        stop.set()
        await running_monitor
        logging.getLogger().removeHandler(caplog.handler)
        logging.getLogger().setLevel(logging.WARNING)
    rows = await dumped(db)
    assert "[redacted]" in rows, "servers did repeat what they were sent"
    assert "${sigv4:lambda/eu-central-1}" in rows
    assert "observer-impaired" in rows
    found = [
        *leaks("database", rows),
        *leaks("pages", await crawled(database_url)),
        *leaks("log", caplog.text),
        *leaks("Slack", json.dumps(stage.slack.arrived)),
        *leaks("notices", (stage.directory / "notices.txt").read_text()),
    ]
    assert found == []


def models(stage: Stage) -> Iterable[Endpoint]:
    watcher = ConfigFileWatcher(stage.configuration(), {}, judge=channels.problems_with)
    return watcher.load().endpoints


async def test_reports_curl_lines_and_tracebacks_of_full_probes_hold_no_secret(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    clock = SystemClock()
    net = Net(GuardPolicy(allow_private=True), clock=clock)
    credentials = Credentials(Vault(), net=net, clock=clock)

    async def probed(endpoint: Endpoint) -> tuple[Endpoint, ProbeReport]:
        patient = replace(endpoint, interval_s=6.0, browser_origins=("https://app.example",))
        assignment = Assignment(endpoint=patient, slot=datetime.now(UTC), profile=Profile.FULL)
        return patient, await probe(assignment, net=net, clock=clock, credentials=credentials)

    found: list[str] = []
    told = ("refuses", "stream", "tools", "refused")
    chosen = [each for each in models(stage) if each.name.rpartition(".")[2] in told]
    for endpoint, report in await asyncio.gather(*(probed(each) for each in chosen)):
        found += leaks(f"JSON of {endpoint.name}", json.dumps(report_json.document(report, endpoint)))
        found += leaks(f"text of {endpoint.name}", report_text.render(report, endpoint, width=100))
        found += leaks(f"row of {endpoint.name}", json.dumps(as_json(report)))
        found += leaks(f"curl of {endpoint.name}", "\n".join(curl(each) for each in report.exchanges))
        found += leaks(f"repr of {endpoint.name}", repr(report))

    @check("broken")
    async def broken(ctx: CheckContext) -> Any:
        """Does a bug show what it should not?"""
        raise RuntimeError(f"{vars(credentials)} {[vars(each) for each in (credentials._vault, credentials._tokens)]}")

    await run_checks(chosen[0], None, Profile.QUICK, (broken,))
    assert "Traceback" in caplog.text
    assert found + leaks("log", caplog.text) == []


@pytest.mark.parametrize(("mode", "code"), [("refuses", 4), ("tools", 0), ("stream", 1)])
async def test_the_command_shows_no_secret_in_any_form_although_every_logger_speaks(
    stage: Stage, mode: str, code: int, tmp_path: Path
) -> None:
    script = (
        "import logging, sys; logging.basicConfig(level=logging.DEBUG); from prober.cli import main; sys.exit(main())"
    )
    words = [
        "check", f"{stage.servers[mode].url}?api_key={QUERY_KEY}", "--sigv4", f"lambda/{REGION}",
        "--bearer", stage.references["key-of-secret"], "--token-header", "X-App-Token",
        "--header", f"X-Api-Key={stage.references['api-key']}", "--bundle", f"{tmp_path}/bundle",
        *(word for form in FORMS for word in ("--report", f"{form}={tmp_path}/{form}")),
    ]  # fmt: skip
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", script, *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PROBER_DEBUG": "1", "PYTHONASYNCIODEBUG": "1"},
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert stage.servers[mode].requests, "the server was asked"
    found = leaks("stdout", done.stdout) + leaks("stderr", done.stderr)
    with zipfile.ZipFile(tmp_path / "bundle") as bundle:
        written = {f"bundle {name}": bundle.read(name).decode() for name in bundle.namelist()}
    written |= {form: (tmp_path / form).read_text() for form in FORMS}
    assert len(written) == len(FORMS) + 5
    for name, content in written.items():
        found += leaks(name, content)
    assert found == []
