"""What the services behind the channels refuse, by their public documents: written without a look at the notifiers."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any
from uuid import UUID

from jsonschema import Draft202012Validator

SCHEMA = json.loads(files("prober.notifiers").joinpath("notice.v1.schema.json").read_text())
NOTICE = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)

ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ud800-\udfff]")
"""Characters that no channel has any use for: controls, directions, invisible ones, halves of pairs."""


def units(text: str) -> int:
    """Length as JavaScript counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


# Slack


SLACK_TEXT = re.compile(r"(?:[^<>&]|&amp;|&lt;|&gt;|<https?://[^<>|\s]+\|[^<>|]+>)*")
"""Nothing but text, entities and links whose words are ours."""
SLACK_KEYS = {"text", "mrkdwn", "unfurl_links", "unfurl_media", "blocks"}


def slack_fault(payload: Any) -> str:
    """Slack's word for what is wrong; empty when it is fine."""
    if not isinstance(payload, dict) or not payload.keys() <= SLACK_KEYS:
        return "invalid_payload"
    text, blocks = payload.get("text"), payload.get("blocks")
    if not isinstance(text, str) or not text.strip():
        return "no_text"
    if units(text) > 4000 or not SLACK_TEXT.fullmatch(text) or ACTING.search(text):
        return "msg_too_long_or_unescaped"
    if not isinstance(blocks, list) or not 1 <= len(blocks) <= 50:
        return "invalid_blocks"
    return next(filter(None, map(slack_block_fault, blocks)), "")


def slack_block_fault(block: Any) -> str:
    kind = block.get("type")
    if kind == "header":
        is_fine = block.keys() == {"type", "text"} and slack_text_is_fine(block["text"], "plain_text", 150)
    elif kind == "section":
        is_fine = block.keys() == {"type", "text"} and slack_text_is_fine(block["text"], "mrkdwn", 3000)
    elif kind == "context":
        elements = block.get("elements", [])
        is_fine = 1 <= len(elements) <= 10 and all(slack_text_is_fine(each, "mrkdwn", 3000) for each in elements)
    else:
        is_fine = False
    return "" if is_fine else f"invalid_blocks: {kind}"


def slack_text_is_fine(text: Any, kind: str, limit: int) -> bool:
    options = {"emoji"} if kind == "plain_text" else {"verbatim"}
    return (
        text.get("type") == kind
        and text.keys() - options == {"type", "text"}
        and text.get("emoji", False) is False
        and text.get("verbatim", True) is True
        and bool(text["text"].strip())
        and units(text["text"]) <= limit
        and SLACK_TEXT.fullmatch(text["text"]) is not None
        and not ACTING.search(text["text"])
    )


# Amazon SNS


SNS_PARAMETERS = {
    "TopicArn", "Subject", "Message", "MessageAttributes", "MessageStructure", "MessageGroupId",
    "MessageDeduplicationId",
}  # fmt: skip
SNS_BYTES = 262_144
SNS_NAME = re.compile(r"(?!\.)(?!(?i:aws|amazon)\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)")
SNS_PROTOCOLS = {"default", "email", "email-json", "sms", "http", "https", "lambda", "sqs", "application", "firehose"}
FIFO_TOKEN = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")


def sns_fault(request: Mapping[str, Any]) -> str:
    """What Publish would call an invalid parameter; empty when it is fine."""
    return next(sns_faults(request), "")


def sns_faults(request: Mapping[str, Any]) -> Iterator[str]:
    if not request.keys() <= SNS_PARAMETERS:
        yield "unknown parameter"
    subject, text, attributes = request.get("Subject"), request["Message"], request.get("MessageAttributes", {})
    if subject is not None and not re.fullmatch(r"[\x21-\x7e][\x20-\x7e]{0,98}", subject):
        yield "Subject"
    if not text or ACTING.search(text):
        yield "Message"
    if len(attributes) > 10:
        yield "too many attributes"
    size = len(text.encode())
    for name, value in attributes.items():
        held = value["StringValue"]
        size += len(name) + len(value["DataType"]) + len(held.encode())
        if not SNS_NAME.fullmatch(name) or value["DataType"] != "String" or not held or ACTING.search(held):
            yield f"attribute {name}"
    if size > SNS_BYTES:
        yield f"too long: {size}"
    yield from sns_structure_faults(request)
    yield from fifo_faults(request)


