"""What holds for all tests."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No time limit for a single example: a busy machine is no reason to fail. Results are told by what is asserted.
settings.register_profile("harness", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("harness")

# Whole programs that talk to programs: each test starts several. They have a step of their own in CI, so that
# `make test` stays short.
_SESSIONS = """
    auto_mode background brought_back faults leaving leaving_out levels network resume rewind sixty_actions
"""
SURFACES = (
    "agents/",
    "api/",
    "hooks/",
    "mcp/",
    "sdk/",
    "recordings/test_other",
    "test_demo",
    *(f"scenarios/test_{name}.py" for name in _SESSIONS.split()),
)
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE) and item.path.relative_to(HERE).as_posix().startswith(SURFACES):
            item.add_marker("suite")
