"""Watches the configuration file, so that an edit counts without a restart and a broken one changes nothing."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from prober.settings import ConfigError, Judge, Problem, Settings, no_more, parse, read_file

Problems = tuple[Problem, ...]


class ConfigFileWatcher:
    """Reads the file whenever its content has changed. `judge` is that of `prober.settings.parse`."""

    def __init__(self, path: Path, env: Mapping[str, str], *, judge: Judge = no_more) -> None:
        self._path = path
        self._env = env
        self._judge = judge
        self._settled: str | None = None
        self._seen: str | None = None

    def load(self) -> Settings:
        """The settings in the file now. Raises ConfigError with all problems."""
        content = read_file(self._path)
        self._settled = self._seen = _digest(content)
        return self._settings(content)

    def poll(self) -> Settings | Problems | None:
        """New settings, the problems of a broken edit (once), or None while nothing new is to be said.

        An edit counts when two polls in a row see the same content: a file that is still being written could be
        valid and lack its last endpoints.
        """
        try:
            content = read_file(self._path)
        except ConfigError as error:
            return error.problems if self._is_new(f"unreadable: {error}") else None
        if not self._is_new(_digest(content)):
            return None
        try:
            return self._settings(content)
        except ConfigError as error:
            return error.problems

    def _is_new(self, seen: str) -> bool:
        """Whether this is something else than what was last acted on, and stands still."""
        stands_still, self._seen = seen == self._seen, seen
        if seen == self._settled or not stands_still:
            return False
        self._settled = seen
        return True

    def _settings(self, content: bytes) -> Settings:
        return parse(content, str(self._path), self._env, self._path.parent, judge=self._judge)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
