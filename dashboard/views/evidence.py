"""What one stored report says, as frozen values that templates show: checks, diagnoses, exchanges on a time axis.

A stored report is JSON (`checks.encode.as_json`) in the shape of `checks.model.ProbeReport`, maybe of an older
release, with text in it that the watched server wrote. So everything is read leniently, and cleaned and bounded again.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from textwrap import dedent
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from checks.axes import replies_in_words
from checks.matrix import Matrix, matrix_of
from checks.model import Effect, Outcome, Profile, Verdict
from checks.proofs import listed, milliseconds
from checks.spec import Chapter, chapter_link
from checks.text import clean
from dashboard.charts import Tick, time_axis
from dashboard.views.exchanges import NOBODY, Behind, ExchangeView, Stage, exchange_view
from dashboard.views.stored import BODY, LONG, one_of, read_figure, read_items, read_mapping, read_moment, read_text
from dashboard.wording import short

_SHOWN_APART: Final = ("tools", "clients", "revisions")
"""Facts that have a place of their own on the pages."""
_RULE_HOSTS: Final = ("modelcontextprotocol.io", "amazon.com", "rfc-editor.org", "ietf.org", "w3.org", "whatwg.org")


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A paragraph or a piece of code."""

    spans: tuple[tuple[str, bool], ...]
    """Pieces of text, each with whether it is code within the paragraph."""
    is_code: bool


