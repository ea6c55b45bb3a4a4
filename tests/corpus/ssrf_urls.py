"""Run a file of network decisions: `python tests/corpus/ssrf_urls.py FILE.jsonl`.

A line holds `id, url, expect (allow|deny), dns {name: [answers]}, redirects_to, allowed_domains, why`. `dns` may
hold lists of answers, one for each time the name is asked for. `proxy://CONNECT HOST:PORT` is the sandbox's proxy.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

sys.path.insert(0, str(Path(__file__).parents[2]))

from harness.network import reach, urls
from harness.network.domains import Domains
from harness.network.hosts import Refused, parse_authority
from harness.network.urls import Target
from tests.corpus.decisions import Case, run


@dataclass
class Stub:
    """A resolver of the case's answers, and a server that redirects as it says; notes where it was connected to."""

    dns: Mapping[str, Any]
    redirects: Mapping[str, str]
    asked: int = 0

    async def resolve(self, name: str) -> Sequence[str]:
        self.asked += 1
        answers = self.dns.get(name, [])
        if answers and isinstance(answers[0], list):
            answers = answers[min(self.asked, len(answers)) - 1]
        return [answers] if isinstance(answers, str) else list(answers)

    async def request(self, target: Target, addresses: tuple[str, ...]) -> "Answer":
        return Answer(302 if target.url in self.redirects else 200, self.redirects.get(target.url, ""))


@dataclass(frozen=True)
class Answer:
    status: int
    location: str


async def decide(case: Mapping[str, Any]) -> tuple[str, str]:
    """('allow' or 'deny', why). A name that answers differently later is fetched as often as it has answers."""
    stub = Stub(case["dns"], _redirects(case))
    rounds = max([1, *(len(found) for found in case["dns"].values() if found and isinstance(found[0], list))])
    try:
        for _ in range(rounds):
            if case["url"].startswith("proxy://"):
                await _through_proxy(case, stub)
            else:
                await _fetched(case, stub)
    except Refused as refused:
        return "deny", str(refused)
    return "allow", ""


async def _through_proxy(case: Mapping[str, Any], stub: Stub) -> None:
    method, _, rest = case["url"].removeprefix("proxy://").partition(" ")
    if method == "CONNECT":
        host, port = parse_authority(rest)
    else:
        target = urls.parse(rest)
        host, port = target.host, target.port
    if port is None or Domains.parse(case["allowed_domains"]).verdict(host, port) != "allow":
        raise Refused(f"{host}:{port} is not in the list")
    await reach.addresses(host, stub.resolve)


async def _fetched(case: Mapping[str, Any], stub: Stub) -> None:
    await reach.follow(case["url"], stub.resolve, stub.request)
    target = urls.parse(case["url"])
    if case["allowed_domains"]:
        listed = Domains.parse(case["allowed_domains"])
        if listed.verdict(target.host, urls.DEFAULT_PORTS[target.scheme]) != "allow":
            raise Refused(f"{target.host} is not in the list")


def _redirects(case: Mapping[str, Any]) -> dict[str, str]:
    there = case["redirects_to"]
    hops = [there] if isinstance(there, str) else list(there or ())
    try:
        here = urls.parse(case["url"]).url
    except Refused:
        return {}
    return dict(zip([here, *hops], hops, strict=False))


def check(case: Mapping[str, Any]) -> list[Case]:
    got, reason = anyio.run(decide, case)
    return [Case(case["id"], got, {case["expect"]}, reason, case["why"])]


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], check))
