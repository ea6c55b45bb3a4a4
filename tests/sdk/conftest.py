import pytest

from tests.scenarios.house import House


@pytest.fixture
def house(tmp_path) -> House:
    return House.make(tmp_path)
