"""A URL, read once, by one parser that refuses what parsers disagree on; what is sent is made from its parts."""

import re
from collections.abc import Container
from dataclasses import dataclass
from urllib.parse import quote, urljoin

from harness.network import hosts
from harness.network.hosts import Host, Refused

LONGEST = 2000
DEFAULT_PORTS = {"http": 80, "https": 443}
WEB_PORTS = frozenset({80, 443, 8443})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
# What some parsers strip or turn into another (controls, blanks), the backslash that some read as a slash, and
# halves of characters.
_FOREIGN = re.compile(r"[\x00-\x20\x7f-\xa0\\\ud800-\udfff]")
_AUTHORITY_END = re.compile(r"[/?#]")
_SENT = "/?%:@!$&'()*+,;=-._~[]|^"  # left as they are; everything else is percent-encoded


class Elsewhere(Refused):
    """A redirect to another origin: not followed, but told."""

    def __init__(self, url: str) -> None:
        super().__init__(f"it redirects to another host: {url}")
        self.url = url


@dataclass(frozen=True, slots=True)
class Target:
    """`path` is what a request line takes: path and query, percent-encoded, without the fragment."""

    scheme: str
    host: Host
    port: int
    path: str

    @property
    def authority(self) -> str:
        """As the Host header has it: without the scheme's own port."""
        return str(self.host) if self.port == DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse(url: str, *, ports: Container[int] = WEB_PORTS, longest: int = LONGEST) -> Target:
    """Read an absolute http(s) URL. Raises Refused; names are not looked up here."""
    if len(url) > longest:
        raise Refused(f"it is longer than {longest} characters")
    if found := _FOREIGN.search(url):
        raise Refused(f"it holds {found[0]!r}, which a URL cannot have")
    scheme = _SCHEME.match(url)
    if not scheme or scheme[1].lower() not in DEFAULT_PORTS:
        raise Refused("it must begin with https:// or http://")
    name, rest = scheme[1].lower(), url[scheme.end() :]
    if not rest.startswith("//"):
        raise Refused(f"it must begin with {name}://")
    end = _AUTHORITY_END.search(rest, 2)
    cut = end.start() if end else len(rest)
    host, port = hosts.parse_authority(rest[2:cut])
    port = port or DEFAULT_PORTS[name]
    if port not in ports:
        raise Refused(f"port {port} is not one of {', '.join(map(str, sorted(WEB_PORTS)))}")
    path = rest[cut:].partition("#")[0]
    return Target(name, host, port, quote(path if path.startswith("/") else f"/{path}", safe=_SENT))


def redirected(here: Target, location: str) -> Target:
    """Where a redirect leads.

    Raises:
        Elsewhere: to another host or port, which a person may want to allow.
        Refused: to what could not be asked for either, or from https to http.
    """
    if found := _FOREIGN.search(location):  # before urljoin, which drops some of them
        raise Refused(f"it redirects to an address that holds {found[0]!r}")
    try:
        there = parse(urljoin(here.url, location))
    except Refused as refused:
        raise Refused(f"it redirects to {location[:200]!r}: {refused}") from None
    except ValueError:
        raise Refused(f"it redirects to {location[:200]!r}, which is no URL") from None
    if (here.scheme, there.scheme) == ("https", "http"):
        raise Refused("it redirects from https to http")
    default = all(each.port == DEFAULT_PORTS[each.scheme] for each in (here, there))
    if there.host != here.host or not (default or there.port == here.port):
        raise Elsewhere(there.url)
    return there
