"""Blocking calls in threads that cannot keep the process from ending."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class DaemonExecutor(Executor):
    """Runs calls in up to `threads` daemon threads.

    The interpreter waits for the threads of a `ThreadPoolExecutor` before it ends, and a call to AWS that hangs may
    last for half a minute.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._name = name
        self._room = threads
        self._threads: list[threading.Thread] = []
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Raises RuntimeError after `shutdown`, and where the machine allows no thread at all."""
        if self._closed:
            raise RuntimeError(f"the {self._name} threads have been shut down")
        if len(self._threads) < self._room:
            self._begin_another()
        future: Future[T] = Future()
        self._work.put((future, lambda: fn(*args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls. Those that have not begun are done all the same, or dropped with `cancel_futures`."""
        self._closed = True
        with suppress(queue.Empty):
            while cancel_futures:
                if (item := self._work.get_nowait()) is not None:
                    item[0].cancel()
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def _begin_another(self) -> None:
        thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the machine allows no more for now: those that are there do the work
            if not self._threads:
                raise
        else:
            self._threads.append(thread)

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            future, call = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as failure:  # whoever waits for the future must learn of everything
                future.set_exception(failure)
            else:
                future.set_result(result)
