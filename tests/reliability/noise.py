"""How much the machine holds up whoever only wants to wake up: the measure that lateness has to be read against.

python -m tests.reliability.noise FILE      one line for each wake-up: when (monotonic), and how late in milliseconds
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.reliability.audit import percentile

ROOT: Final = Path(__file__).parents[2]
EVERY_S: Final = 0.02
TOO_MUCH_MS: Final = 10.0
"""With a p99 above it, a short run says nothing about lateness."""


class Noise:
    """What a process of its own has measured until now."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def p99_ms(self, since: float) -> float:
        """Since that moment on the monotonic clock."""
        lines = (line.split() for line in self._path.read_text().splitlines()) if self._path.exists() else ()
        return percentile([float(each[1]) for each in lines if len(each) == 2 and float(each[0]) >= since], 99)


@contextmanager
def measured(path: Path) -> Iterator[Noise]:
    """Measures meanwhile."""
    process = subprocess.Popen([sys.executable, "-m", __spec__.name, str(path)], cwd=ROOT)
    try:
        yield Noise(path)
    finally:
        process.kill()
        process.wait()


def main() -> None:
    with Path(sys.argv[1]).open("w", buffering=1) as file:
        while True:
            due = time.monotonic() + EVERY_S
            time.sleep(EVERY_S)
            file.write(f"{due:.3f} {(time.monotonic() - due) * 1000:.1f}\n")


if __name__ == "__main__":
    main()
