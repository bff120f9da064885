"""Files that a command writes: whole or not at all, and refused before the work where they cannot be."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from prober.cli.errors import CommandError, ExitCode


def refuse_unwritable(option: str, path: Path) -> None:
    """Raise CommandError where it is plain already that `path` cannot be written. Directories that are missing are made
    with it."""
    try:
        place = next(each for each in (path, *path.absolute().parents) if each.exists())
        fits = not path.is_dir() and (place == path or place.is_dir()) and os.access(place, os.W_OK)
    except OSError:
        fits = False
    if not fits:
        raise CommandError(f"{option}: {path} cannot be written", "name another file")


def write(path: Path, content: bytes) -> None:
    """Put `content` in the place of the file. Raises CommandError."""
    draft = path.with_name(f".{path.name[:100]}.{os.getpid()}")
    try:
        if path.exists() and not path.is_file():  # such as /dev/stderr, which must not be replaced
            path.write_bytes(content)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_bytes(content)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}"
        raise CommandError(message, "name another file", code=ExitCode.UNOBSERVED) from None


def append(path: Path, content: str) -> None:
    """Add to the end of the file. Raises CommandError."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(content)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}"
        raise CommandError(message, code=ExitCode.UNOBSERVED) from None


def attempt(steps: Iterable[Callable[[], None]]) -> None:
    """Do each of them, also after one that could not be done. Raises the first CommandError when all were tried, with
    what the others had to say."""
    failed: list[CommandError] = []
    for step in steps:
        try:
            step()
        except CommandError as error:
            failed.append(error)
    if failed:
        first, *others = failed
        also = [line for each in others for line in (each.message, *each.details)]
        raise CommandError(first.message, first.hint, details=[*first.details, *also], code=first.code)
