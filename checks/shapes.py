"""What a server's messages must look like in each revision, strictly: a deviation is a finding with its rule.

The readers in `checks.messages` take whatever clients can live with; here stands what the specification says. Where
deployed servers commonly differ and clients get along, nothing is found, or it is worded as a risk for the clients
that are strict. Extra members are tolerated everywhere, as all revisions do.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from checks.irregularities import Irregular
from checks.json_schema import judge
from checks.messages import answer_of, error_of, has_error, result_of, rpc_messages
from checks.mirrored import annotation_fault
from checks.model import Exchange, Finding, Opener
from checks.proofs import counted, shown_json
from checks.spec import (
    EVENT_STREAM_TYPE,
    HEADER_SESSION,
    META_SERVER_INFO,
    NEWEST_HANDSHAKE,
    NEWEST_STATELESS,
    REVISIONS,
    Era,
    ErrorCode,
    section,
)
from checks.text import clean

_OLDEST: Final = "2024-11-05"
_BATCHES: Final = "2025-03-26"
"""The only revision with JSON-RPC batches."""
_STRUCTURED_SINCE: Final = "2025-06-18"
_NAMES_SINCE: Final = "2025-11-25"

_SDK_ERROR_IDS: Final = ("server-error", None)
"""Official SDKs put these in the place of an error's id: `mcp` 1.x the first, 2.x and TypeScript null or none."""

_NAMED: Final = 5
_SHOWN: Final = 60


def rulebook(opener: Opener) -> str:
    """The published revision by whose rules a conversation is measured: what was negotiated, if that is one."""
    if opener.protocol_version in REVISIONS:
        return opener.protocol_version
    return NEWEST_STATELESS if opener.era is Era.STATELESS else NEWEST_HANDSHAKE


# kinds of values


@dataclass(frozen=True, slots=True)
class Kind:
    """What a member may hold, as a test and in words."""

    holds: Callable[[Any], bool]
    words: str


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


TEXT: Final = Kind(lambda value: isinstance(value, str), "a string")
OBJECT: Final = Kind(lambda value: isinstance(value, Mapping), "an object")
ARRAY: Final = Kind(lambda value: isinstance(value, list), "an array")
FLAG: Final = Kind(lambda value: isinstance(value, bool), "a boolean")
NATURAL: Final = Kind(lambda value: _is_integer(value) and value >= 0, "an integer from 0 on")
TEXTS: Final = Kind(
    lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value), "an array of strings"
)


def one_of(*values: str) -> Kind:
    return Kind(lambda value: value in values, " or ".join(f'"{each}"' for each in values))


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an object: what it holds, whether it must be there, and from which revision on to which."""

    name: str
    kind: Kind
    required: bool = False
    since: str = _OLDEST
    until: str = NEWEST_STATELESS

    def fault(self, holder: Mapping[str, Any]) -> str | None:
        """What is wrong with it, in words that follow the holder's name, or None."""
        if self.name not in holder:
            return f"has no {self.name}" if self.required else None
        value = holder[self.name]
        if value is None and not self.required:
            return f"has {self.name}: null instead of leaving it out, which strict clients refuse"
        return None if self.kind.holds(value) else f"has a {self.name} that is not {self.kind.words} ({_shown(value)})"


