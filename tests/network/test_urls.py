"""URLs, hosts and addresses: one spelling is taken, everything that could be read in two ways is not."""

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.network import hosts, reach, urls
from harness.network.addresses import refusal
from harness.network.hosts import Host, Refused
from harness.network.urls import Elsewhere, Target

GOOD = [
    ("https://example.com", "https://example.com/"),
    ("HTTPS://Example.COM./a?b=c#d", "https://example.com/a?b=c"),
    ("http://example.com:443/", "http://example.com:443/"),
    ("https://example.com?q=@127.0.0.1", "https://example.com/?q=@127.0.0.1"),
    ("https://example.com/ä/\u3000?ö=[1]", "https://example.com/%C3%A4/%E3%80%80?%C3%B6=[1]"),
    ("https://example.com/a%2Fb/../c", "https://example.com/a%2Fb/../c"),
    ("https://1.1.1.1/", "https://1.1.1.1/"),
    ("https://[2606:4700:4700:0:0:0:0:1111]:8443/x", "https://[2606:4700:4700::1111]:8443/x"),
    ("https://a-b.c1.example/", "https://a-b.c1.example/"),
    ("https://1password.com/", "https://1password.com/"),
    ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
]
BAD = [
    "http://0/",
    "http://1",
    "http://127.1/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://127.0.0.1./",
    "http://8.8.8.8./",
    "http://08.8.8.8/",
    "http://256.1.1.1/",
    "http://1.2.3/",
    "http://0x/",
    "http://a.0x1/",
    "http://a.1/",
    "http://4294967296/",
    "http://10.0.0.1/",
    "http://172.31.255.255/",
    "http://100.64.0.1/",
    "http://198.18.0.1/",
    "http://168.63.129.16/",
    "http://240.0.0.1/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:8.8.8.8]/",
    "http://[::ffff:0:8.8.8.8]/",
    "http://[64:ff9b::8.8.8.8]/",
    "http://[64:ff9b:1::1]/",
    "http://[2002:808:808::1]/",
    "http://[2001::1]/",
    "http://[fec0::1]/",
    "http://[2606:4700::5efe:a00:1]/",
    "http://[2606:4700::200:5efe:7f00:1]/",
    "http://[4000::1]/",
    "http://[100::1]/",
    "http://[3fff::1]/",
    "http://[fe80::1%eth0]/",
    "http://[2606:4700::1%25lo]/",
    "http://[fd00:ec2::254]/",
    "http://[2606:4700::1",
    "http://2606:4700::1/",
    "http://[2606:4700::1]x/",
    "http://[1.1.1.1]/",
    "http://[v1.x]/",
    "http://[]/",
    "http://[2606:4700::1]:/",
    "http://[2606:4700::1]:80:80/",
    "http://localhost/",
    "http://a.localhost./",
    "http://printer/",
    "http://com./",
    "http://host.docker.internal/",
    "http://x.lan/",
    "http://1.0.0.127.in-addr.arpa/",
    "http://x.home.arpa/",
    "http://abc.onion/",
    "http://a..example/",
    "http://.example.com/",
    "http://example.com../",
    "http://-a.example/",
    "http://a-.example/",
    "http://a_b.example/",
    "http://exa%6dple.com/",
    "http://example.com%00.evil.example/",
    "http://xn--.example/",
    "http://xn--a-.example/",
    "http://xn--foo-/",
    "http://xn--99999999999.example/",
    "http://a,b.example/",
    "http://user@example.com/",
    "http://@example.com/",
    "http://:@example.com/",
    "http://example.com:80@127.0.0.1/",
    "http://a%40b@c.example/",
    "http://example.com:/",
    "http://example.com:+80/",
    "http://example.com:080/",
    "http://example.com:8080/",
    "http://example.com:65616/",
    "http://example.com:80:80/",
    "http://example.com:443x/",
    "http://example.com:-1/",
    "http://example.com:8_0/",
    "http://example.com:22",
    "http:example.com",
    "http:/example.com",
    "http:///example.com",
    "http:////example.com",
    "//example.com",
    "example.com",
    "ftp://example.com/",
    "javascript:alert(1)",
    "ws://example.com/",
    "https:\\\\example.com\\",
    "http://example.com\\.evil.example/",
    "http://example.com/a\\b",
    "https://",
    "http://?x",
    "http://#x",
]
ODD = [
    " http://example.com/", "http://example.com/ ", "ht\ntp://example.com/", "http://example.com/a b", "http://exa\u00admple.com/",
    "http://example.com\r\nHost: evil.example/", "http://example\u3002com/", "http://\uff45xample.com/", "http://example.com\u2044@evil/",
    "http://example.com:\uff18\uff10/", "http://example.com\uff0fevil.example/", "http://127\u30020\u30020\u30021/", "http://\u2460.1.1.1/",
    "http://example.com/\x00", "http://e\u200bxample.com/", "http://\ud800.example/", "http://example.com\u3000/", "",
    "http://" + "a." * 200 + "com/", "http://example.com/" + "a" * 2000, "http://" + "a" * 64 + ".com/", "http://\u212a.example/", "http://example.com/\ud800",
]  # fmt: skip


