"""From `make demo` in a fresh clone to the first right verdict, split into install and start; then a second start.

Clones this checkout's last commit into a temporary directory and installs from the package index, so the first figure
is as good as the network.
"""

import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from prober.lab import SCENARIOS

ROOT = Path(__file__).parents[2]
WANTED = {each.id: each for each in SCENARIOS if each.steady and each.in_demo}
PATIENCE_S = 90


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)  # root's database runs as somebody else, who must be able to enter
        clone = Path(directory) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        began = time.monotonic()
        subprocess.run(["make", ".venv/.stamps/run"], cwd=clone, env=environment, stdout=subprocess.DEVNULL, check=True)
        print(f"install              {time.monotonic() - began:6.1f} s")
        for start in ("first start", "second start"):
            line, first, every = watch(clone, environment)
            print(f"{start:12} line    {line:6.1f} s, first right verdict {first:5.1f} s, every one {every:5.1f} s")


def watch(clone: Path, environment: dict[str, str]) -> tuple[float, float, float]:
    """Seconds from the start of the demo to its line, to the first right verdict, and to all of them."""
    arguments = ["make", "--silent", "demo", f"ARGS=--port 0 --data-dir {clone / 'data'}"]
    began = time.monotonic()
    demo = subprocess.Popen(
        arguments, cwd=clone, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert demo.stdout is not None
        address = demo.stdout.readline().removeprefix("dashboard: ").strip()
        line = time.monotonic() - began
        first = 0.0
        while time.monotonic() - began < PATIENCE_S:
            right = right_verdicts(address)
            if right and not first:
                first = time.monotonic() - began
            if right == len(WANTED):
                return line, first, time.monotonic() - began
            time.sleep(0.05)
        raise TimeoutError(f"only {right_verdicts(address)} of {len(WANTED)} verdicts are right after {PATIENCE_S} s")
    finally:
        os.killpg(demo.pid, signal.SIGINT)
        demo.wait()
        assert demo.stdout is not None
        demo.stdout.close()


def right_verdicts(address: str) -> int:
    with urllib.request.urlopen(f"{address}/api/endpoints", timeout=10) as answer:
        endpoints = json.load(answer)["endpoints"]
    return sum(
        each["name"] in WANTED
        and each["verdict"] == WANTED[each["name"]].verdict
        and each["cause"] == WANTED[each["name"]].diagnosis
        for each in endpoints
    )


if __name__ == "__main__":
    main()
