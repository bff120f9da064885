"""A file: every notice as one line of versioned JSON, for a log shipper, the demo and tests."""

import asyncio
import os
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field

from prober.incidents.notice import Notice
from prober.notifiers.contract import ChannelSettings, NotifyError, Tools
from prober.notifiers.forms import bounded, versioned
from prober.notifiers.posting import encoded
from prober.settings import from_file


class FileSettings(ChannelSettings):
    """Which file."""

    path: Annotated[Path, AfterValidator(from_file)] = Field(
        description="The file to append to; relative paths begin at the configuration file. Its directory must exist."
    )


class LineFile:
    """Lines of JSON, appended to a file."""

    kind: ClassVar[str] = "file"
    settings: ClassVar[type[ChannelSettings]] = FileSettings

    def __init__(self, settings: FileSettings, tools: Tools) -> None:
        self._path = settings.path
        self._tools = tools

    @classmethod
    def build(cls, settings: FileSettings, tools: Tools) -> Self:
        return cls(settings, tools)

    async def send(self, notice: Notice) -> None:
        line = encoded(versioned(bounded(notice), self._tools.public_url)) + b"\n"
        try:
            await asyncio.get_running_loop().run_in_executor(self._tools.executor, _append, self._path, line)
        except OSError as error:
            raise NotifyError(f"{self._path}: {error.strerror or error}", permanent=False) from None


def _append(path: Path, line: bytes) -> None:
    """Returns once the line is on the disk. A line that a crash cut short before is ended first."""
    with path.open("a+b", buffering=0) as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = b"\n" + line
        if file.write(line) != len(line):
            raise OSError(f"only a part of the line was written: is the disk full? ({path.name})")
        os.fsync(file.fileno())
