"""Lists of domains: what an entry allows, and what none may."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.network import domains, hosts
from harness.network.domains import Domains
from harness.network.hosts import Host, Refused


@pytest.mark.parametrize(
    ("entry", "host", "port", "verdict"),
    [
        ("example.com", "example.com", 443, "allow"),
        ("Example.COM.", "example.com", 80, "allow"),
        ("example.com", "www.example.com", 443, "unlisted"),
        ("*.example.com", "a.b.example.com", 443, "allow"),
        ("*.example.com", "example.com", 443, "unlisted"),
        ("*.example.com", "notexample.com", 443, "unlisted"),
        ("*.example.com", "example.com.evil.example", 443, "unlisted"),
        ("a*c.example.com", "abc.example.com", 443, "allow"),
        ("a*c.example.com", "a.c.example.com", 443, "unlisted"),
        ("example.*", "example.org", 443, "allow"),
        ("example.*", "example.co.uk", 443, "unlisted"),
        ("*", "anything.example", 443, "allow"),
        ("*", "1.1.1.1", 443, "unlisted"),
        ("1.1.1.*", "1.1.1.1", 443, "unlisted"),
        ("1.1.1.1", "1.1.1.1", 443, "allow"),
        ("[2606:4700:4700:0::1111]", "[2606:4700:4700::1111]", 443, "allow"),
        ("example.com", "example.com", 22, "unlisted"),
        ("example.com", "example.com", 8443, "unlisted"),
        ("example.com:22", "example.com", 22, "allow"),
        ("example.com:22", "example.com", 443, "unlisted"),
        ("*.example.com:8443", "a.example.com", 8443, "allow"),
        ("", "example.com", 443, "unlisted"),
        (".", "example.com", 443, "unlisted"),
        ("https://example.com", "example.com", 443, "unlisted"),
        ("e?ample.com", "example.com", 443, "unlisted"),
    ],
)
def test_entries(entry, host, port, verdict):
    assert Domains.parse([entry]).verdict(hosts.parse(host), port) == verdict


def test_denied_wins_on_every_port_and_for_addresses():
    listed = Domains.parse(["*"], ["*.evil.example", "1.1.1.*"])
    assert listed.verdict(Host("a.evil.example"), 443) == "deny"
    assert listed.verdict(Host("a.evil.example"), 22) == "deny"
    assert listed.verdict(Host("1.1.1.1", literal=True), 443) == "deny"
    assert listed.verdict(Host("good.example"), 443) == "allow"


@pytest.mark.parametrize(
    ("entry", "all_"), [("*", True), ("*.*", True), ("*.com", False), ("a.*", False), ("1.1.1.1", False)]
)
def test_lists_that_amount_to_none(entry, all_):
    assert Domains.parse([entry]).everything is all_


def test_denied_entries_that_cannot_be_used_are_no_silence():
    with pytest.raises(Refused):
        Domains.parse([], ["https://evil.example/"])


@given(st.text(alphabet="ab.*", max_size=9), st.text(alphabet="ab.", min_size=1, max_size=9))
def test_matching_agrees_with_regular_expressions(pattern, host):
    import re

    def regex(text):
        return re.escape(text).replace(r"\*", "[^.]*")

    wanted = "[^.]*(\\.[^.]*)*" + regex(pattern[1:]) if pattern.startswith("*.") else regex(pattern)
    expected = pattern == "*" or bool(re.fullmatch(wanted, host))
    assert domains.matches(pattern, host) is expected
