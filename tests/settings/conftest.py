from pathlib import Path

import pytest

from tests.settings.room import Room


@pytest.fixture
def room(tmp_path: Path) -> Room:
    for name in ("home", "project"):
        (tmp_path / name).mkdir()
    return Room(tmp_path)
