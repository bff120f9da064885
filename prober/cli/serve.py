"""`mcp-prober serve`: the dashboard alone, over a database that somebody else fills."""

import argparse
import os
import socket

import uvicorn

from prober.app import dashboard_process, logs
from prober.cli.database import add_database_arguments, database_url
from prober.cli.errors import ExitCode
from prober.cli.running import named_failures
from prober.storage.database import normalise

CLOSE_STREAMS_AFTER_S = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_database_arguments(parser)
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="0 takes any free one (default: %(default)s)")
    parser.add_argument("--insecure-no-auth", action="store_true", help="listen beyond this machine without a login")
    parser.add_argument("--fd", type=int, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    logs.configure()
    with named_failures():
        os.environ["DATABASE_URL"] = normalise(database_url(options))
        if options.fd is not None:
            listener = socket.socket(fileno=options.fd)
        else:
            listener = dashboard_process.listen(options.host, options.port, insecure_no_auth=options.insecure_no_auth)
            print(f"dashboard: {dashboard_process.address(listener)}", flush=True)
        config = uvicorn.Config(
            "dashboard.app:create_app",
            factory=True,
            access_log=False,
            log_config=None,
            server_header=False,
            # Who asks is judged by the address of the socket, in whose place uvicorn would put what a header says.
            proxy_headers=False,
            # Pages hold an event stream open for good: without a bound the server would wait for them for ever.
            timeout_graceful_shutdown=CLOSE_STREAMS_AFTER_S,
        )
        uvicorn.Server(config).run(sockets=[listener])
    return ExitCode.UP
