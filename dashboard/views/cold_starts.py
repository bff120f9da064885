"""What the page of an endpoint says about its cold starts: how many, how long, and whether clients wait that long."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from checks.likelihood import CLIENT_TIMEOUTS_S, likelihoods, percentile
from checks.model import Endpoint
from checks.proofs import counted, milliseconds
from dashboard.wording import span
from prober.storage.cold_starts import FirstAnswers
from prober.storage.queries import ANSWERS_DAYS

_SHARES: Final = (0.5, 0.95, 0.99)
_LAMBDA_MAY_KEEP_S: Final = 15 * 60.0
"""An endpoint that is probed this often is kept awake, as far as anybody knows."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """One row of the table of first answers."""

    kind: str
    count: int
    shown: tuple[str, ...]
    """The 50th, 95th and 99th."""


@dataclass(frozen=True, slots=True)
class Outlasted:
    """One client timeout, and how likely a cold start is to take longer."""

    limit: str
    share: str
    interval: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdView:
    summary: str
    rows: tuple[Percentiles, ...]
    outlasted: tuple[Outlasted, ...]
    unseen: str
    """Which client timeouts nothing can be said about, and why; empty where all can be judged."""
    caveat: str
    """Why the share of probes is not that of clients."""


def cold_view(answers: FirstAnswers, endpoint: Endpoint) -> ColdView:
    """The section of the page. Its tables are empty where no cold start was seen."""
    seen_up_to_s = endpoint.timeout_s
    likely = likelihoods(answers.cold_ms, seen_up_to_s=seen_up_to_s)
    beyond = [f"{each:g} s" for each in CLIENT_TIMEOUTS_S if each >= seen_up_to_s]
    return ColdView(
        summary=_summary(answers),
        rows=tuple(_rows(answers)) if answers.cold_ms else (),
        outlasted=tuple(
            Outlasted(
                limit=f"{each.limit_s:g} s",
                share=_per_cent(each.share),
                interval=f"{_per_cent(each.low)} to {_per_cent(each.high)}",
            )
            for each in likely
        ),
        unseen=f"Nothing is known of {', '.join(beyond)}: a probe gives up after {seen_up_to_s:g} s."
        if beyond and answers.cold_ms
        else "",
        caveat=_caveat(endpoint),
    )


def _summary(answers: FirstAnswers) -> str:
    asked, days = answers.warm + answers.probes_cold, f"the last {ANSWERS_DAYS:g} days"
    forced = len(answers.cold_ms) - answers.probes_cold
    if not answers.cold_ms and not asked:
        return f"No first answer was seen in {days}."
    if not answers.cold_ms:
        return f"None of {counted(asked, 'probe')} in {days} met a cold start."
    how = "" if not answers.confirmed else f", {answers.confirmed} confirmed by the function's log"
    met = f"{answers.probes_cold} of {counted(asked, 'probe')} in {days} met a cold start{how}."
    return met if forced <= 0 else f"{met} {counted(forced, 'more was', 'more were')} forced by bursts."


def _rows(answers: FirstAnswers) -> list[Percentiles]:
    rows = [_row("cold", answers.cold_ms)]
    if answers.warm_ms is not None:
        rows.append(Percentiles("warm", answers.warm, tuple(milliseconds(each) for each in answers.warm_ms)))
    return [*rows, _row("start of the instance, by the log", answers.start_ms)] if answers.start_ms else rows


def _row(kind: str, values: Sequence[float]) -> Percentiles:
    return Percentiles(kind, len(values), tuple(milliseconds(percentile(values, each)) for each in _SHARES))


def _per_cent(share: float) -> str:
    return f"{share * 100:.0f} %" if share == 0 or share >= 0.01 else f"{share * 100:.1f} %"


def _caveat(endpoint: Endpoint) -> str:
    if endpoint.interval_s > _LAMBDA_MAY_KEEP_S:
        return "Probes this far apart find most instances gone: they meet cold starts more often than busy clients do."
    if endpoint.cold_every_s is not None:
        return (
            f"Every {span(endpoint.cold_every_s)} probes pause for {span(endpoint.cool_down_s)}, so that the next one "
            "meets a cold start. What happens in these pauses nobody sees, unless it was down before."
        )
    return (
        f"A probe every {span(endpoint.interval_s)} keeps one instance awake. Clients that come at the same time as "
        "others meet cold starts more often than probes do."
    )
