"""The demo: a lab of healthy and broken servers, written down as a configuration like any owner's."""

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Set
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import yaml
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.credentials import names_credential
from prober.app import dashboard_process
from prober.app.children import Child
from prober.app.first_admin import PASSWORD_FILE
from prober.app.own_database import EMBEDDED, own_database, platform_data_dir
from prober.app.up import Running, UpOptions, up
from prober.clock import Clock
from prober.lab import SCENARIOS, Scenario
from prober.lab.credentials import ENVIRONMENT
from prober.secrets.references import is_reference
from prober.storage import queries

INTERVAL_S: Final = 20.0
"""Time between two probes of one server: kind to a machine that has other work."""
STORY_INTERVAL_S: Final = 3.0
"""The same where the verdict changes: its first incident is to open and end within a minute."""
FIRST_WITHIN_S: Final = 3.0
"""How soon each server shows its first verdict, where the machine has nothing else to do."""
RIGHT_WITHIN_S: Final = 60.0
LAB_START_S: Final = 20.0
LOOK_EVERY_S: Final = 0.5

SHOWN: Final[tuple[Scenario, ...]] = tuple(scenario for scenario in SCENARIOS if scenario.in_demo)

_HEAD: Final = """\
# The demo's configuration, written anew at each start: one endpoint for each scenario that it shows.
# Notices of incidents go to the file that is named below.
"""


class LabFailed(Exception):
    """The lab did not start; it says why on standard error."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """One endpoint of the demo whose verdict is not (yet) the scenario's."""

    name: str
    wanted: str
    found: str

    def __str__(self) -> str:
        return f"{self.name}: should be {self.wanted}, is {self.found}"


async def demo(
    data_dir: Path | None, host: str, port: int, stop: asyncio.Event, started: Callable[[Running], None]
) -> None:
    """Run the lab and everything that watches it until `stop` is set. Raises what `up` raises, and LabFailed.

    Port and database are taken before a file is written: a demo that runs already follows these files.
    """
    directory = (data_dir or platform_data_dir()) / "demo"
    async with AsyncExitStack() as ending:
        listener = dashboard_process.listen(host, port)
        ending.callback(listener.close)
        url = await own_database(directory / EMBEDDED, stop, ending)
        if url is None:
            return
        environment = {**own_environment(os.environ), "DATABASE_URL": url}
        lab, urls = await start_lab()
        ending.push_async_callback(lab.stop)
        config = write_configuration(directory, urls)
        options = UpOptions(config=config, listener=listener, environment=environment, first_within_s=FIRST_WITHIN_S)
        await up(options, stop, started)


def own_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what configures an owner's prober: on its database, the demo would take the endpoints
    that it does not know for removed."""
    owners = ("DATABASE_URL", PASSWORD_FILE)
    return {name: value for name, value in environment.items() if name not in owners and not name.startswith("PROBER_")}


async def until_right(db: AsyncEngine, clock: Clock, within_s: float = RIGHT_WITHIN_S) -> list[Wrong]:
    """Wait until every verdict is the lab's own; what is still wrong after `within_s` seconds comes back."""
    since, deadline = clock.now(), clock.monotonic() + within_s
    right: set[str] = set()
    while True:
        wrong = await wrong_verdicts(db, since, right)
        right = {scenario.id for scenario in SHOWN} - {each.name for each in wrong}
        if not wrong or clock.monotonic() > deadline:
            return wrong
        await asyncio.sleep(LOOK_EVERY_S)


async def start_lab() -> tuple[Child, dict[str, str]]:
    """The lab as a process of its own, and the address of each scenario. Raises LabFailed."""
    lab = await Child.start("the lab", ["-m", "prober.lab", *(each.id for each in SHOWN)], piped=True)
    try:
        urls: dict[str, str] = json.loads(await lab.first_line(LAB_START_S))["urls"]
    except (ChildProcessError, TimeoutError) as failure:
        await lab.stop()
        raise LabFailed(str(failure) or f"the lab was not ready after {LAB_START_S:.0f} s") from None
    except BaseException:
        await lab.stop()
        raise
    return lab, urls


