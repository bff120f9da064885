"""What the commands share that run until somebody stops them."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final

import uvloop

from prober.app import logs
from prober.app.dashboard_process import EnvironmentRefused, NotLoopback, OpenAndVouched, PortTaken
from prober.app.demo import LabFailed
from prober.app.first_admin import PasswordFileUnusable
from prober.app.measuring import CannotPublish
from prober.app.status_server import CannotListen
from prober.app.up import NoDatabase
from prober.cli.config import unusable
from prober.cli.errors import CommandError, ExitCode
from prober.settings import ConfigError
from prober.storage.database import DatabaseUnavailable, DatabaseUrlError
from prober.storage.embedded import DirectoryUnusable, EmbeddedError
from prober.storage.migrations import DatabaseTooNew

log = logging.getLogger(__name__)

ENDS_WITHIN_S: Final = 8.0
"""How long a stop may take. Where a process manager kills what does not end, it waits for ten seconds or more."""


def run_until_stopped(
    program: Callable[[asyncio.Event], Coroutine[Any, Any, ExitCode]], *, log_level: int = logging.INFO
) -> int:
    """Run `program` with an event that SIGINT or SIGTERM sets; a second one ends the process at once.

    Raises CommandError for what its parts say.
    """
    logs.configure(log_level)

    async def main() -> int:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()

        def end(number: int) -> None:
            if stop.is_set():
                _exit(128 + number)
            stop.set()
            log.info("stopping: what runs may end, for %g s at most; once more stops it at once", ENDS_WITHIN_S)
            loop.call_later(ENDS_WITHIN_S, _give_up)

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end, number)
        code = await program(stop)
        log.info("stopped")
        return code

    with named_failures():
        return uvloop.run(main())


def _give_up() -> None:
    log.warning("not everything ended in time, such as questions to a database that does not answer; nothing is lost")
    _exit(ExitCode.UP)


def _exit(status: int) -> None:
    """End without another step: reports are in the spool, and every child ends with its parent."""
    logging.shutdown()
    os._exit(status)


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
        EnvironmentRefused,
        NotLoopback,
        OpenAndVouched,
        PasswordFileUnusable,
        PortTaken,
        DirectoryUnusable,
    ) as error:
        raise CommandError(str(error)) from None
    except (DatabaseUnavailable, EmbeddedError, LabFailed) as error:
        raise CommandError(str(error), code=ExitCode.UNOBSERVED) from None
