"""What the commands share that run until somebody stops them."""

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import uvloop

from prober.app import logs
from prober.app.dashboard_process import NotLoopback, PortTaken
from prober.app.demo import LabFailed
from prober.app.measuring import CannotPublish
from prober.app.status_server import CannotListen
from prober.app.up import NoDatabase
from prober.cli.config import unusable
from prober.cli.errors import CommandError, ExitCode
from prober.settings import ConfigError
from prober.storage.database import DatabaseUnavailable, DatabaseUrlError
from prober.storage.embedded import DirectoryUnusable, EmbeddedError
from prober.storage.migrations import DatabaseTooNew


def run_until_stopped(
    program: Callable[[asyncio.Event], Coroutine[Any, Any, ExitCode]], *, log_level: int = logging.INFO
) -> int:
    """Run `program` with an event that SIGINT or SIGTERM sets. Raises CommandError for what its parts say."""
    logs.configure(log_level)

    async def main() -> int:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        return await program(stop)

    with named_failures():
        return uvloop.run(main())


@contextmanager
def named_failures() -> Iterator[None]:
    """Turns what the parts of a running prober say about their start into the error of a command."""
    try:
        yield
    except ConfigError as error:
        raise unusable(error) from None
    except (
        DatabaseUrlError,
        DatabaseTooNew,
        NoDatabase,
        CannotPublish,
        CannotListen,
        NotLoopback,
        PortTaken,
        DirectoryUnusable,
    ) as error:
        raise CommandError(str(error)) from None
    except (DatabaseUnavailable, EmbeddedError, LabFailed) as error:
        raise CommandError(str(error), code=ExitCode.UNOBSERVED) from None
