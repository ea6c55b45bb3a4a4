"""Harness: an agentic coding harness for any model behind an OpenAI-compatible endpoint."""

__version__ = "0.1.0"

# The level of the shared protocol that SDKs and scripts check; `--version` prints it first (`decisions.md` 18).
PROTOCOL_LEVEL = "2.1.248"
