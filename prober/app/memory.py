"""What a worker does about the garbage collector, which stops all threads while it looks at everything that lives."""

import gc


def settle() -> None:
    """Let no later collection look at what lives now: modules, settings and endpoints, which stay anyway.

    A full collection with a large fleet took longer than the event loop may be held up (`observer.lag`). What is
    replaced later is freed as ever, unless it lies in a circle. Call it when all is ready and no probe runs yet.
    """
    gc.collect()
    gc.freeze()
