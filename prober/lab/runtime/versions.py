"""An alias: one name for several versions of a function, each of which gets its share of the events.

Source: AWS Lambda Developer Guide, "Implement Lambda canary deployments using a weighted alias".
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any

from prober.lab.runtime.function import Answer, Deployed


class Alias:
    """Chooses a version for every event, by weight; `chance` gives numbers from 0 up to 1, by default always the same.

    A deploy is a change of `weights`: what is left out gets no event any more.
    """

    def __init__(self, weights: Mapping[Deployed, float], chance: Callable[[], float] | None = None) -> None:
        self._chance = chance or random.Random(0).random  # noqa: S311 - nobody gains by foreseeing it
        self._known: set[Deployed] = set()
        self.route(weights)

    def route(self, weights: Mapping[Deployed, float]) -> None:
        """Share the events out anew, from the next one on."""
        self._weights = dict(weights)
        self._known.update(weights)

    async def invoke(self, event: Mapping[str, Any], *, request_id: str, trace_id: str) -> Answer:
        """Hand one event to a version. Raises Throttled or FunctionFailed."""
        return await self._chosen().invoke(event, request_id=request_id, trace_id=trace_id)

    async def close(self) -> None:
        """Stop every instance of every version there has been."""
        await asyncio.gather(*(version.close() for version in self._known))

    def _chosen(self) -> Deployed:
        point = self._chance() * sum(self._weights.values())
        for version, weight in self._weights.items():
            point -= weight
            if point < 0:
                return version
        return next(reversed(self._weights))
