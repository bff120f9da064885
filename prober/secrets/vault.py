"""Secrets at probe time: behind the deployment's allow-list, off the event loop, and AWS asked as seldom as can be."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final

from prober.secrets.allowance import AllowList
from prober.secrets.aws import SecretStores, picked, source_of
from prober.secrets.references import SecretError, is_remote, problem_with, resolve, sendable

FRESH_S: Final = 300.0
"""How long a secret of AWS is used before AWS is asked again; up to a fifth less, so that not all fall due at once."""
STALE_S: Final = 3600.0
"""How long a secret is used while AWS is away."""
WAIT_S: Final = 1.0
"""How long a probe that has an older secret waits for the newer one."""
AGAIN_S: Final = 15.0
"""Pause between two questions while AWS is away."""


@dataclass(slots=True)
class _Held:
    text: str = field(repr=False)
    at: float
    fresh_until: float


class Vault:
    """The secrets of one process. What is local is read every time, so that a replaced file counts at once."""

    def __init__(
        self,
        executor: Executor | None = None,
        *,
        allow: AllowList | None = None,
        fetch: Callable[[str], str] | None = None,
        env: Mapping[str, str] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wait_s: float = WAIT_S,
    ) -> None:
        """Without `allow`, every reference may be used. `fetch` asks AWS, and blocks, in a thread of `executor` or the
        event loop's own."""
        self._executor = executor
        self._allow = allow
        self._fetch = fetch or SecretStores().fetch
        self._env = env
        self._monotonic = monotonic
        self._wait_s = wait_s
        self._held: dict[str, _Held] = {}
        self._asking: dict[str, asyncio.Task[str]] = {}

    def permit(self, reference: str, *origins: str) -> None:
        """Raise SecretError unless the deployment lets this secret be sent to all of `origins`."""
        refusal = problem_with(reference)
        if refusal is None and self._allow is not None:
            refusal = self._allow.refusal(reference, origins)
        if refusal is not None:
            raise SecretError(refusal)

    async def secret(self, reference: str, *origins: str) -> str:
        """The secret behind `reference`, to be sent to `origins`. Raises SecretError."""
        self.permit(reference, *origins)
        if not is_remote(reference):
            return await self._local(reference)
        return sendable(picked(reference, await self._text(source_of(reference))), reference)

    def holds(self, reference: str) -> bool:
        """Whether an older answer of AWS is at hand, which may have been replaced meanwhile."""
        return source_of(reference) in self._held

    async def renew(self, reference: str) -> None:
        """Ask AWS again for a secret that was refused, however fresh it is. Raises SecretError."""
        if is_remote(reference):
            await asyncio.shield(self._question(source_of(reference)))

    async def _local(self, reference: str) -> str:
        if reference.startswith("env:"):
            return resolve(reference, self._env)
        # A file may lie on a network file system that hangs.
        return await asyncio.get_running_loop().run_in_executor(self._executor, resolve, reference, self._env)

    async def _text(self, source: str) -> str:
        held, now = self._held.get(source), self._monotonic()
        if held is not None and now < held.fresh_until:
            return held.text
        question = self._question(source)
        if held is None or now - held.at >= STALE_S:
            return await asyncio.shield(question)
        await asyncio.wait({question}, timeout=self._wait_s)
        if question.done() and not _is_away(question):
            return question.result()
        held.fresh_until = min(now + AGAIN_S, held.at + STALE_S)
        return held.text

    def _question(self, source: str) -> "asyncio.Task[str]":
        """The one question to AWS that is under way for `source`; it goes on when whoever waits for it gives up."""
        if source not in self._asking:
            question = asyncio.create_task(self._ask(source))
            question.add_done_callback(lambda _: self._asking.pop(source, None))
            question.add_done_callback(lambda done: done.cancelled() or done.exception())  # marks it as seen
            self._asking[source] = question
        return self._asking[source]

    async def _ask(self, source: str) -> str:
        text = await asyncio.get_running_loop().run_in_executor(self._executor, self._fetch, source)
        now = self._monotonic()
        early = FRESH_S * random.uniform(0, 0.2)  # noqa: S311 - spreads load, guards nothing
        held = {other: each for other, each in self._held.items() if now - each.at < STALE_S}
        self._held = held | {source: _Held(text, now, now + FRESH_S - early)}
        return text


def _is_away(question: "asyncio.Task[str]") -> bool:
    failure = question.exception()
    return isinstance(failure, SecretError) and failure.passing
