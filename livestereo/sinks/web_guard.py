"""Who may talk to the browser preview: address, token, Host and Origin. Pure, so that every rule can be tested.

On loopback no token is needed, but the Host must be this computer's, so that a page from elsewhere cannot reach
us through a name of its own (DNS rebinding). On any other address a token is needed: it comes once in the link
and is kept in a cookie that other sites cannot use.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from livestereo.errors import SettingsError

DEFAULT_HOST = "127.0.0.1"


@dataclass(frozen=True)
class WebAddress:
    """Where to listen. port 0: any free one."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this computer can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_address(text: str, option: str = "--web") -> WebAddress:
    """Understand `[HOST:]PORT` of an option; an IPv6 host stands in brackets.

    Raises:
        SettingsError: it is not of that form.
    """
    host, colon, port = text.strip().rpartition(":")
    host = host.strip("[]") if colon else DEFAULT_HOST
    if not (port.isascii() and port.isdigit()) or int(port) > 65535 or (colon and not host) or "/" in host:
        raise SettingsError(
            f"{text!r} is not an address to listen on.",
            f"Write a port ({option} 8080) or host and port ({option} 0.0.0.0:8080).",
        )
    return WebAddress(host, int(port))


def new_token() -> str:
    """Make a token that cannot be guessed (128 bits)."""
    return secrets.token_urlsafe(16)


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered: the status code and a sentence."""

    status: int
    why: str


@dataclass(frozen=True)
class Guard:
    """The rules for one running preview. token: None on loopback. port: the one really in use."""

    address: WebAddress
    port: int
    token: str | None = None
    own_names: frozenset[str] = field(default_factory=frozenset)

    @property
    def cookie_name(self) -> str:
        """Name of the cookie; cookies are shared between ports, so the port is part of it."""
        return f"livestereo_{self.port}"

    def check(self, method: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Refusal | None:
        """Judge a request by its method, query and headers (names in lower case); None lets it pass."""
        refused = self._check_host(headers.get("host", ""))
        if refused is not None:
            return refused
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{headers.get('host', '')}":
            return Refusal(403, "This page belongs to another site.")
        if method == "POST" and origin is None and headers.get("x-livestereo") is None:
            return Refusal(403, "Commands come from the preview's own page.")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            # Typing or clicking a link is "none" or a navigation; pictures embedded elsewhere are neither.
            navigates = headers.get("sec-fetch-mode") == "navigate" and method == "GET"
            if not navigates:
                return Refusal(403, "Another site may not use this preview.")
        if self.token is not None and not self._has_token(query, headers):
            return Refusal(403, "The token is missing or wrong: open the link that the program printed.")
        return None

    def _check_host(self, host: str) -> Refusal | None:
        name = _host_name(host)
        if name is None:
            return Refusal(400, "The request names no host.")
        if self.address.loopback:
            known = name == "localhost" or _is_loopback(name)
        else:
            known = name == "localhost" or _is_address(name) or name in self.own_names or name == self.address.host
        return None if known else Refusal(403, f"{name} is not the name of this computer.")

    def _has_token(self, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        assert self.token is not None
        given = [query.get("token", ""), _bearer(headers.get("authorization", ""))]
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self.cookie_name)
            given.append(cookie.value if cookie is not None else "")
        except CookieError:
            pass
        wanted = self.token.encode()
        # All are compared, in constant time, so that the time taken tells nothing.
        return sum(hmac.compare_digest(one.encode("utf-8", "replace"), wanted) for one in given) > 0

    def cookie(self) -> str:
        """The Set-Cookie value that keeps the token in this browser, for this site only."""
        return f"{self.cookie_name}={self.token}; Path=/; HttpOnly; SameSite=Strict"

    def links(self) -> list[str]:
        """Links to print: one, or one for each address of this computer when listening on all."""
        if self.address.loopback:
            return [f"http://{_in_url(self.address.host)}:{self.port}/"]
        hosts = [self.address.host]
        if self.address.host in ("0.0.0.0", "::"):
            hosts = lan_addresses() or [socket.gethostname()]
        return [f"http://{_in_url(host)}:{self.port}/?token={self.token}" for host in hosts]


def own_names() -> frozenset[str]:
    """Names under which this computer may be known in its network."""
    name = socket.gethostname().lower()
    return frozenset({name, f"{name}.local", f"{name}.lan", f"{name}.home", socket.getfqdn().lower()})


def lan_addresses() -> list[str]:
    """Addresses of this computer that others can reach; asks the routing table and sends nothing."""
    found = []
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((target, 9))
                found.append(str(probe.getsockname()[0]))
        except OSError:
            continue
    return [one for one in found if not _is_loopback(one)]


def _host_name(host: str) -> str | None:
    """The name in a Host header, without port and brackets, in lower case; None where it is malformed."""
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname if parts.hostname and parts.port is not False and parts.path == "" else None
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return _is_address(name) and ipaddress.ip_address(name).is_loopback


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _bearer(header: str) -> str:
    kind, _, value = header.partition(" ")
    return value.strip() if kind.lower() == "bearer" else ""
