"""What holds for all tests."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No time limit for a single example: a busy machine is no reason to fail. Results are told by what is asserted.
settings.register_profile("harness", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("harness")

# Whole programs that talk to programs: each test starts several. They have a step of their own in CI, so that
# `make test` stays short.
SURFACES = frozenset({"agents", "api", "mcp", "sdk"})
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        place = item.path.relative_to(HERE).parts if item.path.is_relative_to(HERE) else ()
        if place and place[0] in SURFACES:
            item.add_marker("suite")
