"""A report for people: a line per check, then the verdict, and for each diagnosis its evidence and fix."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from checks.axes import Axes, SessionMode, axes_of, replies_in_words
from checks.matrix import Matrix, matrix_of
from checks.model import (
    CheckResult,
    Diagnosis,
    Effect,
    Endpoint,
    Irregularity,
    Outcome,
    ProbeReport,
    Timings,
    Verdict,
)
from checks.proofs import counted, listed, milliseconds
from checks.text import ELLIPSIS, clean, shown_url
from prober.app.smoke import Conclusion, Examined, Run
from prober.cli.outcome import tally
from prober.cli.terminal import BOLD, CYAN, DIM, GREEN, RED, VERDICT_COLOURS, YELLOW, painted

_OUTCOME_COLOURS: Final = {
    Outcome.PASS: GREEN,
    Outcome.WARN: YELLOW,
    Outcome.FAIL: RED,
    Outcome.SKIP: DIM,
    Outcome.ERROR: CYAN,
}
_CONNECT_COLOURS: Final = {"yes": GREEN, "no": YELLOW}
_CONCLUSION_COLOURS: Final = {
    Conclusion.PASSED: GREEN,
    Conclusion.WARNINGS: YELLOW,
    Conclusion.UNOBSERVED: CYAN,
    Conclusion.AUTHENTICATION: RED,
    Conclusion.FAILED: RED,
}
_SELF_EVIDENT: Final[Mapping[Verdict | None, Conclusion]] = {
    Verdict.UP: Conclusion.PASSED,
    Verdict.DEGRADED: Conclusion.FAILED,
    Verdict.DOWN: Conclusion.FAILED,
    Verdict.UNKNOWN: Conclusion.UNOBSERVED,
}
_WEIGHTS: Final = {Effect.DOWN: 0, Effect.UNKNOWN: 1, Effect.DEGRADED: 2, Effect.INFORMATION: 3}
_NARROW: Final = 60
"""With fewer columns, what a check says stands below its name."""
_BREAK: Final = "\n  "
_LONGEST_TEXT: Final = 4000
_LONGEST_COMMAND: Final = 20_000


def render_run(run: Run, *, width: int = 80, colour: bool = False, verbose: bool = False) -> str:
    """All endpoints one after the other, and what comes of them where the verdict alone does not say it. `verbose`
    lists every request as well."""
    page = _Page(width, colour)
    parts = []
    for examined in run.examined:
        lines = [page.painted(shown_url(examined.endpoint.url, 300), BOLD)]
        if examined.report is not None:
            demands = examined.judged.demands
            lines = [render(examined.report, examined.endpoint, width=width, colour=colour, demands=demands)]
            lines += ["", *page.requests(examined.report)] if verbose else []
        parts.append("\n".join([*lines, *page.conclusion(examined)]))
    if len(run.examined) > 1:
        word = page.painted(run.conclusion.value.upper(), BOLD, _CONCLUSION_COLOURS[run.conclusion])
        parts.append(f"{word}: {counted(len(run.examined), 'endpoint')}, {tally(run)}")
    return "\n\n".join(parts)


def render(
    report: ProbeReport,
    endpoint: Endpoint,
    *,
    width: int = 80,
    colour: bool = False,
    demands: Sequence[CheckResult] = (),
) -> str:
    """The report in lines of at most `width` columns; commands and code stay whole, so that they can be copied.
    `demands` are answers beside those of the checks."""
    page = _Page(width, colour)
    diagnoses = sorted(report.diagnoses, key=lambda each: (_WEIGHTS[each.effect], -each.confidence))
    lines = [page.painted(shown_url(endpoint.url, 300), BOLD), ""]
    for result in report.results:
        lines += page.check(result, is_explained=bool(diagnoses))
    for result in demands:
        lines += page.check(result, is_explained=False)
    lines += ["", *page.verdict(report)]
    eras = report.result("eras")
    matrix = None if eras is None else matrix_of(eras.facts)
    if matrix is not None:
        lines += ["", *page.matrix(matrix)]
    for diagnosis in diagnoses:
        lines += ["", *page.diagnosis(diagnosis)]
    return "\n".join(lines)


class _Page:
    """Lays out parts of a report in a given width."""

    def __init__(self, width: int, colour: bool) -> None:
        self._width = width
        self._colour = colour

    def painted(self, text: str, *codes: str) -> str:
        return painted(text, *codes) if self._colour else text

    def check(self, result: CheckResult, *, is_explained: bool) -> Iterator[str]:
        """One line, or two where the summary is long; more where it passed, or no diagnosis below says the same."""
        time = milliseconds(result.ms) if result.ms else "-"
        head = f"  {result.outcome.value:<5} {clean(result.check, 20):<14}{time:>8}  "
        is_narrow = self._width < _NARROW
        summary = self._wrapped(
            clean(result.summary, _LONGEST_TEXT),
            " " * (8 if is_narrow else len(head)),
            most_lines=2 if is_explained and result.outcome is not Outcome.PASS else None,
        )
        mark = self.painted(f"{result.outcome.value:<5}", _OUTCOME_COLOURS[result.outcome])
        if is_narrow or not summary:
            yield f"  {mark}{head[7:].rstrip()}"
            yield from summary
        else:
            yield f"  {mark}{head[7:]}{summary[0].lstrip()}"
            yield from summary[1:]
        for finding in result.findings:
            if finding.text != result.summary:
                yield from self._wrapped(clean(finding.text, _LONGEST_TEXT), " " * 8, "      - ")
            if finding.rule:
                yield self.painted(f"        {clean(finding.rule)}", DIM)
        for exchange, odd in _irregularities(result):
            yield from self._wrapped(
                clean(f"{exchange}: {odd.detail} ({odd.code})", _LONGEST_TEXT), " " * 8, "      - "
            )

    def verdict(self, report: ProbeReport) -> Iterator[str]:
        word = report.verdict.value.upper()
        opener = report.opening.opener
        if report.verdict is Verdict.UNKNOWN:
            said = "we could not observe; this says nothing about the endpoint"
        elif opener is None:
            said = "no conversation could be opened"
        else:
            said = f"{clean(opener.protocol_version, 20)} over {opener.transport.value}, {opener.era.value} era"
        first, *more = self._wrapped(f"{word} after {milliseconds(report.duration_ms)}: {said}", "  ", "")
        yield self.painted(word, BOLD, VERDICT_COLOURS[report.verdict]) + first.removeprefix(word)
        yield from more
        if report.verdict is not Verdict.UNKNOWN and opener is not None:
            yield from self._wrapped(clean(_in_words(axes_of(report)), _LONGEST_TEXT), "  ")

    def conclusion(self, examined: Examined) -> Iterator[str]:
        """Why the run does not think of the endpoint what its verdict says."""
        verdict = None if examined.report is None else examined.report.verdict
        failed_demand = any(each.outcome is Outcome.FAIL for each in examined.judged.demands)
        if _SELF_EVIDENT.get(verdict) is examined.conclusion and not failed_demand:
            return
        yield ""
        word = examined.conclusion.value.upper()
        yield f"{self.painted(word, BOLD, _CONCLUSION_COLOURS[examined.conclusion])}:"
        for each in examined.judged.why:
            yield from self._wrapped(clean(each, _LONGEST_TEXT), "    ", "  - ")

    def matrix(self, matrix: Matrix) -> Iterator[str]:
        """Which clients can connect, then what came of each revision that was offered."""
        yield self.painted("which clients can connect", BOLD)
        for each in matrix.clients:
            mark = self.painted(f"{each.connect:<7}", _CONNECT_COLOURS.get(each.connect, CYAN))
            first, *more = self._wrapped(f"{each.kind}: {each.detail}", " " * 10)
            yield f"  {mark} {first.lstrip()}"
            yield from more
        met: dict[str, list[str]] = {}
        for offer in matrix.revisions:
            met.setdefault(offer.said, []).append(offer.revision)
        said = "; ".join(f"{listed(revisions)} {words}" for words, revisions in met.items())
        yield from self._wrapped(f"offered: {said}", " " * 4, "  ")

    def diagnosis(self, diagnosis: Diagnosis) -> Iterator[str]:
        is_note = diagnosis.effect is Effect.INFORMATION
        kind = "note" if is_note else "diagnosis"
        name = clean(diagnosis.id, 60)
        certainty = f"({_certainty(diagnosis.confidence)}, {diagnosis.confidence:.0%})"
        fits = len(f"{kind}: {name} {certainty}") <= self._width
        yield f"{kind}: {self.painted(name, BOLD)}{' ' if fits else _BREAK}{certainty}"
        yield from self._wrapped(clean(diagnosis.summary, _LONGEST_TEXT), "  ")
        yield from self._listed("evidence", (proof.text for proof in diagnosis.evidence))
        if diagnosis.fix.strip():
            yield self._heading("fix")
            yield from self._fix(clean(diagnosis.fix, _LONGEST_TEXT, keep_lines=True))
        yield from self._listed("could also be", diagnosis.alternatives)
        if diagnosis.reproduce.strip():
            yield self._heading("reproduce")
            yield f"    {clean(diagnosis.reproduce, _LONGEST_COMMAND)}"

    def requests(self, report: ProbeReport) -> Iterator[str]:
        """Every exchange in its order, with the check that made it, what came of it, and where its time went."""
        yield self.painted("requests", BOLD)
        for result in report.results:
            for each in result.exchanges:
                lost = each.transport_error
                came = f"HTTP {each.status}" if lost is None else f"{lost.failure.value}: {clean(lost.reason, 60)}"
                name = f"{clean(result.check, 20)}: {each.method} {clean(each.rpc_method or '', 60)}".rstrip()
                said = f"{name}: {came}, {milliseconds(each.timings.total_ms)}"
                phases = ", ".join(f"{phase} {milliseconds(ms)}" for phase, ms in _phases(each.timings))
                yield from self._wrapped(f"{said} ({phases})" if phases else said, "    ", "  ")

    def _heading(self, text: str) -> str:
        return f"  {self.painted(text, DIM)}" if self._colour else f"  {text}:"

    def _listed(self, heading: str, texts: Iterable[str]) -> Iterator[str]:
        for index, text in enumerate(texts):
            if index == 0:
                yield self._heading(heading)
            yield from self._wrapped(clean(text, _LONGEST_TEXT), "      ", "    - ")

    def _fix(self, text: str) -> Iterator[str]:
        """Prose is wrapped; a line that is indented already is code and stays as it is."""
        for line in text.splitlines():
            if line.startswith((" ", "\t")):
                yield f"    {line}"
            else:
                yield from self._wrapped(line, "    ")

    def _wrapped(
        self, text: str, indent: str, first_indent: str | None = None, *, most_lines: int | None = None
    ) -> list[str]:
        """Words that are longer than a line stay whole: most are addresses and names to copy."""
        return textwrap.wrap(
            text,
            self._width,
            initial_indent=indent if first_indent is None else first_indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
            max_lines=most_lines,
            placeholder=f" {ELLIPSIS}",
        )


def _irregularities(result: CheckResult) -> Iterator[tuple[str, Irregularity]]:
    """What is odd about the answers of a check, each kind once, with the request that shows it."""
    seen = set()
    for exchange in result.exchanges:
        for each in exchange.irregularities:
            if each not in seen:
                seen.add(each)
                yield exchange.rpc_method or exchange.method, each


def _phases(timings: Timings) -> Iterator[tuple[str, float]]:
    """Those that happened, in their order; together they take the whole time."""
    sent, arrived = timings.sent_ms, timings.first_byte_ms
    connected = (timings.dns_ms or 0.0) + (timings.connect_ms or 0.0) + (timings.tls_ms or 0.0)
    rest = None if arrived is None else max(timings.total_ms - arrived, 0.0)
    spans = {
        "name lookup": timings.dns_ms,
        "connecting": timings.connect_ms,
        "TLS": timings.tls_ms,
        "sending": None if sent is None else max(sent - connected, 0.0),
        "waiting": timings.wait_ms,
        "reading": rest,
    }
    yield from ((phase, ms) for phase, ms in spans.items() if ms is not None)


def _in_words(axes: Axes) -> str:
    """How the conversation goes, beside era, revision and transport."""
    session = "with a session" if axes.session is SessionMode.SESSION else "no session"
    return f"{session}; {replies_in_words(axes.replies)}" if axes.replies else session


def _certainty(confidence: float) -> str:
    if confidence >= 0.9:
        return "very likely"
    return "likely" if confidence >= 0.7 else "possible"
