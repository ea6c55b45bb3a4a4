"""Open a session: settings, a provider, and the end of everything that was started."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import anyio

from harness import settings
from harness.confine import require_sandbox
from harness.connection import connection, second
from harness.mux import aside
from harness.options import SessionOptions
from harness.providers import connect
from harness.providers.port import Model, Provider, Told
from harness.session.origin import origin, tidied
from harness.session.session import Session
from harness.settings import Settings


@asynccontextmanager
async def open_session(options: SessionOptions, provider: Provider | None = None) -> AsyncIterator[Session]:
    """A session, and the end of everything it started. `provider`: another than the one that is configured.

    Raises:
        HarnessError: settings, flags or environment that cannot be used, or no endpoint to talk to.
    """
    chosen = settings.load(options.cwd.resolve(), options.env, options.settings)
    require_sandbox(options, chosen)
    told: list[Told] = []
    begun, session = origin(options, chosen), None
    options = begun.options
    connect_classifier: Callable[[], Awaitable[Provider]] | None = None
    try:
        async with anyio.create_task_group() as tasks:
            if provider is None:
                provider = await connect(begun.wished(connection(options, chosen)), told.append, partial(aside, tasks))
                connect_classifier = partial(_judge, options, chosen, provider.model)
            session = Session(options, chosen, provider, tasks, begun)
            session.connect_classifier = connect_classifier
            session.models.connect = partial(_model, options, chosen, session)
            for notice in told:
                session.tell(notice)
            aside(tasks, partial(tidied, options, chosen))
            try:
                yield session
            finally:
                with anyio.CancelScope(shield=True):
                    await session.end()
                session.close()
                if session.checkpoints:
                    session.checkpoints.close()
                tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # What the surface itself raised comes out wrapped by the task group; the pumps' own errors never do.
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from None
    finally:
        begun.close()
        with anyio.CancelScope(shield=True):
            if session:
                await session.models.aclose()
            elif provider:
                await provider.aclose()


async def _model(options: SessionOptions, chosen: Settings, session: Session, model: str | None) -> Provider:
    """Another model; None: the one that the session began with. Raises HarnessError."""
    options = options if model is None else replace(options, model=model)
    return await connect(connection(options, chosen), session.tell, partial(aside, session.tasks))


async def _judge(options: SessionOptions, chosen: Settings, model: Model) -> Provider:
    """The classifier's own way to a model: it must not mix its requests into what is known of the conversation."""
    return await connect(second(options, chosen, model), lambda _told: None)
