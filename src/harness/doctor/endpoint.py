"""The endpoint as found: what is set, what listens on local ports, the models, the window. No chat request is made."""

import pwd
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass, field, replace
from urllib.parse import urlsplit

from harness import prompt, tools
from harness.doctor import advice
from harness.doctor.check import Check, State, failed
from harness.errors import ProviderError, UsageError
from harness.messages import Text, User
from harness.providers import chosen_model, quirks
from harness.providers.counting import Counter
from harness.providers.discover import FoundServer, find_servers, only_one
from harness.providers.http import client, httpx
from harness.providers.mends import larger_window
from harness.providers.models import list_models
from harness.providers.options import Options, checked_key, normal_base_url, shown_url
from harness.providers.owner import owner_of
from harness.providers.port import Request, Told
from harness.providers.probe import probe
from harness.providers.profile import ASSUMED_WINDOW, Profile

_SMALLEST, _SMALL = 8_192, 16_384  # tokens: below the one the main job does not fit, below the other barely
_SOURCES = {"server": "as the server says", "table": "as the table of models says", "setting": "as you set it"}
_ENOUGH = 20_000  # tokens that a small task comes to


@dataclass(slots=True)
class Endpoint:
    """What the checks find out as they go. `usable`: it makes sense to ask it something."""

    options: Options
    base_url: str = ""
    model: str = ""
    profile: Profile = field(default_factory=Profile)
    usable: bool = False

    @property
    def shown(self) -> str:
        return shown_url(self.base_url)


async def examine(endpoint: Endpoint, origin: str, *, probing: bool) -> AsyncGenerator[Check, None]:
    """Look at it step by step. `origin` says where its base URL was set; `probing`: requests will follow."""
    found = await find_servers()
    for server in found:
        yield _found(server)
    try:
        _choose(endpoint, found)
        asking = _client(endpoint)
    except UsageError as error:
        yield failed("endpoint", error)
        return
    async with asking:
        async for check in _asked(endpoint, asking, origin, probing=probing):
            yield check
    if endpoint.usable:
        for check in _known(endpoint):
            yield check


async def loaded_window(endpoint: Endpoint) -> Check:
    """The window once more, now that the model has answered and so is loaded."""
    async with _client(endpoint) as asking:
        endpoint.profile = await _profile(endpoint, asking)
    return _window(endpoint)


def _client(endpoint: Endpoint) -> httpx.AsyncClient:
    key = checked_key(endpoint.options)
    headers = {**endpoint.options.headers, **({"authorization": f"Bearer {key}"} if key else {})}
    return client(endpoint.base_url, headers, endpoint.options.ca_file, endpoint.options.proxy)


async def _profile(endpoint: Endpoint, asking: httpx.AsyncClient) -> Profile:
    found = await probe(asking, endpoint.base_url, endpoint.model)
    window = endpoint.options.context_window
    return found.with_window(window, "setting") if window else found


def _found(server: FoundServer) -> Check:
    models = f"models: {', '.join(server.models[:5]) or 'none listed'}"
    owners = sorted(map(_user, owner_of(urlsplit(server.base_url).port or 0) or ()))
    whose = f"of {', '.join(owners)}" if owners else "of somebody unknown"
    whose += "" if server.trusted else ": not used unasked"
    data = {**asdict(server), "owners": owners}
    return Check("found", "ok", f"{server.name} at {server.base_url} ({whose}), {models}", data=data)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _choose(endpoint: Endpoint, found: Sequence[FoundServer]) -> None:
    if endpoint.options.base_url:
        endpoint.base_url = normal_base_url(endpoint.options.base_url)
    else:
        endpoint.base_url = only_one(found).base_url
        endpoint.options = replace(endpoint.options, api_key=None)  # a key is for the server that it was set with


async def _asked(
    endpoint: Endpoint, asking: httpx.AsyncClient, origin: str, *, probing: bool
) -> AsyncGenerator[Check, None]:
    served: list[str] = []
    problem: Check | None = None
    try:
        served = await list_models(asking, endpoint.base_url)
    except ProviderError as error:
        problem = _no_list(endpoint, error)
        if problem.state == "fail":
            yield problem
            return
    told: list[Told] = []
    model = chosen_model(endpoint.options, told.append) or (served[0] if len(served) == 1 else "")
    endpoint.model = model
    endpoint.profile = await _profile(endpoint, asking)
    yield _endpoint(endpoint, origin)
    if problem:
        yield problem
    for notice in told:
        yield Check("model", "warn", notice.text, notice.mend)
    check = _model(endpoint, served, probing=probing)
    endpoint.usable = bool(model) and (probing or check.state != "fail")
    yield check


