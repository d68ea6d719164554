from __future__ import annotations

import pytest

from livestereo.errors import SettingsError
from livestereo.sinks.web_guard import Guard, WebAddress, new_token, parse_address

LOCAL = Guard(WebAddress("127.0.0.1", 8080), 8080)
OPEN = Guard(WebAddress("0.0.0.0", 8080), 8080, "s3cret-token", frozenset({"mybox", "mybox.local"}))


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("8080", "127.0.0.1", 8080, True), ("0", "127.0.0.1", 0, True), ("localhost:80", "localhost", 80, True),
        ("0.0.0.0:8080", "0.0.0.0", 8080, False), ("[::1]:9", "::1", 9, True),
        ("192.168.1.5:8080", "192.168.1.5", 8080, False), ("[::]:8080", "::", 8080, False),
        ("127.0.0.9:1", "127.0.0.9", 1, True),
    ],
)  # fmt: skip
def test_addresses(text: str, host: str, port: int, loopback: bool) -> None:
    found = parse_address(text)
    assert (found.host, found.port, found.loopback) == (host, port, loopback)


@pytest.mark.parametrize("text", ["", "x", "99999", ":8080", "host:", "-1", "80 80", "http://x:1", "８０８０", "1.5"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_address(text)


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "LOCALHOST", "[::1]:8080", "127.0.0.2"])
def test_this_computer_needs_no_token_on_loopback(host: str) -> None:
    assert LOCAL.check("GET", {}, {"host": host}) is None


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "192.168.1.5:8080"])
def test_foreign_names_are_refused_on_loopback(host: str) -> None:
    refused = LOCAL.check("GET", {}, {"host": host})
    assert refused is not None and refused.status == 403


@pytest.mark.parametrize("host", ["", "[::1", "a/b", "host:port"])
def test_malformed_hosts_are_refused(host: str) -> None:
    refused = LOCAL.check("GET", {}, {"host": host} if host else {})
    assert refused is not None and refused.status in (400, 403)


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ({"token": "s3cret-token"}, {}), ({}, {"cookie": "a=b; livestereo_8080=s3cret-token"}),
        ({}, {"authorization": "Bearer s3cret-token"}),
    ],
)  # fmt: skip
def test_the_token_is_taken_from_link_cookie_or_header(query: dict[str, str], headers: dict[str, str]) -> None:
    assert OPEN.check("GET", query, {"host": "192.168.1.5:8080", **headers}) is None


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ({}, {}), ({"token": ""}, {}), ({"token": "s3cret-toke"}, {}), ({"token": "S3CRET-TOKEN"}, {}),
        ({}, {"cookie": "livestereo_8081=s3cret-token"}), ({}, {"cookie": "livestereo_8080=wrong"}),
        ({}, {"authorization": "Basic s3cret-token"}), ({}, {"cookie": "\x00;;=,"}), ({"token": "ü" * 12}, {}),
    ],
)  # fmt: skip
def test_wrong_or_missing_tokens_are_refused(query: dict[str, str], headers: dict[str, str]) -> None:
    refused = OPEN.check("GET", query, {"host": "192.168.1.5:8080", **headers})
    assert refused is not None and refused.status == 403


def test_own_names_are_known_and_others_not_even_with_the_token() -> None:
    token = {"token": "s3cret-token"}
    assert OPEN.check("GET", token, {"host": "mybox.local:8080"}) is None
    assert OPEN.check("GET", token, {"host": "evil.example:8080"}) is not None


def test_other_origins_are_refused() -> None:
    own = {"host": "127.0.0.1:8080", "origin": "http://127.0.0.1:8080"}
    assert LOCAL.check("POST", {}, own) is None
    for origin in (
        "http://evil.example",
        "null",
        "http://127.0.0.1:9999",
        "https://127.0.0.1:8080",
        "http://localhost:8080",
    ):
        refused = LOCAL.check("POST", {}, {**own, "origin": origin})
        assert refused is not None and refused.status == 403, origin


def test_a_form_of_another_site_is_refused() -> None:
    # A form cannot set a header of its own; old browsers leave Origin out.
    assert LOCAL.check("POST", {}, {"host": "localhost:8080"}) is not None
    assert LOCAL.check("POST", {}, {"host": "localhost:8080", "x-livestereo": "1"}) is None


@pytest.mark.parametrize(("site", "mode", "passes"), [
    ("cross-site", "no-cors", False), ("same-site", "cors", False), ("same-origin", "cors", True),
    ("none", "navigate", True), ("cross-site", "navigate", True),
])  # fmt: skip
def test_pictures_may_not_be_embedded_elsewhere(site: str, mode: str, passes: bool) -> None:
    headers = {"host": "localhost:8080", "sec-fetch-site": site, "sec-fetch-mode": mode}
    assert (LOCAL.check("GET", {}, headers) is None) == passes


def test_tokens_cannot_be_guessed() -> None:
    assert len({new_token() for _ in range(50)}) == 50
    assert len(new_token()) >= 22  # 128 bits in base 64


def test_links() -> None:
    assert LOCAL.links() == ["http://127.0.0.1:8080/"]
    assert all("token=s3cret-token" in link and "0.0.0.0" not in link for link in OPEN.links())
    assert "HttpOnly" in OPEN.cookie() and "SameSite=Strict" in OPEN.cookie()