def write_configuration(directory: Path, urls: Mapping[str, str]) -> Path:
    """Write `prober.yaml` for the lab into `directory`, and the secrets that it refers to beside it."""
    directory.mkdir(parents=True, exist_ok=True)
    document = {
        "location": "demo",
        "data_dir": str(directory),
        "defaults": {"interval": INTERVAL_S},
        "network": {"allow_cidrs": ["127.0.0.0/8", "::1/128"]},
        "observer": {"canaries": []},  # the internet says nothing about a lab on loopback
        "incidents": {"mass_after": 1000},  # its servers fail together by design, and each is worth a notice
        "notifiers": [{"name": "notices", "kind": "file", "path": str(directory / "notices.jsonl")}],
        "endpoints": [_endpoint(scenario, urls[scenario.id], directory) for scenario in SHOWN],
    }
    path = directory / "prober.yaml"
    # Written aside and renamed, because a worker that reads half a file would forget the other half's endpoints.
    draft = path.with_suffix(".new")
    draft.write_text(_HEAD + yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    draft.replace(path)
    return path


async def wrong_verdicts(db: AsyncEngine, since: datetime, right: Set[str] = frozenset()) -> list[Wrong]:
    """Every steady scenario that no probe since then has judged as the lab's catalog does.

    Those that were `right` at an earlier look stay so while a probe could not observe: that says nothing of them.
    """
    seen = {row.name: row for row in await queries.fleet(db)}
    wrong = []
    for scenario in SHOWN:
        row = seen.get(scenario.id)
        if row is None or row.slot is None or row.slot < since:
            wrong.append(Wrong(scenario.id, _wanted(scenario), "not probed yet"))
        elif scenario.id in right and row.verdict == "unknown":
            continue
        elif scenario.steady and not _is_right(scenario, row.verdict, row.cause):
            wrong.append(Wrong(scenario.id, _wanted(scenario), f"{row.verdict} ({row.cause or 'no diagnosis'})"))
    return wrong


def _is_right(scenario: Scenario, verdict: str, cause: str | None) -> bool:
    if verdict != scenario.verdict:
        return False
    return verdict == "up" or cause == scenario.diagnosis


def _wanted(scenario: Scenario) -> str:
    return f"{scenario.verdict} ({scenario.diagnosis or 'no diagnosis'})"


def _endpoint(scenario: Scenario, url: str, directory: Path) -> dict[str, Any]:
    options: dict[str, Any] = dict(scenario.options)
    timeout_s = options.pop("timeout_s", None)
    headers = options.pop("headers", {})
    bearer = options.pop("bearer", None)
    return {
        "name": scenario.id,
        "url": url,
        "labels": {"front": scenario.front.value},
        **({} if scenario.steady else {"interval": STORY_INTERVAL_S}),
        **({"timeout": timeout_s} if timeout_s is not None else {}),
        **({"auth": {"bearer": _lab_secret(scenario.id, bearer, directory)}} if bearer is not None else {}),
        **({"headers": _by_reference(scenario.id, headers, directory)} if headers else {}),
        **options,
    }


def _by_reference(name: str, headers: Mapping[str, str], directory: Path) -> dict[str, str]:
    """The headers with each credential in a file of its own, as the configuration demands it."""
    referred = {}
    for header, value in headers.items():
        is_bare = names_credential(header) and not is_reference(value)
        referred[header] = _stored(f"{name}-{header.lower()}", value, directory) if is_bare else value
    return referred


def _lab_secret(name: str, reference: str, directory: Path) -> str:
    """A reference that this process can resolve, whose environment lacks the secrets of the lab."""
    return _stored(f"{name}-bearer", ENVIRONMENT[reference.removeprefix("env:")], directory)


def _stored(name: str, value: str, directory: Path) -> str:
    """The reference to a file for this one secret, which nobody else may read."""
    secret = directory / "secrets" / name
    secret.parent.mkdir(mode=0o700, exist_ok=True)
    secret.unlink(missing_ok=True)  # what exists would keep its mode
    with open(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123 - Path.open cannot set a mode
        file.write(value)
    return f"file:{secret}"
