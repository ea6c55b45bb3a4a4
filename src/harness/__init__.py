"""Harness: an agentic coding harness for any model behind an OpenAI-compatible endpoint."""

__version__ = "0.1.0"
