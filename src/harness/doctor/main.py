"""The command line of the doctor: which checks, in which order, shown how."""

import argparse
import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, replace
from typing import NoReturn

import anyio

from harness import PROTOCOL_LEVEL, __version__, paths, settings
from harness.connection import connection
from harness.doctor import machine
from harness.doctor.check import Check, failed
from harness.doctor.endpoint import Endpoint, examine
from harness.doctor.trials import Trials
from harness.errors import EXIT_ERROR, EXIT_OK, UsageError
from harness.options import SessionOptions
from harness.providers import profile
from harness.providers.chat import ChatProvider
from harness.settings import Settings

_PATIENCE = 120.0  # seconds to the first byte: a model may have to be loaded
_EPILOG = "Exit codes: 0 the main job can run, 1 it could not (a check says fail), 2 usage."


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"harness doctor: {message}.", "Try: harness doctor --probe")


def main(argv: Sequence[str]) -> int:
    """Check everything and print it; returns the exit code.

    Raises:
        UsageError: flags that cannot be used.
    """
    p = _Parser(
        prog="harness doctor",
        description="Check endpoint, sandbox, tools and settings.",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    p.add_argument("--probe", action="store_true", help="ask the model a few tiny things, too: about nine requests")
    p.add_argument("--json", action="store_true", help="one object: ok, version, checks")
    p.add_argument("--model", metavar="ID", help="the model, as the server names it")
    p.add_argument("--endpoint", metavar="NAME", help="one of the endpoints in your settings")
    p.add_argument(
        "--record", metavar="DIR", help="save the requests of --probe and their answers in DIR, without keys"
    )
    given = p.parse_args(argv)
    options = SessionOptions(model=given.model, endpoint=given.endpoint)
    if given.record is not None:
        options = replace(options, record=paths.resolve(given.record, options.cwd))
    return anyio.run(_report, options, given.probe, given.json)


async def _report(options: SessionOptions, probing: bool, as_json: bool) -> int:
    checks = []
    async for check in _checks(options, probing=probing):
        checks.append(check)
        if not as_json:
            _print(check.line())
    ok = all(check.state != "fail" for check in checks)
    if as_json:
        version = f"{PROTOCOL_LEVEL} (harness {__version__})"
        _print(json.dumps({"ok": ok, "version": version, "checks": [asdict(check) for check in checks]}, indent=2))
    return EXIT_OK if ok else EXIT_ERROR


async def _checks(options: SessionOptions, *, probing: bool) -> AsyncGenerator[Check, None]:
    chosen = settings.load(options.cwd.resolve(), options.env, options.settings)
    for check in machine.examine(options, chosen):
        yield check
    try:
        endpoint = Endpoint(connection(options, chosen))
    except UsageError as error:
        yield failed("settings", error)
        return
    async for check in examine(endpoint, _origin(options, chosen), probing=probing):
        yield check
    if not endpoint.usable:
        return
    file, known = endpoint.options.learnt_file, endpoint.profile
    if file and known.window_from == "server":
        profile.save(file, endpoint.shown, endpoint.model, known)
    if not probing:
        return
    # What fails once is said, not tried for minutes; what a refusal teaches is applied and remembered all the same.
    patience = min(endpoint.options.first_byte_timeout, _PATIENCE)
    trying = replace(endpoint.options, max_retries=1, first_byte_timeout=patience)
    provider = ChatProvider(trying, endpoint.base_url, endpoint.model)
    try:
        async for check in Trials(provider, endpoint).run():
            yield check
    finally:
        with anyio.CancelScope(shield=True):
            await provider.aclose()


def _origin(options: SessionOptions, chosen: Settings) -> str:
    """Who set the base URL."""
    if options.endpoint:
        return f"endpoint {options.endpoint}"
    if options.env.get("OPENAI_BASE_URL"):
        return "OPENAI_BASE_URL"
    if chosen.endpoint:
        return f"endpoint {chosen.endpoint}"
    files = [layer.name for layer in chosen.layers if layer.get("endpoint.baseUrl")]
    return files[-1] if files else "found on this machine"


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201
