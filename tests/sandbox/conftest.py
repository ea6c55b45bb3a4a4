import inspect

import pytest

from tests.sandbox.room import Room

BOTH = {
    "test_shell",
    "test_contained",
    "test_protect",
    "test_watch",
}  # their commands run in a new sandbox, and in one made ready


def pytest_generate_tests(metafunc):
    if "room" in metafunc.fixturenames and metafunc.module.__name__.rpartition(".")[2] in BOTH:
        commands = inspect.iscoroutinefunction(metafunc.function)
        metafunc.parametrize("room", ["cold", "ready"] if commands else ["cold"], indirect=True)


@pytest.fixture
def room(request, tmp_path, monkeypatch) -> Room:
    """A project, a home and a state directory of the test's own."""
    monkeypatch.setenv("HARNESS_CONFIG_DIR", str(tmp_path / "state"))
    return Room.make(tmp_path, ahead=getattr(request, "param", "cold") == "ready")
