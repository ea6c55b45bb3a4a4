"""Attacks and ordinary work, run against any wrapper command: `python -m tests.escapes --help`."""