NO_CHAPTERS: Final[Mapping[str, Sequence[Chapter]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ProofView:
    """One piece of evidence. `number` is 0 where no exchange shows it."""

    text: str
    exchange: str | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class FindingView:
    text: str
    rule: str
    """What the rule is called: the address of its page without the scheme."""
    link: str | None
    """Only pages of the specification and of standards bodies; any other address is shown as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    id: str
    title: str
    question: str
    outcome: Outcome
    summary: str
    took: str
    findings: tuple[FindingView, ...]
    facts: tuple[tuple[str, str], ...]
    exchanges: tuple[str, ...]
    chapter: str | None
    """Where the specification says what it asks for."""
    chapter_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosisView:
    id: str
    effect: Effect
    confidence: str
    summary: str
    evidence: tuple[ProofView, ...]
    fix: tuple[TextBlock, ...]
    reproduce: str
    alternatives: tuple[tuple[tuple[str, bool], ...], ...]
    """Each in pieces, as in `TextBlock`."""
    seen: str
    """When a full probe saw it last, where this report only carries it on; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """One report, whole."""

    verdict: Verdict
    profile: Profile
    took: str
    location: str
    era: str
    version: str
    transport: str
    has_session: bool
    session: str
    replies: str
    """In what answers came, and to which requests."""
    opened_by: str
    server: str
    instructions: str
    tools: tuple[str, ...]
    checks: tuple[CheckView, ...]
    diagnoses: tuple[DiagnosisView, ...]
    exchanges: tuple[ExchangeView, ...]
    axis: tuple[Tick, ...]
    matrix: Matrix | None
    """Which clients can connect; only full probes ask."""

    @property
    def outcomes(self) -> str:
        """`6 pass and 4 skip`; empty without checks."""
        counts = Counter(each.outcome for each in self.checks)
        return listed([f"{counts[each]} {each.value}" for each in Outcome if counts[each]]) if counts else ""

    @property
    def is_calm(self) -> bool:
        """Whether no check has anything to say."""
        return all(each.outcome in (Outcome.PASS, Outcome.SKIP) for each in self.checks)

    @property
    def skipped_alike(self) -> tuple[tuple[str, str], ...]:
        """Titles of checks that were not asked for one and the same reason, and that reason."""
        reasons: dict[str, list[str]] = {}
        for each in self.checks:
            if each.outcome is Outcome.SKIP:
                reasons.setdefault(each.summary, []).append(each.title)
        return tuple((", ".join(titles), reason) for reason, titles in reasons.items() if len(titles) > 1)

    @property
    def told_checks(self) -> tuple[CheckView, ...]:
        """All other checks."""
        reasons = {reason for _, reason in self.skipped_alike}
        return tuple(each for each in self.checks if each.outcome is not Outcome.SKIP or each.summary not in reasons)


def report_view(
    report: Mapping[str, Any],
    questions: Mapping[str, str],
    chapters: Mapping[str, Sequence[Chapter]] = NO_CHAPTERS,
    behind: Behind = NOBODY,
) -> ReportView:
    """A stored report for the pages. `questions` and `chapters` tell of each check, by its id, what it asks and where
    the specification says so."""
    results = [read_mapping(each) for each in read_items(report.get("results"))]
    exchanges = [read_mapping(each) for result in results for each in read_items(result.get("exchanges"))]
    opening = read_mapping(report.get("opening"))
    opener = read_mapping(opening.get("opener"))
    diagnoses = [read_mapping(each) for each in read_items(report.get("diagnoses"))]
    proofs = [_proofs(each) for each in diagnoses]
    stage = Stage.of(report, exchanges, [each for those in proofs for each in those], behind)
    version = read_text(opener.get("protocol_version"))
    return ReportView(
        verdict=one_of(Verdict, report.get("verdict"), Verdict.UNKNOWN),
        profile=one_of(Profile, report.get("profile"), Profile.STANDARD),
        took=milliseconds(read_figure(report.get("duration_ms"))),
        location=read_text(report.get("location")),
        era=read_text(opener.get("era")),
        version=version,
        transport=transport_name(read_text(opener.get("transport"))),
        has_session=opening.get("has_session") is True,
        session=_session(read_mapping(report.get("axes"))),
        replies=_replies(read_mapping(report.get("axes"))),
        opened_by=read_text(opener.get("reason"), LONG),
        server=f"{read_text(opening.get('server_name'))} {read_text(opening.get('server_version'))}".strip(),
        instructions=read_text(opening.get("instructions"), LONG, keep_lines=True),
        tools=_tools(results),
        checks=tuple(_check(each, questions, chapters, version) for each in results),
        diagnoses=tuple(_diagnosis(each, stage) for each in diagnoses),
        exchanges=tuple(exchange_view(each, stage) for each in exchanges),
        axis=time_axis(stage.whole_ms),
        matrix=next((matrix_of(each.get("facts")) for each in results if each.get("check") == "eras"), None),
    )


def text_blocks(text: str) -> tuple[TextBlock, ...]:
    """Advice as paragraphs and code: a line that begins with two spaces is code, as everywhere in the detectors."""
    blocks = []
    for is_code, lines in groupby(text.splitlines(), key=lambda line: line.startswith("  ")):
        joined = "\n".join(lines)
        if joined.strip():
            shown = dedent(joined) if is_code else joined.strip()
            blocks.append(TextBlock(((shown, True),) if is_code else spans(shown), is_code))
    return tuple(blocks)


def spans(text: str) -> tuple[tuple[str, bool], ...]:
    """Text in pieces, each with whether it stood between backticks. A lone backtick is a character like others."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        pieces[-2:] = ["`".join(pieces[-2:])]
    return tuple((piece, index % 2 == 1) for index, piece in enumerate(pieces) if piece)


def safe_link(address: str) -> str | None:
    """The address if it leads to a page that we would cite ourselves, else None: a stored report may hold any text."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    host = parts.hostname or ""
    known = any(host == each or host.endswith(f".{each}") for each in _RULE_HOSTS)
    return address if parts.scheme == "https" and known and parts.netloc == host else None


def transport_name(transport: str) -> str:
    return {"streamable-http": "Streamable HTTP", "sse": "HTTP+SSE"}.get(transport, transport)


def _session(axes: Mapping[str, Any]) -> str:
    return {"session": "yes, by an id", "none": "none"}.get(read_text(axes.get("session")), "")


def _replies(axes: Mapping[str, Any]) -> str:
    modes = read_mapping(axes.get("replies")).items()
    return replies_in_words(
        {read_text(method): [read_text(mode) for mode in read_items(found)] for method, found in modes}
    )


def _check(
    result: Mapping[str, Any], questions: Mapping[str, str], chapters: Mapping[str, Sequence[Chapter]], version: str
) -> CheckView:
    check_id = read_text(result.get("check"))
    facts = read_mapping(result.get("facts"))
    chapter = chapter_link(chapters.get(check_id, ()), version)
    return CheckView(
        id=check_id,
        title=check_id.replace("_", " "),
        question=questions.get(check_id, ""),
        outcome=one_of(Outcome, result.get("outcome"), Outcome.ERROR),
        summary=read_text(result.get("summary"), LONG),
        took=milliseconds(read_figure(result.get("ms"))) if read_items(result.get("exchanges")) else "",
        findings=tuple(_finding(read_mapping(each)) for each in read_items(result.get("findings"))),
        facts=tuple(
            (read_text(key).replace("_", " "), _fact(value)) for key, value in facts.items() if key not in _SHOWN_APART
        ),
        exchanges=tuple(read_text(read_mapping(each).get("id")) for each in read_items(result.get("exchanges"))),
        chapter=chapter,
        chapter_name=(chapter or "").removeprefix("https://").removeprefix("modelcontextprotocol.io/specification/"),
    )


def _finding(finding: Mapping[str, Any]) -> FindingView:
    rule = read_text(finding.get("rule"), 500)
    return FindingView(read_text(finding.get("text"), LONG), rule.removeprefix("https://"), safe_link(rule))


def _proofs(diagnosis: Mapping[str, Any]) -> tuple[tuple[str, str | None], ...]:
    proofs = [read_mapping(each) for each in read_items(diagnosis.get("evidence"))]
    return tuple((read_text(each.get("text"), LONG), read_text(each.get("exchange")) or None) for each in proofs)


def _diagnosis(diagnosis: Mapping[str, Any], stage: "Stage") -> DiagnosisView:
    return DiagnosisView(
        id=read_text(diagnosis.get("id")),
        effect=one_of(Effect, diagnosis.get("effect"), Effect.INFORMATION),
        confidence=f"{(read_figure(diagnosis.get('confidence')) or 0.0) * 100:.0f} %",
        summary=read_text(diagnosis.get("summary"), LONG),
        evidence=tuple(ProofView(*each, stage.numbers.get(each, 0)) for each in _proofs(diagnosis)),
        fix=text_blocks(read_text(diagnosis.get("fix"), BODY, keep_lines=True)),
        reproduce=read_text(diagnosis.get("reproduce"), BODY, keep_lines=True),
        alternatives=tuple(spans(read_text(each, LONG)) for each in read_items(diagnosis.get("alternatives"))),
        seen=_seen(diagnosis.get("seen_at")),
    )


def _seen(seen_at: Any) -> str:
    """The moment in words; text that is no moment stays as it is."""
    moment = read_moment(seen_at)
    return short(moment) if moment is not None else read_text(seen_at)


def _tools(results: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    for result in results:
        if result.get("check") == "tools_list":
            return tuple(read_text(name) for name in read_items(read_mapping(result.get("facts")).get("tools")))
    return ()


def _fact(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, list):
        return clean("; ".join(_fact(each) for each in value), LONG) or "none"
    if isinstance(value, Mapping):
        return clean(", ".join(f"{key} {_fact(each)}" for key, each in value.items()), LONG) or "none"
    return "-" if value is None else clean(str(value), LONG)
