"""What a session connects to: flags, environment, settings and named endpoints made one set of options."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.options import SessionOptions
from harness.providers.options import Options
from harness.providers.port import Model
from harness.providers.profile import Price
from harness.settings import Settings

if TYPE_CHECKING:
    from harness.settings.endpoints import Endpoint

_KEY_COMMAND_LIMIT = 30.0  # seconds


def connection(options: SessionOptions, chosen: Settings) -> Options:
    """What these options and settings connect to.

    A named endpoint that was asked for wins over OPENAI_BASE_URL, which wins over what settings choose.

    Raises:
        UsageError: variables, an endpoint or settings that cannot be used.
    """
    env = {**chosen.own_environment, **options.env}
    given = options.base_url or env.get("OPENAI_BASE_URL")
    name = options.endpoint or (None if given else chosen.endpoint)
    effort = options.effort or chosen.effort
    made = Options.from_environment(
        env,
        base_url=given or chosen.base_url,
        model=chosen.of("managed", "model") or options.model,
        default_model=env.get("OPENAI_MODEL") or chosen.model,
        aliases=chosen.aliases,
        ca_file=env.get("HARNESS_CA_FILE") or chosen.ca_file,
        record=options.record,
        apart=options.apart,
        effort="max" if effort == "xhigh" else effort,
        fallback_models=options.fallback_models or chosen.fallback_models,
        context_window=chosen.context_window,
        max_output=chosen.max_output,
        prices={model: Price(**value) for model, value in chosen.prices.items()},
    )
    return _at(_named(name, chosen), made, env, options.cwd) if name and not options.base_url else made


def second(options: SessionOptions, chosen: Settings, model: Model) -> Options:
    """What `auto` mode's classifier connects to: the model it has of its own in settings, else the conversation's.

    Raises:
        UsageError: its endpoint cannot be used.
    """
    own = chosen.auto_mode
    if own.endpoint:
        made = connection(replace(options, endpoint=own.endpoint, base_url=None), chosen)
        made = replace(made, model=own.model, default_model=None)
    else:
        made = connection(options, chosen)
        made = replace(made, model=own.model or model.id)
        made = made if made.base_url else replace(made, base_url=model.endpoint, api_key=None)
    return replace(made, fallback_models=(), record=made.record / "classifier" if made.record else None)


def _named(name: str, chosen: Settings) -> "Endpoint":
    if name in chosen.endpoints:
        return chosen.endpoints[name]
    broken = [problem for problem in chosen.problems if f" endpoints.{name}" in problem]
    known = ", ".join(chosen.endpoints) or "none"
    raise UsageError(
        f"There is no endpoint {name!r} that can be used (known: {known}).",
        " ".join(broken) or f'Add it to your settings: {{"endpoints": {{"{name}": {{"baseUrl": "..."}}}}}}',
    )


def _at(endpoint: "Endpoint", made: Options, env: Mapping[str, str], cwd: Path) -> Options:
    """The same options, for this endpoint. No other server's key, certificates or window go with it."""
    key, where = _key(endpoint, env, cwd)
    return replace(
        made,
        base_url=endpoint.base_url,
        api_key=key,
        key_name=where,
        headers=endpoint.headers,
        ca_file=endpoint.ca_file or env.get("HARNESS_CA_FILE"),
        proxy=endpoint.proxy,
        aliases={**made.aliases, **endpoint.aliases},
        context_window=endpoint.context_window,
        max_output=endpoint.max_output,
    )


def _key(endpoint: "Endpoint", env: Mapping[str, str], cwd: Path) -> tuple[str | None, str]:
    """The key, None where the endpoint needs none, and the name of what a wrong one is to be mended in."""
    if endpoint.api_key_command:
        where = f"endpoints.{endpoint.name}.apiKeyCommand"
        return _printed(endpoint.api_key_command, where, env, cwd), where
    if endpoint.api_key_env:
        key = env.get(endpoint.api_key_env, "").strip()
        if not key:
            raise UsageError(
                f"{endpoint.api_key_env} is not set, and the endpoint {endpoint.name} takes its key from it.",
                f"Set {endpoint.api_key_env}, or change endpoints.{endpoint.name}.apiKeyEnv in your settings.",
            )
        return key, endpoint.api_key_env
    return None, f"endpoints.{endpoint.name}.apiKeyEnv"


def _printed(command: str, where: str, env: Mapping[str, str], cwd: Path) -> str:
    """What the person's own command prints. None of its programs is one that the model can have put on PATH."""
    from harness.sandbox.programs import guarded  # noqa: PLC0415  few have such a command

    env = {**env, "PATH": guarded(env.get("PATH", os.defpath), (cwd.resolve(),))}
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_KEY_COMMAND_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"{where} did not end within {_KEY_COMMAND_LIMIT:g} s.", "Run it yourself to see why."
        ) from None
    key = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode or not key:
        said = done.stderr.decode("utf-8", "replace").strip()[-300:] or "it printed nothing"
        raise UsageError(f"{where} gave no key (exit {done.returncode}): {said}", "Run it yourself to see why.")
    return key
