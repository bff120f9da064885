"""Why there is no server."""


class EmbeddedError(Exception):
    """The server cannot run here. The message says why, and the way out."""


class DirectoryUnusable(EmbeddedError):
    """The server may not have the directory that it was given: another one is needed, and waiting does not help."""