def _no_list(endpoint: Endpoint, error: ProviderError) -> Check:
    """A list of models that cannot be had. Some endpoints have none: that alone stops nothing."""
    name, at = endpoint.options.key_name, endpoint.shown
    if error.kind == "auth":
        mend = f"{name} holds a key that it does not take" if endpoint.options.api_key else f"no {name} is set"
        return Check("key", "fail", f"{error.what} ({at})", f"{mend}: set it to a key for {at}.")
    if error.kind in {"not_found", "bad_request"} and (endpoint.options.model or endpoint.options.default_model):
        mend = f"Check that the base URL {at} is right: most end in /v1."
        return Check("models", "warn", f"{at} has no list of models: {error.what}", mend)
    if error.kind == "not_found":
        return Check("endpoint", "fail", f"{error.what} ({at})", f"Check the base URL {at}: most end in /v1.")
    return failed("endpoint", error)


def _endpoint(endpoint: Endpoint, origin: str) -> Check:
    known = endpoint.profile
    server = " ".join(filter(None, (known.server or "server of an unknown kind", known.version)))
    key = "with a key" if endpoint.options.api_key else "without a key"
    what = f"{endpoint.shown} ({origin}), {server}, {key}"
    return Check("endpoint", "ok", what, data={"base_url": endpoint.shown, "origin": origin, "profile": known.data()})


def _model(endpoint: Endpoint, served: Sequence[str], *, probing: bool) -> Check:
    model, listed = endpoint.model, ", ".join(served[:30])
    if not model and not served:
        return Check("model", "fail", f"{endpoint.shown} has no model loaded.", "Load one, or name one with --model.")
    if not model:
        mend = f"--model {served[0]} or OPENAI_MODEL={served[0]}, for example."
        return Check("model", "fail", f"Several are served and none is chosen: {listed}.", mend)
    if served and not {model, f"{model}:latest"} & set(served):
        loose = probing or endpoint.profile.server == "llama.cpp"  # which answers whatever it is asked for
        what = f"The server does not list {model!r}. It has: {listed}."
        return Check("model", "warn" if loose else "fail", what, "Choose with --model NAME or OPENAI_MODEL.")
    data = {"model": model, "served": list(served)}
    return Check("model", "ok", f"{model}, {len(served)} served" if served else model, data=data)


# What is known without asking the model anything


def _known(endpoint: Endpoint) -> list[Check]:
    checks = [_window(endpoint)]
    known = endpoint.profile
    if known.tools is False:
        what = f"The server says that {endpoint.model} cannot use tools: they are described in the prompt instead."
        checks.append(Check("tools", "warn", what, advice.tool_parser(known.server)))
    file = endpoint.options.learnt_file
    learnt = asdict(quirks.load(file, endpoint.shown, endpoint.model)) if file else {}
    usual = asdict(quirks.Quirks())
    other = {name: value for name, value in learnt.items() if value != usual[name]}
    if other.get("text_tools"):
        checks.append(text_tools(known.server))
    if other:
        shown = ", ".join(f"{name}={value}" for name, value in other.items())
        what = f"{shown} (what this server's refusals taught; remove {file} to forget it)"
        checks.append(Check("learnt", "ok", what, data=other))
    return checks


def text_tools(server: str) -> Check:
    """The server takes no tools."""
    what = "The server takes no tools: text-tool mode is used, where calls are printed as text and read by Harness."
    return Check("tools", "warn", what, advice.tool_parser(server))


def _window(endpoint: Endpoint) -> Check:
    known, first = endpoint.profile, first_request()
    data = {"context_window": known.context_window, "from": known.window_from, "first_request": first}
    size, mend = known.context_window, larger_window(known, endpoint.shown, endpoint.model, _ENOUGH)
    if size is None and not known.loaded:
        what = f"{known.server} has not loaded the model: its window is known after the first answer."
        return Check("window", "warn", what, mend, data)
    if size is None:
        what = f"Unknown: the server does not tell; {ASSUMED_WINDOW:,} tokens are assumed."
        return Check("window", "warn", what, "Set endpoint.contextWindow in your settings.", data)
    trained = f"; the model could hold {known.trained_window:,}" if known.trained_window else ""
    what = f"{size:,} tokens, {_SOURCES.get(known.window_from, known.window_from)}{trained}"
    state: State = "fail" if size < _SMALLEST else "warn" if size < _SMALL else "ok"
    if state == "ok":
        return Check("window", state, what, data=data)
    what = f"Only {what}. A session's first request has {first:,}; what does not fit is refused, or dropped silently."
    return Check("window", state, what, mend, data)


def first_request() -> int:
    """Tokens of a session's first request, roughly: system prompt, tools, and a line from the person."""
    asked = [User((Text("Fix the failing test."),))]
    return Counter().estimate(Request("doctor", prompt.system_prompt(), asked, tools.SPECS))
