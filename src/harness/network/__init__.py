"""Which hosts may be reached, the one check for WebFetch and the sandbox's proxy, and that proxy."""