_COMPLETE: Final = Member("resultType", TEXT, required=True, since=NEWEST_STATELESS)
_CACHED: Final = (
    Member("ttlMs", NATURAL, required=True, since=NEWEST_STATELESS),
    Member("cacheScope", one_of("public", "private"), required=True, since=NEWEST_STATELESS),
)
_IMPLEMENTATION: Final = (Member("name", TEXT, required=True), Member("version", TEXT, required=True))
_CAPABILITIES: Final = tuple(
    Member(name, OBJECT) for name in ("tools", "prompts", "resources", "logging", "completions", "experimental")
)
_INITIALIZED: Final = (
    Member("protocolVersion", TEXT, required=True),
    Member("capabilities", OBJECT, required=True),
    Member("serverInfo", OBJECT, required=True),
    Member("instructions", TEXT),
)
_DISCOVERED: Final = (
    _COMPLETE,
    Member("supportedVersions", TEXTS, required=True),
    Member("capabilities", OBJECT, required=True),
    Member("instructions", TEXT),
    *_CACHED,
)
_LISTED: Final = (_COMPLETE, Member("tools", ARRAY, required=True), Member("nextCursor", TEXT), *_CACHED)
_TOOL: Final = (
    Member("description", TEXT),
    Member("title", TEXT, since="2025-06-18"),
    Member("annotations", OBJECT, since="2025-03-26"),
    Member("outputSchema", OBJECT, since=_STRUCTURED_SINCE),
    Member("execution", OBJECT, since="2025-11-25", until="2025-11-25"),
)
_HINTS: Final = tuple(
    Member(name, FLAG) for name in ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
)
_CALLED: Final = (
    _COMPLETE,
    Member("content", ARRAY, required=True),
    Member("isError", FLAG),
    Member("structuredContent", OBJECT, since=_STRUCTURED_SINCE, until="2025-11-25"),
)
_MEDIA: Final = (Member("data", TEXT, required=True), Member("mimeType", TEXT, required=True))
_BLOCKS: Final[Mapping[str, tuple[str, tuple[Member, ...]]]] = {
    "text": (_OLDEST, (Member("text", TEXT, required=True),)),
    "image": (_OLDEST, _MEDIA),
    "resource": (_OLDEST, (Member("resource", OBJECT, required=True),)),
    "audio": ("2025-03-26", _MEDIA),
    "resource_link": (
        "2025-06-18",
        (Member("uri", TEXT, required=True), Member("name", TEXT, required=True)),
    ),
}
"""Content blocks: the revision that brought them, and what they hold."""


def _faults(holder: Mapping[str, Any], members: Iterable[Member], revision: str) -> Iterator[str]:
    for member in members:
        if member.since <= revision <= member.until:
            fault = member.fault(holder)
            if fault is not None:
                yield fault


# the opening


def of_opening(exchange: Exchange, before: Sequence[Exchange], revision: str) -> Iterator[Finding]:
    """Deviations in the answered opening request; `before` are the requests of the same opening that came earlier."""
    result = result_of(exchange)
    if result is None:
        return
    if exchange.rpc_method == "server/discover":
        yield from _of_discovery(exchange, result, revision)
    elif exchange.rpc_method == "initialize":
        yield from _of_initialization(exchange, result, before, revision)
    yield from of_envelope(exchange, revision)
    yield from of_bytes(exchange, revision)


def _of_discovery(exchange: Exchange, result: Mapping[str, Any], revision: str) -> Iterator[Finding]:
    rule = section(NEWEST_STATELESS, "server/discover", "response")
    for fault in _faults(result, _DISCOVERED, NEWEST_STATELESS):
        yield Finding(text=f"the result of server/discover {fault}", rule=rule)
    supported = result.get("supportedVersions")
    if isinstance(supported, list) and revision not in supported:
        text = f"supportedVersions does not name {clean(revision, 40)}, which the server has just answered in"
        yield Finding(text=text, rule=rule)
    yield from _of_capabilities(result, rule)
    meta = result.get("_meta")
    if not isinstance(meta, Mapping) or META_SERVER_INFO not in meta:
        text = "does not say in _meta what software it is, as servers should: clients have nothing to show"
        yield Finding(text=text, rule=rule)
    else:
        yield from _of_implementation(meta[META_SERVER_INFO], META_SERVER_INFO, rule)
    if exchange.header(HEADER_SESSION) is not None:
        rule = section(NEWEST_STATELESS, "basic/transports/streamable-http", "earlier-streamable-http-revisions")
        yield Finding(text="hands out a session id, which this revision has removed", rule=rule)


def _of_initialization(
    exchange: Exchange, result: Mapping[str, Any], before: Sequence[Exchange], revision: str
) -> Iterator[Finding]:
    rule = section(revision, "basic/lifecycle", "initialization")
    for fault in _faults(result, _INITIALIZED, revision):
        yield Finding(text=f"the result of initialize {fault}", rule=rule)
    yield from _of_capabilities(result, rule)
    if isinstance(result.get("serverInfo"), Mapping):
        yield from _of_implementation(result["serverInfo"], "serverInfo", rule)
    asked = _asked_version(exchange)
    answered = result.get("protocolVersion")
    if asked is not None and answered != asked and asked in _advertised(before):
        text = f"answers {_shown(answered)} although it was offered {clean(asked, 40)}, which it says it supports"
        yield Finding(text=text, rule=section(revision, "basic/lifecycle", "version-negotiation"))
    session = exchange.header(HEADER_SESSION)
    if session is not None and not all("!" <= character <= "~" for character in session):
        since = max(revision, "2025-03-26")
        text = "the session id has characters outside visible ASCII"
        yield Finding(text=text, rule=section(since, "basic/transports", "session-management"))


