"""What goes on at the moment, for people at a terminal. In a pipe nothing is said until the report."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from checks.model import Endpoint
from checks.text import clean
from prober.cli.terminal import is_watched

Tell = Callable[[Endpoint, str], None]


@contextmanager
def progress(endpoints: Sequence[Endpoint]) -> Iterator[Tell]:
    """A line for each endpoint on standard error, gone when all is done."""
    if not is_watched(sys.stderr):
        yield lambda _, __: None
        return
    # Here, because a pipeline does not wait for it.
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    console = Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR")), highlight=False)
    with Progress(*columns, console=console, transient=True) as bar:
        lines = [(each, bar.add_task(clean(each.name, 60), total=None)) for each in endpoints]

        def tell(endpoint: Endpoint, activity: str) -> None:
            for each, line in lines:
                if each is endpoint:
                    bar.update(line, description=f"{clean(endpoint.name, 60)}: {activity}")

        yield tell
