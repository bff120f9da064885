"""Who asks for something at the prompt, for the record."""

import getpass


def at_the_prompt() -> str:
    """Who runs the command, as the system knows him."""
    try:
        return f"{getpass.getuser()}, at the prompt"
    except (OSError, KeyError):  # a container may run as a number without a name
        return "somebody at the prompt"
