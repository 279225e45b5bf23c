from __future__ import annotations

import pytest

from gunicorn_autotune.exporter.address import Address, parse_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:9877", Address("127.0.0.1", 9877)),
        (" localhost:80 ", Address("localhost", 80)),
        ("[::1]:9877", Address("::1", 9877)),
        (":9877", Address("", 9877)),
        ("0.0.0.0:0", Address("0.0.0.0", 0)),
        ("unix:/run/metrics.sock", Address(path="/run/metrics.sock")),
        ("unix:///run/metrics.sock", Address(path="/run/metrics.sock")),
    ],
)
def test_address_is_read_as_gunicorn_users_write_it(text: str, expected: Address):
    """HOST:PORT, [IPV6]:PORT, :PORT for every interface, unix:/path."""
    assert expected == parse_address(text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("9877", "must be HOST:PORT"),
        ("", "must be HOST:PORT"),
        ("http://127.0.0.1:9877", "must be HOST:PORT"),
        ("127.0.0.1:metrics", "must be HOST:PORT"),
        ("::1:9877", "an IPv6 address stands in brackets"),
        ("127.0.0.1:70000", "the port must be at most 65535"),
        ("unix:metrics.sock", "absolute path"),
        ("unix:/" + "x" * 107, "at most 107 bytes"),
    ],
)
def test_wrong_address_is_one_line_with_setting_value_and_rule(text: str, rule: str):
    """The operator sees what was written, where, and what would be right."""
    with pytest.raises(ValueError) as caught:
        parse_address(text)

    line = str(caught.value)
    assert line.startswith(f"autotune setting metrics = {text!r}: ")
    assert rule in line
    assert "\n" not in line


@pytest.mark.parametrize("text", ["127.0.0.1:9877", "[::1]:9877", ":9877", "unix:/run/metrics.sock"])
def test_address_prints_as_it_is_written(text: str):
    """Log lines show the operator's own words."""
    assert text == str(parse_address(text))
