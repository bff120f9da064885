"""The services behind the channels, on loopback: they enforce the real limits, and fail when they are told to."""

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qs

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.integration.notifiers.rules import pagerduty_faults, slack_fault, sns_fault, webhook_fault

WEBHOOK_PATH = "/services/T0/B0/s3cr3t"

Answer = tuple[int, dict[str, str], str]


class Service(Protocol):
    """What stands behind an HTTP server."""

    url: str

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer: ...


@dataclass
class Sink:
    """What arrived, and what is answered instead of taking it, one entry per request."""

    url: str = ""
    arrived: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    tries: int = 0

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.tries += 1
        if self.answers:
            status, extra = self.answers.pop(0)
            return status, extra, f"rehearsed failure of {path}"
        return self.judge(path, headers, body)

    def judge(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        raise NotImplementedError

    def refuse(self, problem: str, said: str) -> Answer:
        self.refused.append(problem)
        return 400, {}, said


class SlackSink(Sink):
    """A webhook that enforces Slack's limits."""

    def judge(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if path != WEBHOOK_PATH:
            return 404, {}, "no_service"
        if headers["content-type"] != "application/json":
            return self.refuse("invalid_payload", "invalid_payload")
        payload = json.loads(body)
        problem = slack_fault(payload)
        if problem:
            return self.refuse(problem, problem.partition(":")[0])
        self.arrived.append(payload)
        return 200, {}, "ok"


class PagerDutySink(Sink):
    """The Events API v2, with what it knows of open alerts."""

    def judge(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        del path, headers
        errors = pagerduty_faults(body)
        if errors:
            answer = {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
            return self.refuse(errors[0], json.dumps(answer))
        event = json.loads(body)
        self.arrived.append(event)
        answer = {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}
        return 202, {}, json.dumps(answer)

    @property
    def open_alerts(self) -> set[str]:
        found: set[str] = set()
        for event in self.arrived:
            (found.discard if event["event_action"] == "resolve" else found.add)(event["dedup_key"])
        return found


@dataclass
class WebhookSink(Sink):
    """A receiver that believes what is signed with one of its secrets, and takes each id once."""

    secrets: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    """Of all that was believed, with those that came again."""

    def judge(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        del path
        problem = webhook_fault(headers, body, self.secrets, time.time())
        if problem:
            return self.refuse(problem, problem)
        if headers["webhook-id"] not in self.ids:
            self.arrived.append(json.loads(body))
        self.ids.append(headers["webhook-id"])
        return 204, {}, ""


class SnsSink(Sink):
    """Publish of the SNS API, in its query protocol, with the rules that moto leaves out."""

    def judge(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        del path, headers
        request = published(body)
        problem = sns_fault(request)
        if problem:
            said = f"<Error><Type>Sender</Type><Code>InvalidParameter</Code><Message>{problem}</Message></Error>"
            return self.refuse(problem, f"<ErrorResponse>{said}<RequestId>1</RequestId></ErrorResponse>")
        self.arrived.append(request)
        return 200, {}, "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"


def published(body: bytes) -> dict[str, Any]:
    """The parameters of a call of Publish (SNS API reference, "Making API requests")."""
    form = {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
    assert form.pop("Action") == "Publish"
    del form["Version"]
    request: dict[str, Any] = {name: value for name, value in form.items() if "." not in name}
    attributes = {}
    for name, value in form.items():
        if name.endswith(".Name"):
            entry = name.removesuffix(".Name")
            kind = form[f"{entry}.Value.DataType"]
            attributes[value] = {"DataType": kind, "StringValue": form[f"{entry}.Value.StringValue"]}
    return {**request, "MessageAttributes": attributes} if attributes else request


@contextmanager
def serving(service: Service, path: str = "/") -> Iterator[None]:
    """The service behind an HTTP server on loopback; its `url` is set."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more, text = service.take(self.path, headers, body)
            self.send_response(status)
            for name, value in {**more, "Content-Length": str(len(text.encode()))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server gives it
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_address[1]}{path}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def open_sink() -> Iterator[SlackSink]:
    sink = SlackSink()
    with serving(sink, WEBHOOK_PATH):
        yield sink


@dataclass
class MailSink:
    """A mail server: what it took, and what it answers instead, by command."""

    host: str = "localhost"
    port: int = 0
    login: tuple[str, str] | None = None
    answers: dict[str, list[str]] = field(default_factory=dict)
    """By MAIL, DATA or the address of a recipient: what is said instead of 250, one entry per command."""
    letters: list[tuple[list[str], bytes]] = field(default_factory=list)
    """Recipients and content."""
    protected: list[bool] = field(default_factory=list)
    """Of each letter: whether it came over TLS."""

    def _said(self, command: str) -> str:
        held = self.answers.get(command)
        return held.pop(0) if held else ""

    async def handle_MAIL(  # noqa: N802 - the name that aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server
        if self.login is not None and not session.authenticated:
            return "530 5.7.0 log in first"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self._said("MAIL") or "250 OK"

    async def handle_RCPT(  # noqa: N802 - the same
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session, options
        said = self._said(address)
        if not said:
            envelope.rcpt_tos.append(address)
        return said or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - the same
        del session
        said = self._said("DATA")
        if not said:
            assert isinstance(envelope.original_content, bytes)
            self.letters.append((list(envelope.rcpt_tos), envelope.original_content))
            assert server.transport is not None
            self.protected.append(server.transport.get_extra_info("ssl_object") is not None)
        return said or "250 2.0.0 taken"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        del server, session, envelope, mechanism
        assert isinstance(data, LoginPassword)
        is_known = (data.login.decode(), data.password.decode()) == self.login
        return AuthResult(success=is_known, handled=False)  # aiosmtpd then says 535


class AnyPort(Controller):
    """Listens on a free port."""

    async def _create_server(self) -> asyncio.AbstractServer:
        server: asyncio.AbstractServer = await super()._create_server()
        self.port = server.sockets[0].getsockname()[1]
        return server


@contextmanager
def open_mail_sink(
    *,
    starttls: ssl.SSLContext | None = None,
    implicit: ssl.SSLContext | None = None,
    login: tuple[str, str] | None = None,
) -> Iterator[MailSink]:
    """A mail server on loopback, with TLS by STARTTLS or from the first byte, or without."""
    sink = MailSink(login=login)
    controller = AnyPort(
        sink,
        hostname="127.0.0.1",
        port=0,
        ssl_context=implicit,
        tls_context=starttls,
        require_starttls=starttls is not None,
        authenticator=sink.authenticate,
        auth_require_tls=implicit is None,  # aiosmtpd does not see the TLS that was there from the first byte
    )
    controller.start()
    sink.port = controller.port
    try:
        yield sink
    finally:
        controller.stop()
