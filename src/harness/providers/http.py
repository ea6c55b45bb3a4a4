"""The one door to httpx: imported without its own command line, a TLS context only where TLS is spoken."""

import importlib
import os
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from harness.errors import UsageError
from harness.providers.frames import MergingBackend
from harness.providers.options import shown_url

# httpx's command line imports click, rich and pygments where they are installed: 100 modules for nothing.
_hidden = "httpx._main" not in sys.modules
if _hidden:
    sys.modules["httpx._main"] = None  # type: ignore[assignment]  # what makes an import fail
try:
    import httpcore
    import httpx
finally:
    if _hidden:
        del sys.modules["httpx._main"]

# httpcore asks for it at each of its locks, four times a request: what is not there is looked for in every directory.
try:
    importlib.import_module("sniffio")
except ImportError:
    sys.modules["sniffio"] = None  # type: ignore[assignment]

__all__ = ["client", "httpx", "is_loopback"]


def is_loopback(url: str) -> bool:
    """Whether the address is this machine by name or number."""
    host = (urlsplit(url).hostname or "").lower()
    return host in {"localhost", "::1"} or host.startswith("127.") or host.endswith(".localhost")


def client(
    base_url: str,
    headers: Mapping[str, str],
    ca_file: str | None,
    proxy: str | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """A client for one server, by `proxy` if given. Else proxy variables and NO_PROXY count, except for this machine.

    `transport` stands in for the network.

    Raises:
        UsageError: a CA file or a proxy that cannot be used.
    """
    proxied = bool(proxy) or not is_loopback(base_url)
    by_tls = proxy.startswith("https:") if proxy else proxied and _tls_proxy(os.environ)
    context = _context(ca_file, os.environ) if by_tls or base_url.startswith("https:") else _no_tls()
    direct = not proxy and not (proxied and getproxies())
    try:
        return httpx.AsyncClient(
            headers={"accept-encoding": "identity", **headers},
            verify=context,
            proxy=proxy,
            transport=transport or (_Transport(context) if direct else None),
            timeout=None,  # noqa: S113  the provider counts its own time, on bytes
        )
    except (ValueError, ImportError, httpx.InvalidURL) as error:
        which = f"The proxy {shown_url(proxy)} of the endpoint" if proxy else "A proxy variable"
        mend = "Mend `proxy` in settings" if proxy else "Mend or unset HTTP_PROXY, HTTPS_PROXY and ALL_PROXY"
        raise UsageError(
            f"{which} cannot be used: {error}", f"{mend}; socks proxies need `pip install httpx[socks]`."
        ) from error


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's own, over connections that merge the chunks of an answer."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context, max_connections=20, keepalive_expiry=300, network_backend=MergingBackend()
        )


def _no_tls() -> ssl.SSLContext:
    """Certificates are not even loaded: that takes longer than the rest of a start."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _tls_proxy(env: Mapping[str, str]) -> bool:
    names = ("all_proxy", "http_proxy", "https_proxy")
    return any(env.get(n, env.get(n.upper(), "")).startswith("https:") for n in names)


def _context(ca_file: str | None, env: Mapping[str, str]) -> ssl.SSLContext:
    """The system's certificates, those that come with httpx, and the CA file; SSL_CERT_FILE replaces the rest."""
    context = ssl.create_default_context()
    if not (env.get("SSL_CERT_FILE") or env.get("SSL_CERT_DIR")):
        import certifi  # noqa: PLC0415  only where TLS is spoken

        context.load_verify_locations(cafile=certifi.where())
    if ca_file:
        path = Path(ca_file).expanduser()
        try:
            context.load_verify_locations(cafile=str(path))
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"The CA file {ca_file} cannot be used: {error}", "Give a file with certificates in PEM form."
            ) from error
    return context