def _of_capabilities(result: Mapping[str, Any], rule: str) -> Iterator[Finding]:
    declared = result.get("capabilities")
    if isinstance(declared, Mapping):
        for fault in _faults(declared, _CAPABILITIES, NEWEST_STATELESS):
            yield Finding(text=f"the declaration of capabilities {fault}", rule=rule)


def _of_implementation(given: Any, name: str, rule: str) -> Iterator[Finding]:
    if not isinstance(given, Mapping):
        yield Finding(text=f"{name} is not an object ({_shown(given)})", rule=rule)
        return
    for fault in _faults(given, _IMPLEMENTATION, NEWEST_STATELESS):
        yield Finding(text=f"{name} {fault}", rule=rule)


def _asked_version(exchange: Exchange) -> str | None:
    """The revision that an `initialize` offered, read off the request as it was sent."""
    try:
        version = json.loads(exchange.request_body)["params"]["protocolVersion"]
    except (ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, str) else None


def _advertised(exchanges: Iterable[Exchange]) -> set[str]:
    """The revisions that the server has named as supported, in a discovery or in a refusal."""
    named: set[str] = set()
    for exchange in exchanges:
        error = error_of(exchange)
        data = error.data if error is not None else None
        supported = (result_of(exchange) or {}).get("supportedVersions")
        lists = (supported, data.get("supported") if isinstance(data, Mapping) else None)
        named |= {each for listed in lists if isinstance(listed, list) for each in listed if isinstance(each, str)}
    return named


# the tool list


def of_page(exchange: Exchange, revision: str) -> Iterator[Finding]:
    """Deviations of one page of the tool list, without those of the tools on it."""
    result = result_of(exchange)
    if result is not None:
        rule = section(revision, "server/tools", "listing-tools")
        for fault in _faults(result, _LISTED, revision):
            yield Finding(text=f"the result of tools/list {fault}", rule=rule)
        yield from _of_result_type(result, ("complete",), revision)
    yield from of_envelope(exchange, revision)
    yield from of_bytes(exchange, revision)


def of_pages(pages: Sequence[Exchange], revision: str) -> Iterator[Finding]:
    """Deviations that show only where pages stand beside each other."""
    scopes = {(result_of(page) or {}).get("cacheScope") for page in pages if result_of(page) is not None}
    if revision == NEWEST_STATELESS and len(scopes) > 1:
        rule = section(NEWEST_STATELESS, "server/utilities/caching", "interaction-with-pagination")
        yield Finding(text="the pages of the tool list differ in their cacheScope", rule=rule)


def unusable_tools(pages: Sequence[Exchange], revision: str) -> Iterator[Finding]:
    """Entries for which clients drop a tool, or the whole list: no name, one name twice, no input schema, and in
    2026-07-28 a header annotation that clients must refuse."""
    rule, annotations = section(revision, "server/tools", "tool"), section(revision, "server/tools", "x-mcp-header")
    entries = list(_entries(pages))
    nameless = sum(1 for entry in entries if not _name(entry))
    if nameless:
        yield Finding(text=f"{counted(nameless, 'tool')} without a name", rule=rule)
    named = [entry for entry in entries if isinstance(entry, Mapping) and _name(entry)]
    for name, count in Counter(_name(entry) for entry in named).items():
        if count > 1:
            yield Finding(text=f"{clean(name, 80)} is listed {count} times", rule=rule)
    for entry in named:
        schema = entry.get("inputSchema")
        if not isinstance(schema, Mapping) or schema.get("type") != "object":
            yield Finding(text=f'{clean(_name(entry), 80)} has no inputSchema of type "object"', rule=rule)
        elif revision == NEWEST_STATELESS:
            fault = annotation_fault(schema)
            if fault is not None:
                yield Finding(text=f"{clean(_name(entry), 80)}: {fault}", rule=annotations)


def of_tools(pages: Sequence[Exchange], revision: str) -> Iterator[Finding]:
    """Deviations of the listed tools that cost no client a tool, each once with the first tools that have it."""
    where: dict[tuple[str, str], list[str]] = {}
    for entry in _entries(pages):
        if isinstance(entry, Mapping) and _name(entry):
            for fault, rule in _tool_faults(entry, revision):
                where.setdefault((fault, rule), []).append(_name(entry))
    for (fault, rule), names in where.items():
        shown = ", ".join(clean(name, 80) for name in names[:_NAMED])
        more = f" and {counted(len(names) - _NAMED, 'more tool')}" if len(names) > _NAMED else ""
        yield Finding(text=f"{shown}{more}: {fault}", rule=rule)


