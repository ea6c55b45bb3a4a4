import pytest

from tests.sandbox.room import Room


@pytest.fixture
def room(tmp_path, monkeypatch) -> Room:
    """A project, a home and a state directory of the test's own."""
    monkeypatch.setenv("HARNESS_CONFIG_DIR", str(tmp_path / "state"))
    return Room.make(tmp_path)
