"""How long cold starts take, and how likely one is to outlast a client, from those that were seen."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

CLIENT_TIMEOUTS_S: Final = (5.0, 10.0, 30.0, 60.0)
"""What clients of MCP commonly wait for an answer."""

_Z: Final = 1.959964
"""The standard normal deviate of a two-sided interval of 95 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihood:
    """How likely a cold start is to take longer than `limit_s`, with the 95 % confidence interval of the share."""

    limit_s: float
    exceeded: int
    of: int
    share: float
    low: float
    high: float


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of the values does not exceed (nearest rank); None without any."""
    if not values:
        return None
    rank = max(1, math.ceil(share * len(values)))
    return sorted(values)[min(rank, len(values)) - 1]


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The interval in which a share of `hits` among `of` truly lies, with 95 % confidence.

    Wilson's score interval (1927) holds for few observations and for shares near 0 and 1, as cold starts give them.
    """
    if of <= 0:
        return 0.0, 1.0
    share, square = hits / of, _Z * _Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    reach = _Z / (1 + square / of) * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def likelihoods(answers_ms: Sequence[float], *, seen_up_to_s: float) -> tuple[Likelihood, ...]:
    """For each common client timeout, how likely a cold start is to outlast it. Empty where none was seen.

    A probe that gives up after `seen_up_to_s` seconds cannot have seen longer ones: of these limits nothing is said.
    """
    if not answers_ms:
        return ()
    return tuple(_likelihood(answers_ms, limit) for limit in CLIENT_TIMEOUTS_S if limit < seen_up_to_s)


def _likelihood(answers_ms: Sequence[float], limit_s: float) -> Likelihood:
    exceeded, of = sum(each > limit_s * 1000 for each in answers_ms), len(answers_ms)
    low, high = wilson(exceeded, of)
    return Likelihood(limit_s=limit_s, exceeded=exceeded, of=of, share=exceeded / of, low=low, high=high)
