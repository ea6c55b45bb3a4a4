"""The door to httpx: what it loads, proxies, certificates."""

import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import ProviderError, UsageError
from harness.providers.http import client, is_loopback
from tests.providers.server import HELLO, ask, provider, serving, text_of


def loaded(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(' '.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_options_and_errors_load_no_httpx():
    assert "httpx" not in loaded("import harness.providers")


def test_httpx_comes_without_its_command_line_and_no_reader_of_answers_before_one_is_there():
    modules = loaded("import harness.providers.chat")
    assert "httpx" in modules
    assert not modules & {"click", "rich", "pydantic", "json_repair", "tiktoken", "harness.providers.decode"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [("http://localhost:1", True), ("http://127.0.0.9", True), ("http://[::1]:5", True), ("http://10.0.0.1", False)],
)
def test_loopback(url: str, expected: bool):
    assert is_loopback(url) is expected


async def test_a_proxy_is_used_for_other_machines(monkeypatch: pytest.MonkeyPatch):
    async with serving(HELLO) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        assert text_of(await ask(provider("http://model.test/v1"))) == "Hello"
    assert proxy.asked[0].path == "http://model.test/v1/chat/completions"


async def test_a_proxy_is_not_used_for_this_machine(monkeypatch: pytest.MonkeyPatch):
    async with serving(HELLO) as server:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        assert text_of(await ask(provider(server.url))) == "Hello"


async def test_no_proxy_is_honoured(monkeypatch: pytest.MonkeyPatch):
    async with serving(HELLO) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "model.invalid")
        with pytest.raises(ProviderError, match="model"):
            await ask(provider("http://model.invalid/v1", max_retries=0))
    assert proxy.asked == []


def test_a_proxy_that_is_no_address_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "gopher://x")
    with pytest.raises(UsageError, match="proxy"):
        client("http://model.test/v1", {}, None)


def test_a_ca_file_that_is_none_is_named(tmp_path: Path):
    nonsense = tmp_path / "ca.pem"
    nonsense.write_text("no certificate")
    for file in (nonsense, tmp_path / "missing.pem"):
        with pytest.raises(UsageError, match="CA file"):
            client("https://x.test/v1", {}, str(file))


async def test_plain_http_makes_no_tls_context(monkeypatch: pytest.MonkeyPatch):
    def never(*_args: object, **_more: object) -> ssl.SSLContext:
        raise AssertionError("a TLS context for plain HTTP")

    monkeypatch.setattr(ssl, "create_default_context", never)
    async with client("http://127.0.0.1:1/v1", {}, None):
        pass


async def test_an_endpoints_own_proxy_is_asked_for_it_on_this_machine_too():
    async with serving(HELLO) as proxy:
        home = f"http://127.0.0.1:{proxy.port}"
        assert text_of(await ask(provider("http://127.0.0.1:9/v1", proxy=home))) == "Hello"
    assert proxy.asked[0].path == "http://127.0.0.1:9/v1/chat/completions"


def test_a_proxy_that_cannot_be_used_is_named():
    with pytest.raises(UsageError, match="The proxy gopher://x of the endpoint"):
        client("http://a/v1", {}, None, "gopher://x")
