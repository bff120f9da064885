"""Tool calls that outlive their request: created, polled and ended, as a client would that has time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from checks.full_profile import published, skipped, unobserved, why_not
from checks.messages import Tool, all_tools_of, error_of, result_of
from checks.model import CheckResult, Exchange, Finding, OnRequest, Opening, Outcome, Profile, Sentinel, nothing
from checks.proofs import answer_line, counted, shown_json
from checks.protocol.sentinel_call import changed_since, fault_of, may_be_called
from checks.spec import META_CLIENT_CAPABILITIES, NEWEST_HANDSHAKE, NEWEST_STATELESS, Chapter, Era, ErrorCode, section
from checks.text import clean
from checks.timing import elapsed_ms
from checks.unit import CheckContext, check
from checks.wire import Alteration, Wire

EXTENSION: Final = "io.modelcontextprotocol/tasks"
RELATED: Final = "io.modelcontextprotocol/related-task"

SENTINEL_CAP: Final = 3
POLL_CAP: Final = 30
TTL_MS: Final = 60_000
"""How long the server is asked to keep a task: longer than any probe."""
NO_TASK: Final = "mcp-prober-no-such-task"

_POLL_MS: Final = 1000.0
"""Between polls, where the server suggests nothing."""
_SOONEST_MS: Final = 50.0
_PATIENT_AFTER: Final = 5
"""Polls after which the pause has doubled: a long task should not cost as many requests as a short one in a hurry."""
_LATEST_MS: Final = 1e9
_NEEDY: Final = "wants to know something, which the prober never answers"
_TERMINAL: Final = frozenset({"completed", "failed", "cancelled"})
_STATUSES: Final = _TERMINAL | {"working", "input_required"}


class Ended(StrEnum):
    """How one sentinel ended as a task; the values stand in the check's facts."""

    OK = "ok"
    AT_ONCE = "at-once"
    """Answered without a task, as expected: the extension leaves that to the server."""
    WRONG = "wrong"
    """Not as its owner expects, or in an error."""
    REFUSED = "refused"
    """No task came of it, or it could not be asked for again."""
    UNFINISHED = "unfinished"
    """Still at work when the probe's time was up; called off where the server can do that."""
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dialect:
    """What tells the core tasks of 2025-11-25 from those of the extension."""

    page: str
    ttl: str
    interval: str
    altered: Alteration | None = None
    params: Mapping[str, Any] = field(default_factory=nothing)
    cancels: bool = True

    @property
    def is_core(self) -> bool:
        return self.altered is None

    @property
    def revision(self) -> str:
        """The revision by whose rules a tool's result is measured."""
        return NEWEST_HANDSHAKE if self.is_core else NEWEST_STATELESS


_EXTENDED: Final = _Dialect(
    page="https://modelcontextprotocol.io/extensions/tasks/overview",
    ttl="ttlMs",
    interval="pollIntervalMs",
    altered=Alteration(meta={META_CLIENT_CAPABILITIES: {"extensions": {EXTENSION: {}}}}),
)


