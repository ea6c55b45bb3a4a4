"""`--record`: what was asked and answered is on disk, byte for byte but for keys; nothing of it is fatal."""

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.commands.wire import decoded
from harness.errors import ProviderError, UsageError
from harness.providers.calls import Offered
from harness.providers.capture import parse_capture
from harness.providers.port import MessageEnd, Told
from harness.providers.record import REMOVED, Recorder, _Scrub
from tests.providers.server import HELLO, answer, ask, error, provider, raw, serving, stream

KEY = "sk-1234567890"


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


async def test_request_and_answer_are_kept_and_can_be_decoded(tmp_path: Path):
    kept = tmp_path / "new" / "dir"
    async with serving(stream({"content": "Hello"}, {"content": " you"})) as server:
        await ask(provider(server.url, record=kept, api_key=KEY, headers={"x-team": "blue", "x-api-key": "v" * 9}))
    assert files(kept) == ["0001.request.json", "0001.response.raw"]
    request = json.loads((kept / "0001.request.json").read_bytes())
    assert request["body"] == server.asked[0].json
    assert request["url"] == f"{server.url}/chat/completions"
    hidden = REMOVED.decode()
    assert [request["headers"][name] for name in ("authorization", "x-api-key", "x-team")] == [hidden, hidden, "blue"]
    made = decoded(parse_capture((kept / "0001.response.raw").read_bytes()), Offered({}))
    assert (made["text"], made["http"]["status"]) == ("Hello you", 200)
    assert made["http"]["headers"]["content-type"] == "text/event-stream"
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept.iterdir()} == {0o600}
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700


async def test_a_refusal_is_kept_and_numbers_go_on(tmp_path: Path):
    (tmp_path / "0041.request.json").write_text("{}")
    async with serving(error(500, "Boom."), HELLO) as server:
        await ask(provider(server.url, record=tmp_path))
    assert files(tmp_path)[1:] == [f"00{n}.{kind}" for n in (42, 43) for kind in ("request.json", "response.raw")]
    made = decoded(parse_capture((tmp_path / "0042.response.raw").read_bytes()), Offered({}))
    assert (made["error"]["kind"], made["error"]["status"]) == ("overloaded", 500)


async def test_a_key_is_nowhere_even_if_the_server_says_it(tmp_path: Path):
    said = answer(json.dumps({"error": {"message": f"Wrong key {KEY}."}}), 401, set_cookie="session=abc")
    async with serving(said) as server:
        with pytest.raises(ProviderError):
            await ask(provider(server.url.replace("//", "//user:hush@"), record=tmp_path, api_key=KEY))
    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(secret in everything for secret in (KEY.encode(), b"hush", b"session=abc"))
    assert b"Wrong key (removed)." in everything


async def test_what_came_before_a_break_is_kept(tmp_path: Path):
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 999\r\n\r\n"
    async with serving(raw(head + b'data: {"choices": [{"delta": {"content": "Hal'), HELLO) as server:
        await ask(provider(server.url, record=tmp_path))
    assert (tmp_path / "0001.response.raw").read_bytes().endswith(b'"Hal')


async def test_a_recording_that_fails_is_told_once_and_the_answer_comes(tmp_path: Path, monkeypatch):
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr(Recorder, "_open", lambda *_: os.dup(full))
    async with serving(HELLO) as server:
        events = await ask(provider(server.url, record=tmp_path))
    os.close(full)
    (told,) = [event for event in events if isinstance(event, Told)]
    assert (told.cause, told.level, "No space left" in told.text, bool(told.mend)) == ("record", "warning", True, True)
    assert isinstance(events[-1], MessageEnd)


async def test_a_directory_that_goes_away_is_told(tmp_path: Path):
    async with serving(HELLO) as server:
        asked = provider(server.url, record=tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        events = await ask(asked)
    assert [event.cause for event in events if isinstance(event, Told)] == ["record"]


def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="--record"):
        Recorder(tmp_path / "file", "http://x/v1", {}, None)


def test_nothing_is_loaded_or_made_where_nothing_is_recorded():
    assert provider("http://127.0.0.1:1/v1")._attempt._recorder is None


@given(st.lists(st.sampled_from([b"sk-sk-x", b"sk-", b"s", b"sk-sk-xy", b"k-x", b"hello ", b"a"]), max_size=30))
def test_a_secret_is_found_however_it_is_split(pieces):
    secrets = [b"sk-sk-x", b"hello"]
    scrub = _Scrub(secrets)
    out = b"".join(map(scrub.feed, pieces)) + scrub.rest()
    assert not any(secret in out for secret in secrets)
    assert out == scrub.whole(b"".join(pieces))
