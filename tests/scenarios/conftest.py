from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.scenarios.house import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.make(tmp_path)


@pytest.fixture
def open_house() -> Iterator[House]:
    """One outside the temporary directories, which are private to each command and would hide it by themselves."""
    with TemporaryDirectory(dir=Path(__file__).parents[2], prefix=".house-") as base:
        yield House.make(Path(base))