@check(
    "tasks",
    Chapter(page="basic/utilities/tasks", since=NEWEST_HANDSHAKE, until=NEWEST_HANDSHAKE),
    Chapter(page="https://modelcontextprotocol.io/extensions/tasks/overview", since=NEWEST_STATELESS),
    profiles=frozenset({Profile.FULL}),
)
async def tasks(ctx: CheckContext) -> CheckResult:
    """Does a tool that can run as a task come to its end as one, with the result that its owner expects?

    Asked on request only. At most `SENTINEL_CAP` sentinels are called once more, each as a task: by the `task` member
    of 2025-11-25, or with the extension of 2026-07-28 declared. They are polled no sooner than the server suggests and
    at most `POLL_CAP` times, and called off when the probe's time runs out. Then a task that does not exist is asked
    for. What a task wants to know is never answered.
    Facts: `tasks`, one `{"tool", "outcome", "polls", "summary", "exchange"}` for each sentinel, outcomes being the
    values of `Ended` and `exchange` the call; `unknown_refused`, whether the task that does not exist was refused, or
    None.
    """
    reason = _why_not(ctx)
    if reason is not None:
        return skipped("tasks", reason)
    dialect = _dialect(ctx.wire.opening)
    if dialect is None:
        return skipped("tasks", "not asked: the server does not declare that tool calls can be tasks")
    suited = list(_suited(ctx, dialect))[:SENTINEL_CAP]
    if not suited:
        return skipped("tasks", "not asked: no sentinel calls a tool that can be a task")
    runs = [_Run(ctx.wire, dialect, sentinel, tool) for sentinel, tool in suited]
    facts = []
    for run in runs:
        ended, summary = await run.to_its_end()
        facts.append(run.fact(ended, summary))
    exchanges = [each for run in runs for each in run.exchanges]
    findings = [finding for run in runs for finding in run.findings]
    refused = None
    if any(run.is_task for run in runs):
        unknown = await ctx.wire.request("tasks/get", {"taskId": NO_TASK}, altered=dialect.altered)
        exchanges.append(unknown)
        refused = _is_refused(unknown)
        findings += _of_unknown(unknown, dialect, refused=refused)
    return CheckResult(
        check="tasks",
        outcome=_outcome(facts, findings),
        summary="; ".join(f"{clean(fact['tool'], 60)}: {fact['summary']}" for fact in facts),
        ms=elapsed_ms(exchanges),
        exchanges=tuple(exchanges),
        findings=tuple(findings),
        facts={"tasks": facts, "unknown_refused": refused},
    )


