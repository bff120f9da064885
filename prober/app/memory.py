"""What a worker does about its memory: what is looked at again and again, and what it holds without need."""

import ctypes
import gc
from typing import Final

GIVES_BACK_EVERY_S: Final = 60.0


def settle() -> None:
    """Let no later collection look at what lives now: modules, settings and endpoints, which stay anyway.

    The garbage collector stops all threads while it looks at everything that lives. A full collection with a large
    fleet took longer than the event loop may be held up (`observer.lag`). What is replaced later is freed as ever,
    unless it lies in a circle. Call it when all is ready and no probe runs yet.
    """
    gc.collect()
    gc.freeze()


def give_back() -> None:
    """Let the system have the memory that is free, for whoever needs it next. Blocking, and not only its own
    thread: others that want memory of glibc wait as well, some 20 ms for 30 MiB that are free in small pieces.

    glibc keeps what a busy minute has needed, in every thread that needed it, as long as anything above it is in use
    (malloc_trim(3)): after each stretch without a database a worker held some MiB more. Other C libraries return it by
    themselves, or have no such function.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(ctypes.c_size_t(0))
