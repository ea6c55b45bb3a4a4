"""Commands beside sessions: one module for each `harness COMMAND` that looks at settings or changes them."""
