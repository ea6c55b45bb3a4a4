"""WebFetch: one page of the web as text, from a public address, without a second model."""

import os
import ssl
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import anyio
from pydantic import Field

from harness import __version__
from harness.effects import Effect, Fetches
from harness.errors import ToolError
from harness.network import urls
from harness.network.fetch import LARGEST, Page, fetch
from harness.network.hosts import Refused
from harness.network.urls import Elsewhere
from harness.network.wire import Wire
from harness.tools.input import ToolInput
from harness.tools.markdown import markdown
from harness.tools.tool import Context, Output, Tool

AGENT = f"harness/{__version__}"
SHOWN = 30_000  # characters that the model reads at once
KEPT = 15 * 60  # seconds for which a page is not asked for again
_MOST = 50  # pages that are kept
_PARSED = 2 << 20  # bytes of HTML that are made text


class WebFetchInput(ToolInput):
    url: str = Field(min_length=1, description="http(s) URL")
    prompt: str | None = Field(default=None, description="Not needed: you get the page itself")


def effects(args: WebFetchInput, cwd: Path) -> Sequence[Effect]:
    try:
        urls.parse(args.url)
    except Refused as refused:
        raise ToolError(f"{args.url[:200]!r} cannot be fetched: {refused}.", "Give a public http(s) URL.") from None
    return (Fetches(args.url),)


async def call(args: WebFetchInput, context: Context) -> AsyncGenerator[Output, None]:
    known = context.pages.get(args.url)
    if known is None or time.monotonic() - known[0] > KEPT:
        try:
            target, page = await fetch(args.url, context.wire or Wire(), _trusted(), AGENT)
        except Elsewhere as elsewhere:
            yield Output.text(f"{args.url} redirects to another host. To follow it, fetch {elsewhere.url}")
            return
        except Refused as refused:
            raise ToolError(f"{args.url} was not fetched: {refused}.", "") from None
        text = await anyio.to_thread.run_sync(_text, page, target.url)
        known = (time.monotonic(), f"{_head(page, target.url, args.url)}{text}", page.status)
        if page.status < 400:
            context.pages[args.url] = known
            while len(context.pages) > _MOST:
                del context.pages[next(iter(context.pages))]
    yield _output(known[1], known[2], args.url, context)


def _head(page: Page, found: str, asked: str) -> str:
    """What is not as one would think: a failure, another place, an end that was cut."""
    said = []
    if page.status != 200:
        said.append(f"HTTP status {page.status}")
    if found.rstrip("/") != asked.rstrip("/"):
        said.append(f"from {found}")
    if page.cut:
        said.append(f"only the first {LARGEST >> 20} MiB")
    elif page.kind in _HTML and len(page.body) > _PARSED:
        said.append(f"only the first {_PARSED >> 20} MiB of the HTML")
    return f"[{'; '.join(said)}]\n" if said else ""


_HTML = frozenset({"text/html", "application/xhtml+xml"})
_TEXT = ("text/", "application/json", "application/xml", "application/javascript", "application/yaml")


def _text(page: Page, url: str) -> str:
    if page.kind in _HTML:
        return markdown(_decoded(page.body[:_PARSED], page.charset), url)
    plain = page.kind.startswith(_TEXT) or page.kind.endswith(("+json", "+xml", "+yaml"))
    if plain or (not page.kind and b"\0" not in page.body[:1000]):
        return _decoded(page.body, page.charset)
    return f"({page.kind or 'unknown content'}, {len(page.body):,} bytes: not text)"


def _decoded(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset or "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _output(text: str, status: int, url: str, context: Context) -> Output:
    data = {"url": url, "code": status, "bytes": len(text.encode("utf-8", "replace")), "result": text[:SHOWN]}
    if len(text) <= SHOWN:
        return Output.text(text.strip() or "(an empty page)", is_error=status >= 400, data=data)
    context.results.mkdir(parents=True, exist_ok=True)
    saved = context.results / f"web-{os.getpid()}-{time.time_ns()}.md"
    saved.write_text(text, "utf-8", "replace")
    cut = text.rfind("\n", SHOWN // 2, SHOWN) + 1 or SHOWN
    more = f"[{len(text) - cut:,} more characters: Read {saved} from offset={text[:cut].count(chr(10)) + 1}]"
    return Output.text(f"{text[:cut].removesuffix(chr(10))}\n{more}", is_error=status >= 400, data=data)


def _trusted() -> ssl.SSLContext:
    """The system's certificates and those that come with httpx; SSL_CERT_FILE and SSL_CERT_DIR replace them."""
    context = ssl.create_default_context()
    if not (os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")):
        import certifi  # noqa: PLC0415  only where they count

        context.load_verify_locations(cafile=certifi.where())
    return context


TOOL = Tool(
    name="WebFetch",
    description="Fetches a web page and returns its text. Follows redirects within its host only.",
    input=WebFetchInput,
    effects=effects,
    call=call,
)