class _Run:
    """One sentinel as a task, from its call to its end."""

    def __init__(self, wire: Wire, dialect: _Dialect, sentinel: Sentinel, tool: Tool) -> None:
        self._wire = wire
        self._dialect = dialect
        self._sentinel = sentinel
        self._tool = tool
        self._polls = 0
        self._faults: dict[str, Finding] = {}
        self.exchanges: list[Exchange] = []
        self.is_task = False

    @property
    def findings(self) -> Iterable[Finding]:
        return self._faults.values()

    def fact(self, ended: Ended, summary: str) -> dict[str, Any]:
        return {
            "tool": self._sentinel.tool,
            "outcome": ended.value,
            "polls": self._polls,
            "summary": summary,
            "exchange": self.exchanges[0].id,
        }

    async def to_its_end(self) -> tuple[Ended, str]:
        """Call the tool, and follow what becomes of it."""
        arguments = dict(self._sentinel.arguments)
        called = await self._ask("tools/call", {"name": self._sentinel.tool, "arguments": arguments})
        result = result_of(called)
        if result is None:
            said = unobserved(called)
            if said is not None:
                return Ended.SKIPPED, f"not judged: {said}"
            self._fault(f"is called as a task and refused: {answer_line(called)}", "creating-tasks")
            return Ended.REFUSED, answer_line(called)
        task = result.get("task") if self._dialect.is_core else result
        if not isinstance(task, Mapping) or (not self._dialect.is_core and result.get("resultType") != "task"):
            return self._answered_at_once(result)
        self.is_task = True
        if self._dialect.is_core and _status(task) != "working":
            self._fault(f"begins as {shown_json(task.get('status'), 40)} and not as working", "task-status-lifecycle")
        return await self._follow(task)

    def _answered_at_once(self, result: Mapping[str, Any]) -> tuple[Ended, str]:
        if result.get("resultType") == "input_required":
            return Ended.SKIPPED, _NEEDY
        if self._dialect.is_core:
            self._fault("can be a task, as its server says, and is answered without one", "result-retrieval")
        return self._judged(result, Ended.AT_ONCE, "answers at once, without a task")

    async def _follow(self, task: Mapping[str, Any]) -> tuple[Ended, str]:
        """Poll the task until it has come to its end or the probe has."""
        self._shape(task)
        task_id = task.get("taskId")
        if not isinstance(task_id, str) or not task_id:
            return Ended.REFUSED, "the task has no id to ask for it by"
        while (status := _status(task)) not in _TERMINAL:
            if status != "working":
                await self._call_off(task_id)
                return (
                    (Ended.SKIPPED, _NEEDY) if status == "input_required" else (Ended.REFUSED, "its status is unknown")
                )
            if self._polls >= POLL_CAP or not await self._wire.pause(self._interval(task)):
                await self._call_off(task_id)
                return self._unfinished()
            polled = await self._ask("tasks/get", {"taskId": task_id})
            self._polls += 1
            found = result_of(polled)
            if found is None:
                return self._lost(polled)
            task = found
            self._shape(task, polled=True)
        return await self._ended(task, status, task_id)

    def _unfinished(self) -> tuple[Ended, str]:
        """A server that wants to be asked later than the probe lasts has done nothing wrong."""
        if not self._polls:
            return Ended.SKIPPED, "wants to be asked later than this probe lasts"
        said = f"has not come to its end after {counted(self._polls, 'poll')}"
        self._fault(said)
        return Ended.UNFINISHED, said

    def _lost(self, polled: Exchange) -> tuple[Ended, str]:
        said = unobserved(polled)
        if said is not None:
            return Ended.SKIPPED, f"not judged: {said}"
        self._fault(f"cannot be asked for as the task that it has become: {answer_line(polled)}", "getting-tasks")
        return Ended.REFUSED, answer_line(polled)

    async def _ended(self, task: Mapping[str, Any], status: str, task_id: str) -> tuple[Ended, str]:
        """Judge what the task has come to."""
        message = task.get("statusMessage")
        why = f": {clean(message, 120)}" if isinstance(message, str) else ""
        if status == "cancelled":
            return self._wrong(f"was cancelled by its server{why}")
        if not self._dialect.is_core:
            given = task.get("result" if status == "completed" else "error")
            if not isinstance(given, Mapping):
                self._fault(f"is {status} and does not say with what", "task-status")
            elif status == "completed":
                return self._judged(given, Ended.OK, f"ends as expected after {counted(self._polls, 'poll')}")
            return self._wrong(f"{status}: {shown_json(given, 120)}")
        fetched = await self._ask("tasks/result", {"taskId": task_id})
        result = result_of(fetched)
        if result is None:
            said = unobserved(fetched)
            return (Ended.SKIPPED, f"not judged: {said}") if said is not None else self._wrong(answer_line(fetched))
        self._related(result, task_id)
        return self._judged(result, Ended.OK, f"ends as expected after {counted(self._polls, 'poll')}")

    def _judged(self, result: Mapping[str, Any], ended: Ended, summary: str) -> tuple[Ended, str]:
        fault = fault_of(result, self._sentinel, [self._tool], self._dialect.revision)
        return (ended, summary) if fault is None else self._wrong(fault[1])

    def _wrong(self, said: str) -> tuple[Ended, str]:
        self._fault(f"as a task: {said}")
        return Ended.WRONG, said

    def _related(self, result: Mapping[str, Any], task_id: str) -> None:
        meta = result.get("_meta")
        related = meta.get(RELATED) if isinstance(meta, Mapping) else None
        if not isinstance(related, Mapping) or related.get("taskId") != task_id:
            self._fault(f"has a result that does not name its task in {RELATED}", "associating-task-related-messages")

    def _shape(self, task: Mapping[str, Any], *, polled: bool = False) -> None:
        """Members that a description of a task must have, in every answer that holds one."""
        wrong = [name for name in ("taskId", "createdAt", "lastUpdatedAt") if not isinstance(task.get(name), str)]
        if _status(task) not in _STATUSES:
            wrong.append("status")
        ttl = task.get(self._dialect.ttl, "")
        if isinstance(ttl, bool) or not isinstance(ttl, int | float | None):
            wrong.append(self._dialect.ttl)
        if polled and not self._dialect.is_core and task.get("resultType") != "complete":
            wrong.append("resultType")
        for name in wrong:
            given = shown_json(task[name], 40) if name in task else "missing"
            self._fault(f"is described as a task with {name} {given}", "task")

    def _interval(self, task: Mapping[str, Any]) -> float:
        wanted = task.get(self._dialect.interval)
        if isinstance(wanted, bool) or not isinstance(wanted, int | float) or not wanted >= 0:
            wanted = _POLL_MS
        return min(max(_SOONEST_MS, wanted), _LATEST_MS) * (1 + self._polls / _PATIENT_AFTER)

    async def _call_off(self, task_id: str) -> None:
        if self._dialect.cancels:
            await self._ask("tasks/cancel", {"taskId": task_id})

    async def _ask(self, method: str, params: Mapping[str, Any]) -> Exchange:
        more = self._dialect.params if method == "tools/call" else {}
        exchange = await self._wire.request(method, {**params, **more}, altered=self._dialect.altered)
        self.exchanges.append(exchange)
        return exchange

    def _fault(self, text: str, anchor: str | None = None) -> None:
        """Note a deviation, once; without an anchor it is one from what the owner expects."""
        told = f"{clean(self._sentinel.tool, 60)} {text}"
        rule = None if anchor is None else _rule(self._dialect, anchor)
        self._faults.setdefault(told, Finding(text=told, rule=rule))


