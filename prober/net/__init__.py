"""Every outbound byte: the guard, the resolver, the bounded transport with its phase timings."""

import sys

# httpx brings a command of its own, for which it imports click, rich and Pygments wherever these are installed
# (httpx/__init__.py falls back to a stub without them). A pipeline would wait for all three at every check.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # a module that is not to be had
