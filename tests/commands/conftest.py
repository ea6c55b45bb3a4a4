"""A home and a project, and a process that stands in the project."""

import pytest

from tests.settings.room import Room


@pytest.fixture
def room(tmp_path, monkeypatch):
    for name in ("home", "project"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("HARNESS_CONFIG_DIR", "CLAUDE_CONFIG_DIR", "CLAUDE_CODE_ENTRYPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path / "project")
    return Room(tmp_path)
