"""Hosts that a session's commands want to reach: listed, asked about, denied and told."""

import json

import pytest

from harness.asks import Answer
from harness.confine import Confinement
from harness.events import PermissionRequest, Result, UserMessage
from harness.options import SessionOptions
from harness.scripted.script import steps
from harness.scripted.server import running
from harness.session import open_session
from harness.settings import Asked, Settings
from tests.scenarios.house import BYPASS, House, bash

CURL = "curl -sS -m 20 https://one.example/ https://two.example:8443/"
UNRESOLVED = "the name one.example cannot be resolved"
SAID = (
    "blocked: connection to one.example; allow with --allow-domain one.example or the rule WebFetch(domain:one.example)\n"
    "blocked: connection to two.example:8443; allow with --allow-domain two.example:8443"
)


def script(*calls):
    return [*({"calls": [call]} for call in calls), {"text": "Done."}]


def denied(result):
    return [(each["tool_name"], each["tool_input"]) for each in result["permission_denials"]]


def test_headless_denies_tells_the_model_and_lists_it(house: House):
    done = house.acts(
        bash(CURL),
        flags=(
            *BYPASS,
            "--network",
            "proxy",
        ),
    )
    assert SAID in done.results[0]
    assert denied(done.result) == [
        ("SandboxNetworkAccess", {"host": "one.example", "port": 443}),
        ("SandboxNetworkAccess", {"host": "two.example", "port": 8443}),
    ]


def test_what_lists_and_what_denies_a_host(house: House):
    house.settings(
        sandbox={"network": {"allowedDomains": ["setting.example"], "deniedDomains": ["b.wild.example"]}},
        permissions={"allow": ["WebFetch(domain:rule.example)"], "deny": ["WebFetch(domain:c.wild.example)"]},
    )
    hosts = ("a.wild", "setting", "rule", "b.wild", "c.wild")
    call = bash("; ".join(f"curl -sS -m 20 http://{host}.example/" for host in hosts))
    done = house.acts(call, flags=(*BYPASS, "--allow-domain", "*.wild.example"))
    for host in hosts[:3]:  # admitted, and then looked up
        assert f"{host}.example cannot be resolved" in done.results[0]
    for host in hosts[3:]:
        assert f"blocked: connection to {host}.example; a rule or setting denies it" in done.results[0]
    assert denied(done.result) == []


def test_without_it_there_is_no_network_and_no_proxy(house: House):
    done = house.acts(bash("env | grep -ci proxy; curl -sS https://one.example/"), flags=(*BYPASS,))
    assert done.results[0].startswith("0\n")
    assert "--allow-domain" in done.results[0]


@pytest.mark.parametrize(
    "words",
    [("--allow-domain", "https://x/"), ("--allow-domain", ""), ("--allow-domain", "a.example", "--network", "host")],
)
def test_flags_that_cannot_be_used(house: House, words):
    done = house.run(*words, "-p", "go", url="http://127.0.0.1:9/v1")
    assert (done.code, done.out) == (2, "")
    assert "--allow-domain" in done.err


@pytest.mark.parametrize(
    ("asked", "amounts_to"),
    [({"allow_domains": ("*.example",)}, "proxy"), ({"allow_domains": ("a.example", "*")}, "host"), ({}, "none")],
)
def test_a_list_that_names_every_host_is_as_good_as_the_hosts_network(house: House, asked, amounts_to):
    """What acceptEdits runs unasked hangs on it (ADR 11)."""
    options = SessionOptions(cwd=house.project, env=house.env(), **asked)
    assert Confinement(options, Settings(), house.project, house.base).granted().network == amounts_to


async def talk(house: House, answer: Answer, *commands: str, **options):
    """A session with a person who allows commands and answers the questions about hosts so."""
    questions, results = [], []
    with running(steps(*script(*map(bash, commands)))) as server:
        opening = SessionOptions(
            cwd=house.project, env=house.env(server.url), interactive=True, network="proxy", mode="acceptEdits",
            settings=Asked(managed=()), **options,
        )  # fmt: skip
        async with open_session(opening) as session:
            async for event in session.prompt("go"):
                match event:
                    case PermissionRequest():
                        questions.append(event)
                        assert session.answer(event.id, answer)
                    case UserMessage(source="tool"):
                        results.append(event.message.text)
                    case Result():
                        return questions, results, event
    raise AssertionError("no result")


ONE = "curl -sS -m 20 https://one.example/"


async def test_a_person_is_asked_once_and_the_answer_holds(house: House):
    questions, results, result = await talk(house, Answer("allow"), ONE, ONE)
    (question,) = questions
    assert question.call.name == "SandboxNetworkAccess"
    assert json.loads(question.call.arguments) == {"host": "one.example", "port": 443}
    assert question.suggestions == ("WebFetch(domain:one.example)",)
    assert "one.example" in question.reason
    assert all(UNRESOLVED in text for text in results)
    assert result.permission_denials == ()


async def test_a_refusal_holds_too_and_is_listed(house: House):
    questions, results, result = await talk(house, Answer("deny", stop=True), ONE, ONE)
    assert len(questions) == 1
    assert all("the user refused it" in text for text in results)
    assert [denial.tool_name for denial in result.permission_denials] == ["SandboxNetworkAccess"] * 2


async def test_an_answer_with_its_rule_opens_the_host_for_good(house: House):
    questions, results, _ = await talk(
        house, Answer("allow", rules=("WebFetch(domain:*.example)",)), ONE, "curl -sS -m 20 http://two.example/"
    )
    assert len(questions) == 1
    assert "two.example cannot be resolved" in results[1]


async def test_a_strict_list_asks_nobody(house: House):
    house.settings(sandbox={"network": {"strictAllowlist": True}})
    questions, results, _ = await talk(house, Answer("allow"), ONE)
    assert questions == []
    assert "allow with --allow-domain one.example" in results[0]
