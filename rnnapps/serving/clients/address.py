"""Addresses of model servers: read once, checked whole, and shown without the password in them."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, unquote, urlsplit

from rnnapps.serving.clients.errors import ServerError
from rnnapps.terminal import printable

_PORTS = {"grpc": 8500, "http": 8501}  # TensorFlow Serving's; behind TLS stands a proxy, at any port
_TLS = ("grpcs", "https")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")


@dataclass(frozen=True)
class Address:
    """The address of a model server. `str()` shows it without user and password.

    Attributes:
        scheme: `grpc`, `grpcs`, `http` or `https`.
        host: A name or an IP address; of IPv6 without the brackets.
        port: The port; None for the scheme's own.
        path: The path of a proxy before `/v1`, without a slash at the end.
        user: The user for HTTP's basic authentication, or None.
        password: The user's password.
    """

    scheme: str
    host: str
    port: int | None
    path: str = ""
    user: str | None = None
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.path}"

    @property
    def netloc(self) -> str:
        """Host and port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme in _TLS


def parse_address(url: str) -> Address:
    """Reads the address of a model server.

    Args:
        url: `grpc://HOST:PORT` or `http://HOST:PORT[/PROXY]`, or the same with TLS, `grpcs` and `https`, whose port may
            be left out. `http` and `https` take `USER:PASSWORD@` before the host.

    Returns:
        The parts of the address.

    Raises:
        ServerError: The URL is none of these. The message shows it without its password.

    Example:
        >>> str(parse_address("https://me:secret@example.org/proxy/"))
        'https://example.org/proxy'
    """
    shown = without_password(url)
    parts = _split(url)
    if parts is None:
        raise ServerError(f"--server {shown}: not an address such as grpc://localhost:8500 or http://localhost:8501")
    host, port = parts.hostname, parts.port
    if "@" in parts.path or (parts.username is None) != ("@" not in url):
        raise ServerError(f"--server {shown}: write /, ?, # and @ in a password as %2F, %3F, %23 and %40")
    if parts.username is not None and parts.scheme.startswith("grpc"):
        raise ServerError(f"--server {shown}: gRPC takes no user and password; leave them out")
    proxy, path, _ = parts.path.partition("/v1")
    plain = Address(parts.scheme, host or "", port, "" if parts.scheme.startswith("grpc") else proxy.rstrip("/"))
    if path or parts.query or parts.fragment or (plain.path != proxy.rstrip("/")):
        raise ServerError(f"--server {shown}: give the address only, {plain}, and the model's name with --model")
    if port is None and not plain.tls:
        raise ServerError(f"--server {shown}: no port; TensorFlow Serving's is {plain}:{_PORTS[parts.scheme]}")
    user = None if parts.username is None else unquote(parts.username)
    return Address(
        plain.scheme, plain.host, port, quote(plain.path, safe="/%:!$&'()*+,;=~"), user, unquote(parts.password or "")
    )


def without_password(url: str) -> str:
    """A URL, well-formed or not, without anything in it that may be a password, for messages and logs.

    Args:
        url: What a user gave as an address.

    Returns:
        Scheme, host, port and path; `…` stands for what was left out.

    Example:
        >>> without_password("http://me:pa/ss@host:8501")
        'http://host:8501'
    """
    scheme, separator, rest = url.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        scheme, separator, rest = "", "", url
    rest = rest.rpartition("@")[2]
    rest, *query = re.split(r"[?#]", rest, maxsplit=1)
    netloc = rest.partition("/")[0]
    if not re.fullmatch(r"(\[[^\]]*\]?|[^:\[\]]*)(:[0-9]{0,5})?", netloc) and not _is_ipv6(netloc):
        rest, query = f"{netloc.partition(':')[0]}:…", []  # no port follows the colon: a password without its host?
    return printable(f"{scheme}{separator}{rest}{'?…' * len(query)}")


def _split(url: str) -> SplitResult | None:
    """The parts of a URL; None if it is malformed, which `urlsplit` alone does not notice."""
    if "\\" in url or any(character.isspace() or not character.isprintable() for character in url):
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if parts.scheme not in (*_PORTS, *_TLS) or port == 0:
            return None
        bracketed = ":" in host or "[" in parts.netloc
        if not (_is_ipv6(host) if bracketed else _HOST.fullmatch(host.encode("idna").decode("ascii"))):
            return None
    except ValueError:  # UnicodeError included
        return None
    netloc = Address(parts.scheme, host, port).netloc.lower()
    return parts if parts.netloc.rpartition("@")[2].lower() in (netloc, f"{netloc}:") else None


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True