def _tool_faults(entry: Mapping[str, Any], revision: str) -> Iterator[tuple[str, str]]:
    tool = section(revision, "server/tools", "tool")
    for fault in _faults(entry, _TOOL, revision):
        yield fault, tool
    annotations = entry.get("annotations")
    if isinstance(annotations, Mapping) and revision >= "2025-03-26":
        for fault in _faults(annotations, _HINTS, revision):
            yield f"annotations {fault}", tool
    schema = entry.get("outputSchema")
    rooted = not isinstance(schema, Mapping) or schema.get("type") == "object"
    if _STRUCTURED_SINCE <= revision < NEWEST_STATELESS and not rooted:
        yield 'has an outputSchema that is not of type "object"', section(revision, "server/tools", "output-schema")
    if revision >= _NAMES_SINCE and not _is_plain_name(_name(entry)):
        text = "has a name beyond 1 to 128 letters, digits, _, - and ., as names should be: some clients refuse it"
        yield text, section(revision, "server/tools", "tool-names")


def _is_plain_name(name: str) -> bool:
    plain = name.replace("_", "").replace("-", "").replace(".", "")
    return len(name) <= 128 and name.isascii() and (plain.isalnum() or not plain)


def _entries(pages: Iterable[Exchange]) -> Iterator[Any]:
    for page in pages:
        listed = (result_of(page) or {}).get("tools")
        yield from listed if isinstance(listed, list) else ()


def _name(entry: Any) -> str:
    name = entry.get("name") if isinstance(entry, Mapping) else None
    return name if isinstance(name, str) else ""


# the result of a tool


def of_call(exchange: Exchange, revision: str) -> Iterator[Finding]:
    """Deviations of the answer to a tool call, by the rules that hold for every tool; see also `structure_fault`."""
    result = result_of(exchange)
    if result is not None:
        yield from _of_result_type(result, ("complete", "input_required"), revision)
        if revision == NEWEST_STATELESS and result.get("resultType") in ("input_required", "task"):
            yield from _of_unfinished(result)
        elif "task" not in result or "content" in result:
            yield from _of_tool_result(result, revision)
    yield from of_envelope(exchange, revision)
    yield from of_bytes(exchange, revision)


def _of_result_type(result: Mapping[str, Any], allowed: Sequence[str], revision: str) -> Iterator[Finding]:
    given = result.get("resultType")
    if revision == NEWEST_STATELESS and isinstance(given, str) and given not in allowed:
        also = " to a client that has not declared tasks" if given == "task" else ""
        text = f"answers with resultType {_shown(given)}{also}, which clients must take for invalid"
        yield Finding(text=text, rule=section(NEWEST_STATELESS, "basic", "resulttype"))


def _of_unfinished(result: Mapping[str, Any]) -> Iterator[Finding]:
    if result.get("resultType") != "input_required":
        return
    rule = section(NEWEST_STATELESS, "basic/patterns/mrtr", "server-requirements-basic-workflow")
    asked = result.get("inputRequests")
    if not isinstance(asked, Mapping) and not isinstance(result.get("requestState"), str):
        yield Finding(text="requires input without inputRequests and without requestState", rule=rule)
    if isinstance(asked, Mapping) and asked:
        text = f"asks the client for {counted(len(asked), 'input')} although it has declared no capability for any"
        yield Finding(text=text, rule=rule)


def _of_tool_result(result: Mapping[str, Any], revision: str) -> Iterator[Finding]:
    rule = section(revision, "server/tools", "tool-result")
    for fault in _faults(result, _CALLED, revision):
        yield Finding(text=f"the tool's result {fault}", rule=rule)
    content = result.get("content")
    blocks = content if isinstance(content, list) else []
    for number, block in enumerate(blocks[:_NAMED], 1):
        wrong = _block_fault(block, revision)
        if wrong is not None:
            yield Finding(text=f"content block {number} {wrong}", rule=rule)
    is_shown = any(isinstance(block, Mapping) and block.get("type") == "text" for block in blocks)
    if _is_structured(result, revision) and result.get("structuredContent") is not None and not is_shown:
        text = "structuredContent comes without the same as text, as it should: older clients see nothing"
        yield Finding(text=text, rule=section(revision, "server/tools", "structured-content"))


