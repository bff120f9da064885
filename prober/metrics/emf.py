"""CloudWatch metrics as lines of a log, for a prober whose output CloudWatch Logs collects: no call, no permission.

Source: CloudWatch user guide, "Specification: Embedded metric format".
"""

import itertools
import json
import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from prober.metrics.catalog import UNITS
from prober.metrics.pending import Pending, Series
from prober.vitals import Vitals

log = logging.getLogger(__name__)

METRICS_PER_DIRECTIVE: Final = 100
VALUES_PER_METRIC: Final = 100
"""With what is in the catalog, a line of so many stays far below the 256 KB that an event may have everywhere."""

FAILURES: Final = "metrics_failures"


Held = tuple[Series, Counter[float]]


@dataclass(frozen=True, slots=True)
class Line:
    """One event, and the values that it holds."""

    text: bytes
    holds: Sequence[Held]


class EmbeddedMetrics:
    """Implements `prober.metrics.pending.Sink`: appends to a file, which is opened anew each time, so that whoever
    rotates it may move it away."""

    def __init__(self, file: Path, namespace: str, vitals: Vitals) -> None:
        self._file = file
        self._namespace = namespace
        self._vitals = vitals
        self._is_torn = False
        """The last line in the file has no end, because the disk was full."""

    def send(self, pending: Pending) -> int:
        """Append everything. What a full disk does not take waits."""
        written = list(lines(pending, self._namespace))
        if not written:
            return 0
        room, failure = self._append([each.text for each in written])
        ends = itertools.accumulate(len(each.text) for each in written)
        for line, end in zip(written, ends, strict=True):
            if end <= room:
                for series, part in line.holds:
                    pending.done(series, part)
        if failure is not None:
            self._vitals.add(FAILURES)
            log.warning("metrics cannot be written to %s, they wait: %s", self._file, failure)
        return 0

    def _append(self, texts: Sequence[bytes]) -> tuple[int, str | None]:
        """How many bytes of the lines have been written, and what kept the rest from it."""
        done, whole = 0, b"".join(texts)
        try:
            # Not truncated, and each write goes to the end, whoever else writes there.
            file = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                if self._is_torn:
                    os.write(file, b"\n")
                    self._is_torn = False
                while done < len(whole):
                    done += os.write(file, memoryview(whole)[done:])
            finally:
                os.close(file)
        except OSError as error:
            self._is_torn = self._is_torn or (done > 0 and whole[done - 1 : done] != b"\n")
            return done, error.strerror or type(error).__name__
        return done, None


def lines(pending: Pending, namespace: str) -> Iterator[Line]:
    """What waits as events: one for each minute and thing, more where a metric has many values."""
    for (minute, dimension, value), group in itertools.groupby(
        pending.items(), key=lambda item: (item[0].minute, item[0].dimension, item[0].value)
    ):
        waiting = [(series, _repeated(values)) for series, values in group]
        root = {"Timestamp": int(minute.timestamp() * 1000)}
        for start in range(max(len(chunks) for _, chunks in waiting)):
            holds = [(series, chunks[start]) for series, chunks in waiting if start < len(chunks)]
            for first in range(0, len(holds), METRICS_PER_DIRECTIVE):
                part = holds[first : first + METRICS_PER_DIRECTIVE]
                event = _event(root, {dimension: value}, namespace, part)
                text = json.dumps(event, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
                yield Line(text, part)


def _event(
    root: Mapping[str, int],
    dimension: Mapping[str, str],
    namespace: str,
    holds: Sequence[tuple[Series, Counter[float]]],
) -> dict[str, Any]:
    directive = {
        "Namespace": namespace,
        "Dimensions": [list(dimension)],
        "Metrics": [{"Name": series.metric, "Unit": UNITS[series.metric].value} for series, _ in holds],
    }
    figures = {series.metric: list(values.elements()) for series, values in holds}
    return {"_aws": {**root, "CloudWatchMetrics": [directive]}, **dimension, **figures}


def _repeated(values: Counter[float]) -> Sequence[Counter[float]]:
    """The values in parts that hold no more than a line takes when each is written as often as it was measured."""
    every = list(values.elements())
    return [Counter(every[start : start + VALUES_PER_METRIC]) for start in range(0, len(every), VALUES_PER_METRIC)]
