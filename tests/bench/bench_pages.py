"""What a large fleet's pages cost: bytes, milliseconds and processor time at the server, and in a real browser.

A thousand endpoints by default, with sixty probes each, in a database of their own, behind a dashboard process of its
own. The ratio is against `/livez`, which reads nothing. The browser is Debian's Chromium, on a processor that it shares
with the server; without it, or without playwright (`make .venv/.stamps/e2e`), its part is left out and says so.
"""

import argparse
import asyncio
import http.client
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from bench_history import database, load, remember_ninety_days
from sqlalchemy.engine import make_url

from prober.storage import migrations, rollups
from prober.storage.database import open_engine

ROOT = Path(__file__).parents[2]
READY = "Uvicorn running on "
TIMES = 11
VISITORS, SECONDS = 4, 4.0
SLUG = "public-endpoint-1"
TROUBLED = """
    update endpoint_state
    set verdict = bad.verdict, cause = bad.cause, cause_summary = bad.summary, marks = repeat('d', 60)
    from (select id, case when n % 40 = 0 then 'down' else 'degraded' end as verdict,
                 case when n % 40 = 0 then 'function-crash' else 'streaming-buffered' end as cause,
                 'server/discover ends with HTTP 502 after 1 ms: the function failed.' as summary
          from (select id, row_number() over (order by name) as n from endpoint) numbered where n % 20 = 0) bad
    where endpoint_id = bad.id
"""
PUBLISHED = "update endpoint set options = options || jsonb_build_object('public', 'Public ' || name) where name ~ '1$'"
PAINTED = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return [page.responseEnd, paint ? paint.startTime : 0, page.domInteractive, page.loadEventEnd,
          document.getElementsByTagName("*").length];
}"""
RENEWED = """() => new Promise((done) => {
  const begun = performance.now();
  const watcher = new MutationObserver(() => {
    watcher.disconnect();
    requestAnimationFrame(() => done(performance.now() - begun));
  });
  watcher.observe(document.getElementById("main"), { childList: true });
  document.getElementById("main").dispatchEvent(new Event("asked"));
})"""


def pages() -> dict[str, str]:
    return {
        "/livez": "/livez",
        "fleet, 1st page": "/",
        "fleet, grouped": "/?group=team",
        "fleet, searched": "/?q=endpoint-77",
        "endpoint": "/endpoints/endpoint-1",
        "incidents": "/incidents",
        "API, all endpoints": "/api/endpoints",
        "API, one endpoint": "/api/endpoints/endpoint-1",
        "public status page": "/status",
        "badge": f"/badges/{SLUG}.svg",
    }


@contextmanager
def serving(database_url: str) -> Iterator[tuple[str, int]]:
    """The dashboard's address and its process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "dashboard.app:create_app", "--factory", "--port", "0", "--no-access-log"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url, "PROBER_DASHBOARD_ACCESS": "open"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        ready = next(line for line in process.stderr if READY in line)
        yield ready.partition(READY)[2].split()[0], process.pid
    finally:
        process.terminate()
        process.communicate(timeout=10)


def processor_s(pid: int) -> float:
    """User and system time of a process; see proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def asked(connection: http.client.HTTPConnection, path: str, accepts: str) -> tuple[int, int]:
    """Status and bytes of the body as they travel."""
    connection.request("GET", path, headers={"Accept-Encoding": accepts})
    answer = connection.getresponse()
    return answer.status, len(answer.read())


def by_one(address: str, path: str) -> tuple[float, int, int, int]:
    """The middle time in milliseconds, the status, and the bytes, plain and compressed."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc)
    took = []
    status, plain = asked(connection, path, "identity")
    for _ in range(TIMES):
        began = time.perf_counter()
        _, packed = asked(connection, path, "gzip")
        took.append((time.perf_counter() - began) * 1000)
    connection.close()
    return statistics.median(took), status, plain, packed


def by_many(address: str, path: str, pid: int) -> tuple[float, float]:
    """Requests a second of some visitors at once, and processor milliseconds of the dashboard for each."""
    ends = time.perf_counter() + SECONDS

    def visitor(_: int) -> int:
        connection, count = http.client.HTTPConnection(urlsplit(address).netloc), 0
        while time.perf_counter() < ends:
            asked(connection, path, "gzip")
            count += 1
        connection.close()
        return count

    used = processor_s(pid)
    with ThreadPoolExecutor(VISITORS) as visitors:
        served = sum(visitors.map(visitor, range(VISITORS)))
    return served / SECONDS, (processor_s(pid) - used) / served * 1000


def at_the_server(address: str, pid: int) -> None:
    print(f"At the server: one visitor, then {VISITORS} at once for {SECONDS:.0f} s")
    print(f"  {'':<22} {'ms':>8} {'x':>6} {'kB':>8} {'packed':>8} {'req/s':>8} {'CPU ms':>8}")
    reference = 0.0
    for name, path in pages().items():
        took, status, plain, packed = by_one(address, path)
        rate, processor = by_many(address, path, pid)
        reference = reference or took
        sizes = f"{plain / 1000:>8.1f} {packed / 1000:>8.1f}"
        refused = "" if status == 200 else f"  HTTP {status}"
        print(
            f"  {name:<22} {took:>8.1f} {took / reference:>6.1f} {sizes} {rate:>8.0f} {processor:>8.2f}{refused}",
            flush=True,
        )


def in_a_browser(address: str) -> None:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sync_playwright = None
    if chromium is None or sync_playwright is None:
        print(
            "In a browser: left out, " + ("no Chromium on PATH" if chromium is None else "playwright is not installed")
        )
        return
    print("In a browser: milliseconds from asking to each, and for a renewal by news")
    print(f"  {'':<28} {'bytes':>7} {'paint':>7} {'parsed':>7} {'loaded':>7} {'elements':>8} {'renewal':>7}")
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for name, path in pages().items():
            if name not in ("fleet, 1st page", "fleet, grouped", "endpoint", "incidents"):
                continue
            for width in (1440, 390):
                visit(browser, address + path, f"{name}, {width} px", width)
        browser.close()


def visit(browser: Any, address: str, name: str, width: int) -> None:
    seen: list[Sequence[float]] = []
    renewed = []
    for _ in range(5):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.goto(address, wait_until="load")
        page.wait_for_timeout(50)
        seen.append(page.evaluate(PAINTED))
        renewed.append(page.evaluate(RENEWED) if page.locator("main[data-live]").count() else 0.0)
        page.close()
    *times, elements = (statistics.median(column) for column in zip(*seen, strict=True))
    shown = " ".join(f"{each:>7.0f}" for each in times)
    print(f"  {name:<28} {shown} {elements:>8.0f} {statistics.median(renewed):>7.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoints", type=int, default=1000)
    arguments = parser.parse_args()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}")

    async def filled(url: str) -> None:
        db = open_engine(url)
        await load(db, arguments.endpoints * 60, arguments.endpoints)
        await rollups.roll_up(db, lag_ms=250.0, reports_days=30, every_s=0.0)
        await remember_ninety_days(db)
        await db.dispose()

    with database() as (url, _):
        migrations.upgrade(url)
        asyncio.run(filled(url))
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(TROUBLED)
            connection.execute(PUBLISHED)
        with serving(url) as (address, pid):
            at_the_server(address, pid)
            in_a_browser(address)


if __name__ == "__main__":
    main()
