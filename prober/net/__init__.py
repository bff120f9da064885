"""Every outbound byte: the guard, the resolver, the bounded transport with its phase timings."""
