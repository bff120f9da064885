"""Who asks for something at the prompt, for the record."""

import getpass

from prober.storage.audit import Author, Via


def at_the_prompt() -> str:
    """Who runs the command, as the system knows them."""
    try:
        return f"{getpass.getuser()}, at the prompt"
    except (OSError, KeyError):  # a container may run as a number without a name
        return "somebody at the prompt"


def author(by: str | None = None) -> Author:
    """The same for the audit log; `by` is whom a command names instead."""
    return Author(name=by or at_the_prompt(), via=Via.COMMAND)
