"""Where the program's own log lines go: standard error, one line each, in UTC."""

import logging
import sys
import time

from prober.secrets.aws import silence


def configure(level: int = logging.INFO) -> None:
    """Send this process's log to standard error, our own lines from `level` on. Third-party libraries speak from
    WARNING on: httpx would log every URL, APScheduler every tick."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # A tick that lasts longer than its pause is no news: the next one comes when it has ended.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    silence()
    for ours in ("prober", "dashboard"):
        logging.getLogger(ours).setLevel(level)
