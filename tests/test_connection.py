"""Which server, which key, which window: flags, environment, settings and named endpoints made one."""

from pathlib import Path
from typing import Any

import pytest

from harness.connection import connection
from harness.errors import UsageError
from harness.options import SessionOptions
from harness.providers.options import Options
from harness.providers.profile import Price
from harness.settings import Settings
from harness.settings.endpoints import Endpoint

ENV = {"OPENAI_BASE_URL": "http://env/v1", "OPENAI_API_KEY": "sk-env", "PATH": "/usr/bin:/bin"}
WORK = Endpoint(name="work", base_url="http://work/v1", api_key_env="WORK_KEY", aliases={"big": "org/big"})


def connects(*endpoints: Endpoint, env: dict[str, str] = ENV, name: str | None = None, **more: Any) -> Options:
    options = SessionOptions(cwd=Path("/"), env=env, endpoint=name)
    return connection(options, Settings(endpoints={one.name: one for one in endpoints}, **more))


def test_an_endpoint_that_is_asked_for_wins_and_brings_its_own_key():
    made = connects(WORK, env={**ENV, "WORK_KEY": " sk-work\n"}, name="work")
    assert (made.base_url, made.api_key, made.key_name) == ("http://work/v1", "sk-work", "WORK_KEY")
    assert made.aliases == {"big": "org/big"}


def test_the_environment_wins_over_the_endpoint_of_the_settings():
    assert connects(WORK, endpoint="work").base_url == "http://env/v1"
    made = connects(WORK, env={"WORK_KEY": "k"}, endpoint="work", base_url="http://settings/v1")
    assert made.base_url == "http://work/v1"


def test_no_key_goes_to_a_server_that_it_was_not_set_with():
    made = connects(Endpoint(name="home", base_url="http://home/v1"), name="home", context_window=5)
    assert (made.api_key, made.context_window) == (None, None)


def test_a_command_gives_the_key():
    made = connects(Endpoint(name="x", base_url="u", api_key_command="echo sk-$((40+2))"), name="x")
    assert (made.api_key, made.key_name) == ("sk-42", "endpoints.x.apiKeyCommand")


def test_the_command_for_the_key_runs_no_program_of_the_project(tmp_path):
    planted = tmp_path / ".venv/bin/pass"
    planted.parent.mkdir(parents=True)
    planted.write_text("#!/bin/sh\necho stolen\n")
    planted.chmod(0o755)
    own = tmp_path.parent / f"{tmp_path.name}-bin"
    own.mkdir()
    (own / "pass").write_text("#!/bin/sh\necho sk-mine\n")
    (own / "pass").chmod(0o755)
    options = SessionOptions(cwd=tmp_path, env={"PATH": f"{planted.parent}:{own}:/usr/bin:/bin"}, endpoint="x")
    endpoint = Endpoint(name="x", base_url="u", api_key_command="pass show key")
    assert connection(options, Settings(endpoints={"x": endpoint})).api_key == "sk-mine"


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        (WORK, "WORK_KEY is not set"),
        (Endpoint(name="work", base_url="u", api_key_command="echo locked >&2; exit 3"), r"\(exit 3\): locked"),
        (Endpoint(name="work", base_url="u", api_key_command="true"), "printed nothing"),
        (Endpoint(name="other", base_url="u"), r"no endpoint 'work' .*known: other"),
    ],
)
def test_what_cannot_be_used_is_said_with_its_mend(endpoint: Endpoint, said: str):
    with pytest.raises(UsageError, match=said) as caught:
        connects(endpoint, name="work")
    assert caught.value.mend


def test_effort_fallbacks_prices_and_window_come_from_settings_where_no_flag_says_otherwise():
    settings = Settings(effort="low", fallback_models=("b",), prices={"m": {"input": 1, "output": 2}}, max_output=9)
    made = connection(SessionOptions(cwd=Path("/"), env={}), settings)
    assert (made.effort, made.fallback_models, made.prices, made.max_output) == ("low", ("b",), {"m": Price(1, 2)}, 9)
    flags = SessionOptions(cwd=Path("/"), env={}, effort="xhigh", fallback_models=("c",))
    assert (connection(flags, settings).effort, connection(flags, settings).fallback_models) == ("max", ("c",))