def _why_not(ctx: CheckContext) -> str | None:
    if OnRequest.TASKS not in ctx.endpoint.on_request:
        return "not asked: only on request"
    reason = why_not(ctx)
    return reason if reason is not None or ctx.endpoint.sentinels else "not asked: no sentinel is configured"


def _dialect(opening: Opening) -> _Dialect | None:
    """How tasks are spoken of in this conversation, or None where the server does not declare any."""
    if opening.opener is None:
        return None
    if opening.opener.era is Era.STATELESS:
        return _EXTENDED if EXTENSION in _members(opening.capabilities, "extensions") else None
    declared = _members(opening.capabilities, "tasks")
    if published(opening.opener.protocol_version) < NEWEST_HANDSHAKE:
        return None
    if "call" not in _members(_members(declared, "requests"), "tools"):
        return None
    page = section(NEWEST_HANDSHAKE, "basic/utilities/tasks")
    params = {"task": {"ttl": TTL_MS}}
    return _Dialect(page=page, ttl="ttl", interval="pollInterval", params=params, cancels="cancel" in declared)


def _suited(ctx: CheckContext, dialect: _Dialect) -> Iterator[tuple[Sentinel, Tool]]:
    """The sentinels that may be called once more, and their tools, which can be tasks."""
    listing = ctx.result("tools_list")
    tools = all_tools_of(listing.exchanges if listing is not None else ())
    for sentinel in ctx.endpoint.sentinels:
        entries = [tool for tool in tools if tool.name == sentinel.tool]
        if not entries or changed_since(sentinel, entries) is not None or not may_be_called(sentinel, entries):
            continue
        tool = entries[-1]
        if not dialect.is_core or _members(tool.raw, "execution").get("taskSupport") in ("optional", "required"):
            yield sentinel, tool


def _is_refused(unknown: Exchange) -> bool | None:
    """Whether a task that does not exist was refused; None where nothing can be said."""
    if result_of(unknown) is not None:
        return False
    return True if error_of(unknown) is not None and unobserved(unknown) is None else None


def _of_unknown(unknown: Exchange, dialect: _Dialect, *, refused: bool | None) -> Iterator[Finding]:
    error = error_of(unknown)
    if refused is False:
        text = "a task that does not exist is described as if it did"
    elif refused and error is not None and error.code != ErrorCode.INVALID_PARAMS:
        text = f"a task that does not exist is refused otherwise than with -32602: {answer_line(unknown)}"
    else:
        return
    yield Finding(text=text, rule=_rule(dialect, "protocol-errors"))


def _outcome(facts: Iterable[Mapping[str, Any]], findings: Iterable[Finding]) -> Outcome:
    if any(True for _ in findings):
        return Outcome.WARN
    return Outcome.SKIP if {fact["outcome"] for fact in facts} == {Ended.SKIPPED} else Outcome.PASS


def _status(task: Mapping[str, Any]) -> str:
    status = task.get("status")
    return status if isinstance(status, str) else ""


def _members(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = value.get(name)
    return inner if isinstance(inner, Mapping) else nothing()


def _rule(dialect: _Dialect, anchor: str) -> str:
    return f"{dialect.page}#{anchor}" if dialect.is_core else dialect.page