def _block_fault(block: Any, revision: str) -> str | None:
    if not isinstance(block, Mapping):
        return f"is not an object ({_shown(block)})"
    kind = block.get("type")
    if not isinstance(kind, str) or kind not in _BLOCKS or revision < _BLOCKS[kind][0]:
        return f"has the type {_shown(kind)}, which {revision} does not have"
    fault = next(_faults(block, _BLOCKS[kind][1], revision), None)
    resource = block.get("resource")
    if fault is None and kind == "resource" and isinstance(resource, Mapping):
        whole = isinstance(resource.get("uri"), str) and any(isinstance(resource.get(each), str) for each in _CONTENTS)
        return None if whole else "has a resource without uri and text or blob"
    return fault


_CONTENTS: Final = ("text", "blob")


def _is_structured(result: Mapping[str, Any], revision: str) -> bool:
    return revision >= _STRUCTURED_SINCE and result.get("isError") is not True


def structure_fault(result: Mapping[str, Any], output_schema: Any, revision: str) -> str | None:
    """How a tool's result breaks the outputSchema that the tool declares, or None. Clients refuse such a result.

    Source: specification, server/tools, "Output Schema".
    """
    if not isinstance(output_schema, Mapping) or not _is_structured(result, revision):
        return None
    structured = result.get("structuredContent")
    if structured is None and (revision < NEWEST_STATELESS or "structuredContent" not in result):
        return "the tool declares an outputSchema, but its result has no structuredContent"
    fault = judge(structured, output_schema).fault
    return None if fault is None else f"structuredContent is not as the tool's outputSchema says: {fault}"


# the envelope


def of_envelope(exchange: Exchange, revision: str) -> Iterator[Finding]:
    """Deviations from JSON-RPC as the revision uses it, in everything that came with an answered request."""
    answer = answer_of(exchange)
    if answer is None or exchange.rpc_id is None:
        return
    rules = _Rules(revision)
    if any(isinstance(message.data, list) for message in exchange.messages) and revision != _BATCHES:
        text = f"answers the single request {exchange.rpc_method} with a batch array"
        yield Finding(text=text, rule=rules.sending)
    if any(not isinstance(message.data, Mapping | list) for message in exchange.messages):
        yield Finding(text="sends a message that is no JSON object", rule=rules.messages)
    yield from _of_error(answer, exchange, rules) if has_error(answer) else _of_result(answer, exchange, rules)
    yield from _of_others(answer, exchange, rules)


@dataclass(frozen=True, slots=True)
class _Rules:
    """Where a revision says what about messages."""

    revision: str

    @property
    def messages(self) -> str:
        return section(self.revision, "basic/messages" if self.revision == _OLDEST else "basic", "responses")

    @property
    def errors(self) -> str:
        return section(self.revision, "basic", "error-responses") if self.revision >= "2025-11-25" else self.messages

    @property
    def sending(self) -> str:
        if self.revision == NEWEST_STATELESS:
            return section(self.revision, "basic/transports/streamable-http", "receiving-messages")
        if self.revision == _OLDEST:
            return section(self.revision, "basic/transports", "http-with-sse")
        return section(self.revision, "basic/transports", "sending-messages-to-the-server")


def _of_result(answer: Mapping[str, Any], exchange: Exchange, rules: _Rules) -> Iterator[Finding]:
    if answer.get("id") != exchange.rpc_id:
        text = f"gives the id of the request back as {_shown(answer.get('id'))} instead of {_shown(exchange.rpc_id)}"
        yield Finding(text=text, rule=rules.messages)
    if "error" in answer:
        text = "has error: null beside its result, which clients that look for the member take for an error"
        yield Finding(text=text, rule=rules.messages)
    if not isinstance(answer.get("result"), Mapping):
        text = f"answers {exchange.rpc_method} with a result that is not an object ({_shown(answer.get('result'))})"
        yield Finding(text=text, rule=rules.messages)


