"""What goes on at the moment, for people at a terminal. In a pipe nothing is said until the report."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from checks.model import Endpoint
from checks.proofs import counted
from checks.text import clean
from prober.app.smoke import Conclusion
from prober.cli.terminal import is_watched

if TYPE_CHECKING:  # a pipeline does not wait for it
    from rich.progress import Progress, TaskID

Tell = Callable[[Endpoint, str], None]
Say = Callable[[str], None]

_CONCLUSIONS = frozenset(each.value for each in Conclusion)
_LONGEST = 200


@contextmanager
def progress(endpoints: Sequence[Endpoint]) -> Iterator[Tell]:
    """A line on standard error for each endpoint that is being asked, and of several one for all; gone in the end."""
    if not is_watched(sys.stderr):
        yield lambda _, __: None
        return
    with _lines() as bar:
        yield _Lines(bar, endpoints).tell


@contextmanager
def working(activity: str) -> Iterator[Say]:
    """A line on standard error that says what is done, gone in the end. What is yielded says something else there."""
    if not is_watched(sys.stderr):
        yield lambda _: None
        return
    with _lines() as bar:
        line = bar.add_task(clean(activity, _LONGEST), total=None)
        yield lambda said: bar.update(line, description=clean(said, _LONGEST))


def _lines() -> "Progress":
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    console = Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR")), highlight=False)
    return Progress(*columns, console=console, transient=True)


class _Lines:
    """Those of one run."""

    def __init__(self, bar: "Progress", endpoints: Sequence[Endpoint]) -> None:
        self._bar = bar
        self._count = len(endpoints)
        self._concluded: Counter[str] = Counter()
        self._all = bar.add_task(self._so_far()) if len(endpoints) > 1 else None
        self._line_of: dict[int, TaskID] = {}
        if len(endpoints) == 1:
            self._open(endpoints[0])

    def tell(self, endpoint: Endpoint, activity: str) -> None:
        """Show what is done to one of them."""
        line = self._line_of.get(id(endpoint))
        if line is None:
            line = self._open(endpoint)
        self._bar.update(line, description=f"{clean(endpoint.name, 60)}: {clean(activity, _LONGEST)}")
        if self._all is not None and activity in _CONCLUSIONS:
            self._concluded[activity] += 1
            self._bar.update(self._all, description=self._so_far())
            self._bar.update(line, visible=False)

    def _open(self, endpoint: Endpoint) -> "TaskID":
        line = self._bar.add_task(clean(endpoint.name, 60), total=None)
        self._line_of[id(endpoint)] = line
        return line

    def _so_far(self) -> str:
        said = ", ".join(f"{number} {word}" for word, number in self._concluded.items())
        return f"{self._concluded.total()} of {counted(self._count, 'endpoint')}" + (f": {said}" if said else "")
