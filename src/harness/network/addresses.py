"""Which addresses are somebody else's public ones: everything that routes to this machine or its site is not.

Sources: the IANA special-purpose registries for IPv4 and IPv6, and the metadata addresses of cloud providers.
"""

import ipaddress
from collections.abc import Iterable

_TABLE = """
0.0.0.0/8         an unspecified address
10.0.0.0/8        a private address
100.64.0.0/10     a private address (carrier or cloud)
127.0.0.0/8       this machine
168.63.129.16/32  a cloud's own service
169.254.0.0/16    a link-local address (cloud metadata)
172.16.0.0/12     a private address
192.0.0.0/24      a reserved address
192.0.2.0/24      an example address
192.31.196.0/24   a reserved address
192.52.193.0/24   a reserved address
192.88.99.0/24    a reserved address
192.168.0.0/16    a private address
192.175.48.0/24   a reserved address
198.18.0.0/15     a test address
198.51.100.0/24   an example address
203.0.113.0/24    an example address
224.0.0.0/4       a multicast address
240.0.0.0/4       a reserved address
2001::/23         a reserved or tunnel address
2001:db8::/32     an example address
2002::/16         a tunnel address (6to4)
2620:4f:8000::/48 a reserved address
3fff::/20         an example address
"""
_UNICAST = ipaddress.IPv6Network("2000::/3")  # all public IPv6 lies here; loopback, mapped, NAT64, local do not
_RANGES = [
    (ipaddress.ip_network(network), why)
    for network, why in (line.split(None, 1) for line in _TABLE.strip().splitlines())
]
_ISATAP = (0x00005EFE, 0x02005EFE)  # then an IPv4 address: the last 64 bits of a tunnel's end


def refusal(text: str) -> str:
    """What an address is that must not be contacted, as in "it is ..."; '' for a public one."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "not an address"
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id:
            return "an address with a zone"
        if address not in _UNICAST:
            return "a local, mapped or reserved IPv6 address"
        if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
            return "a tunnel address (ISATAP)"
    return next((why for network, why in _RANGES if address in network), "")


def refusals(answers: Iterable[str]) -> list[tuple[str, str]]:
    """The (address, what it is) of a resolver's answers that are not public."""
    return [(answer, why) for answer in answers if (why := refusal(answer))]