def _of_error(answer: Mapping[str, Any], exchange: Exchange, rules: _Rules) -> Iterator[Finding]:
    given = answer.get("id")
    if given != exchange.rpc_id and given not in _SDK_ERROR_IDS:
        text = f"an error carries the id {_shown(given)} instead of {_shown(exchange.rpc_id)}"
        yield Finding(text=text, rule=rules.errors)
    error = answer["error"]
    code = error.get("code")
    if not _is_integer(code):
        yield Finding(text=f"an error has no integer code ({_shown(code)})", rule=rules.errors)
    elif rules.revision == NEWEST_STATELESS and _is_reserved(code):
        text = f"an error has the code {code}, which servers of this revision must not use"
        yield Finding(text=text, rule=section(NEWEST_STATELESS, "basic", "error-codes"))
    if not isinstance(error.get("message"), str):
        yield Finding(text=f"an error has no message ({_shown(error.get('message'))})", rule=rules.errors)


def _is_reserved(code: int) -> bool:
    """Whether 2026-07-28 forbids a code: those kept for the specification beyond the three that it defines, and two of
    earlier revisions (basic, "Error Codes")."""
    kept = -32099 <= code <= -32020 and code not in _DEFINED_CODES
    return kept or code in (-32002, -32042)


_DEFINED_CODES: Final = (
    ErrorCode.HEADER_MISMATCH,
    ErrorCode.MISSING_CLIENT_CAPABILITY,
    ErrorCode.UNSUPPORTED_PROTOCOL_VERSION,
)


def _of_others(answer: Mapping[str, Any], exchange: Exchange, rules: _Rules) -> Iterator[Finding]:
    """What came beside the answer and should not have."""
    others = [message for message in rpc_messages(exchange) if message is not answer]
    responses = [each for each in others if "method" not in each and ("result" in each or "error" in each)]
    if responses:
        text = f"{counted(len(responses), 'response')} to no request of ours came with the answer"
        yield Finding(text=text, rule=rules.messages)
    requests = [each for each in others if "method" in each and "id" in each]
    if requests and rules.revision == NEWEST_STATELESS and exchange.media_type == EVENT_STREAM_TYPE:
        text = f"sends the request {_shown(requests[0]['method'])} to the client, which this revision has removed"
        yield Finding(text=text, rule=rules.sending)
    logs = [each for each in others if each.get("method") == "notifications/message"]
    if logs and rules.revision == NEWEST_STATELESS:
        text = "sends log messages although the request sets no logLevel"
        yield Finding(text=text, rule=section(NEWEST_STATELESS, "server/utilities/logging"))


# the bytes

_JSON_RULES: Final[Mapping[str, tuple[str, str]]] = {
    Irregular.BOM: ("8.1", "JSON must not begin with a byte order mark: JavaScript's parser refuses it"),
    Irregular.DUPLICATE_KEY: ("4", "names should be unique: which value counts depends on the client"),
    Irregular.LONE_SURROGATE: ("8.2", "such strings cannot be written in UTF-8: clients may refuse or change them"),
    Irregular.NUL: ("8.2", "clients and databases may cut the string there or refuse it"),
    Irregular.JSON_NON_STANDARD: ("6", "clients cannot read the message"),
    Irregular.NOT_JSON: ("2", "clients cannot read the message"),
}

_HTTP_RULES: Final[Mapping[str, str]] = {
    Irregular.COMPRESSED: "https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3",
    Irregular.TRAILING_BYTES: "https://www.rfc-editor.org/rfc/rfc9112#section-6.3",
}


def of_bytes(exchange: Exchange, revision: str) -> Iterator[Finding]:
    """What is odd about the bytes of an answer. Most of it clients survive, each in a way of its own."""
    for each in exchange.irregularities:
        detail = clean(each.detail, 120)
        if each.code in _JSON_RULES:
            number, why = _JSON_RULES[each.code]
            rule = f"https://www.rfc-editor.org/rfc/rfc8259#section-{number}"
            yield Finding(text=f"{request_of(exchange)}: {detail}; {why}", rule=rule)
        elif each.code == Irregular.BAD_ENCODING:
            page = "basic/transports/streamable-http" if revision == NEWEST_STATELESS else "basic/transports"
            yield Finding(text=f"{request_of(exchange)}: {detail}", rule=section(revision, page))
        elif each.code in _HTTP_RULES:
            yield Finding(text=f"{request_of(exchange)}: {detail}", rule=_HTTP_RULES[each.code])


def request_of(exchange: Exchange) -> str:
    """What the exchange asked, for the beginning of a finding."""
    return exchange.rpc_method or exchange.method


def _shown(value: Any) -> str:
    return shown_json(value, _SHOWN)