@pytest.mark.parametrize(("url", "sent"), GOOD)
def test_plain_urls_are_taken(url, sent):
    assert urls.parse(url).url == sent
    assert urls.parse(sent).url == sent


@pytest.mark.parametrize("url", [*BAD, *ODD], ids=ascii)
def test_odd_urls_are_refused(url):
    with pytest.raises(Refused) as refused:
        urls.parse(url)
    assert str(refused.value).isprintable()


@given(st.ip_addresses())
@example(ipaddress.ip_address("::ffff:8.8.8.8"))
@example(ipaddress.ip_address("192.0.0.9"))
def test_nothing_that_python_calls_private_passes(address):
    """Our table is written from the registries; Python's is another hand's reading of them."""
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert refusal(str(address))


@given(st.text(max_size=40) | st.text(alphabet="http:/.[]@%\\x07f1a- \t\0?#", max_size=40).map("http://{}".format))
def test_what_is_taken_is_read_the_same_again(text):
    try:
        target = urls.parse(text)
    except Refused:
        return
    assert urls.parse(target.url) == target
    assert hosts.parse(str(target.host)) == target.host
    assert target.url.isascii()
    assert not set(target.url) & set(" \t\r\n\\")


HERE = Target("https", Host("example.com"), 443, "/a/b")


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/x", "/x"),
        ("c", "/a/c"),
        ("?q", "/a/b?q"),
        ("//example.com/y", "/y"),
        ("https://EXAMPLE.com:443/z#f", "/z"),
        ("../..", "/"),
    ],
)
def test_redirects_within_the_host(location, path):
    assert urls.redirected(HERE, location).path == path


def test_redirect_to_https_is_followed_and_back_is_not():
    plain = Target("http", Host("example.com"), 80, "/")
    assert urls.redirected(plain, "https://example.com/").scheme == "https"
    with pytest.raises(Refused, match="from https to http"):
        urls.redirected(HERE, "http://example.com/")


@pytest.mark.parametrize("location", ["https://www.example.com/", "//evil.example", "https://example.com:8443/"])
def test_redirects_elsewhere_are_told(location):
    with pytest.raises(Elsewhere):
        urls.redirected(HERE, location)


@pytest.mark.parametrize(
    "location",
    [
        "/\\evil.example",
        "\t//evil.example",
        "http://[::1",
        "//127.0.0.1/",
        "file:///etc/passwd",
        "https://u@example.com/",
        "//[",
        "https:\x00//x",
    ],
)
def test_redirects_to_what_is_no_public_url(location):
    with pytest.raises(Refused) as refused:
        urls.redirected(HERE, location)
    assert not isinstance(refused.value, Elsewhere)


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([], "cannot be resolved"),
        (["8.8.8.8", "10.0.0.1"], "10.0.0.1"),
        (["fe80::1%2"], "fe80::1%2"),
        (["::ffff:8.8.8.8"], "mapped"),
        (["x"], "not an address"),
    ],
)
async def test_every_answer_must_be_public(answers, why):
    async def resolve(name):
        return answers

    with pytest.raises(Refused, match=why):
        await reach.addresses(Host("example.com"), resolve)


async def test_the_system_resolver():
    assert "127.0.0.1" in await reach.system_resolver("localhost")
    assert await reach.system_resolver("no-such-name.invalid") == ()
    assert await reach.system_resolver("a" * 70 + ".example") == ()
