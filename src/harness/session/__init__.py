"""A session: its wiring and its lifetime. Every surface drives this one, and reads the same events."""

from harness.session.opening import open_session
from harness.session.session import Session

__all__ = ["Session", "open_session"]