def sns_structure_faults(request: Mapping[str, Any]) -> Iterator[str]:
    structure = request.get("MessageStructure")
    if structure is None:
        return
    forms = json.loads(request["Message"])
    if structure != "json" or not isinstance(forms.get("default"), str):
        yield "MessageStructure"
    if not forms.keys() <= SNS_PROTOCOLS or not all(isinstance(each, str) and each for each in forms.values()):
        yield "protocols"
    if "sms" in forms and (len(forms["sms"]) > 140 or "\n" in forms["sms"]):
        yield "sms"
    for protocol in ("http", "https", "lambda", "sqs"):
        yield from notice_faults(json.loads(forms[protocol]))


def fifo_faults(request: Mapping[str, Any]) -> Iterator[str]:
    tokens = [request.get("MessageGroupId"), request.get("MessageDeduplicationId")]
    if request["TopicArn"].endswith(".fifo"):
        if not all(each is not None and FIFO_TOKEN.fullmatch(each) for each in tokens):
            yield "MessageGroupId or MessageDeduplicationId"
    elif any(each is not None for each in tokens):
        yield "a standard topic takes no group and no deduplication id"


# PagerDuty, Events API v2


PAGERDUTY_KEYS = {"routing_key", "event_action", "dedup_key", "payload", "images", "links", "client", "client_url"}
PAGERDUTY_PAYLOAD = {"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}


def pagerduty_faults(body: bytes) -> list[str]:
    """The errors in PagerDuty's words, as far as its documents give them."""
    if len(body) > 512_000:
        return ["payload too large"]
    event = json.loads(body)
    errors = [f"unknown field {each}" for each in event.keys() - PAGERDUTY_KEYS]
    if not re.fullmatch(r"[A-Za-z0-9]{32}", event.get("routing_key", "")):
        errors.append("Length of 'routing_key' is incorrect (should be 32 characters)")
    if event.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        errors.append("'event_action' is invalid")
    if not 1 <= len(event.get("dedup_key", "")) <= 255:
        errors.append("'dedup_key' is missing or too long")
    if not all(link["href"].startswith(("https://", "http://")) for link in event.get("links", [])):
        errors.append("'links' is invalid")
    if event.get("event_action") == "trigger":
        errors += pagerduty_payload_faults(event.get("payload", {}))
    return errors


def pagerduty_payload_faults(payload: dict[str, Any]) -> Iterator[str]:
    if not payload.keys() <= PAGERDUTY_PAYLOAD:
        yield "unknown field in 'payload'"
    if not payload.get("summary", "").strip() or len(payload["summary"]) > 1024:
        yield "'payload.summary' is missing or too long"
    if not payload.get("source", "").strip():
        yield "'payload.source' is missing or blank"
    if payload.get("severity") not in ("critical", "error", "warning", "info"):
        yield "'payload.severity' is invalid (must be one of the following: critical, warning, error, info)"
    if datetime.fromisoformat(payload["timestamp"]).tzinfo is None:
        yield "'payload.timestamp' is without a zone"
    if not isinstance(payload.get("custom_details", {}), dict):
        yield "'payload.custom_details' is no object"
    if ACTING.search(json.dumps(payload, ensure_ascii=False)):
        yield "characters that act"


# Standard Webhooks


def webhook_fault(headers: Mapping[str, str], body: bytes, secrets: Iterable[str], now: float) -> str:
    """Why a receiver that knows one of the secrets would not believe it; empty when it would. Written by RFC 2104."""
    identity, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not re.fullmatch(r"[0-9]{10}", at) or abs(int(at) - now) > 300:
        return "the timestamp is too old or too new"
    told = f"{identity}.{at}.".encode() + body
    given = headers.get("webhook-signature", "").split(" ")
    if not any(f"v1,{signature(told, secret)}" in given for secret in secrets):
        return "no matching signature"
    try:
        data = json.loads(body)
    except ValueError:
        return "no JSON"
    faults = [*notice_faults(data)]
    if not faults and data["data"]["notice"] != str(UUID(identity)):
        return "the id is another notice's"
    return faults[0] if faults else ""


def signature(told: bytes, secret: str) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_")).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(each ^ 0x36 for each in key) + told).digest()
    return base64.b64encode(hashlib.sha256(bytes(each ^ 0x5C for each in key) + inner).digest()).decode()


def notice_faults(data: Any) -> Iterator[str]:
    """Where a notice breaks the schema that the package ships, or holds a character that acts."""
    yield from (f"{each.json_path}: {each.validator}" for each in NOTICE.iter_errors(data))
    for text in texts_of(data):
        if ACTING.search(text):
            yield "characters that act"


def texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, held in value.items():
            yield name
            yield from texts_of(held)
    elif isinstance(value, list):
        for held in value:
            yield from texts_of(held)


# Mail


LETTER_HEADERS = [
    "Auto-Submitted", "Content-Type", "Date", "From", "In-Reply-To", "MIME-Version", "Message-ID", "References",
    "Subject", "To",
]  # fmt: skip
MESSAGE_ID = re.compile(r"<[A-Za-z0-9.-]+@[A-Za-z0-9.-]+>")


def letter_fault(content: bytes) -> str:
    """What a mail server or a reader could take offence at; empty when there is nothing."""
    return next(letter_faults(content), "")


def letter_faults(content: bytes) -> Iterator[str]:
    lines = content.split(b"\r\n")
    if any(len(line) > 998 or b"\r" in line or b"\n" in line or b"\0" in line for line in lines):
        yield "a line that is too long, or ends in another way than CRLF (RFC 5322 section 2.1.1)"
    if not content.isascii():
        yield "not ASCII, for which the server may have no way"
    letter = message_from_bytes(content)
    if sorted(letter.keys()) != sorted(LETTER_HEADERS):
        yield f"headers: {letter.keys()}"
    for name in ("Message-ID", "In-Reply-To", "References"):
        if not MESSAGE_ID.fullmatch(letter[name]):
            yield name
    subject = str(make_header(decode_header(re.sub(r"\r?\n(?=[ \t])", "", letter["Subject"]))))
    if not subject.strip() or len(subject) > 200 or "\n" in subject or ACTING.search(subject):
        yield "Subject"
    parts = letter.get_payload()
    if not isinstance(parts, list) or [each.get_content_type() for each in parts] != ["text/plain", "text/html"]:
        yield "parts"
        return
    text, page = map(text_of, parts)
    if ACTING.search(text) or ACTING.search(page):
        yield "characters that act"
    yield from page_faults(page)


def text_of(part: Any) -> str:
    assert isinstance(part, Message)
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content.decode("utf-8").replace("\r\n", "\n")


class Tags(HTMLParser):
    """The tags of a page with the names of their attributes, and its addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[tuple[str, tuple[str, ...]]] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.add((tag, tuple(name for name, _ in attributes)))
        self.addresses += [value or "" for name, value in attributes if name == "href"]


TAGS = {
    ("html", ("lang",)), ("head", ()), ("meta", ("charset",)), ("title", ()), ("body", ("style",)), ("h1", ("style",)),
    ("h2", ("style",)), ("p", ()), ("p", ("style",)), ("strong", ()), ("br", ()), ("pre", ("style",)), ("a", ("href",)),
}  # fmt: skip


def page_faults(page: str) -> Iterator[str]:
    """Whatever of other people's text has become markup."""
    tags = Tags()
    tags.feed(page)
    yield from (f"tag {each}" for each in tags.found - TAGS)
    yield from (f"address {each}" for each in tags.addresses if not each.startswith(("https://", "http://")))
