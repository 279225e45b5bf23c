"""What is a command and what is not; hostile bytes get one short printable line."""

from __future__ import annotations

import json

import pytest

from gunicorn_autotune.model.commands import (
    LONGEST_BYTES,
    CommandMalformed,
    CommandRefused,
    Ping,
    Recycle,
    chosen_slots,
    parse_command,
)
from gunicorn_autotune.model.printable import printable


def test_a_ping_is_a_ping() -> None:
    """It asks for nothing."""
    assert Ping() == parse_command(b'{"command": "ping"}')


@pytest.mark.parametrize(
    ("asked", "expected"), [("all", None), ([3, 0, 3], (0, 3)), ([7], (7,)), ([1 << 20], (1 << 20,))]
)
def test_recycle_names_slots_or_all_of_them(asked: object, expected: tuple[int, ...] | None) -> None:
    """In any order, and twice is once."""
    data = json.dumps({"command": "recycle", "slots": asked}).encode()

    assert Recycle(expected) == parse_command(data)


HOSTILE = [
    b"", b"\x00", b"\xff\xfe", b"ping", b"[]", b"null", b"1e999", b'{"command"', b"[" * 4000, b'{"a":' * 600,
    b"9" * 4090, b"{}", b'{"command": null}', b'{"command": "PING"}', b'{"command": ["ping"]}', b'{"command": "kill"}',
    b'{"command": "ping", "slots": [1]}', b'{"command": "recycle"}', b'{"command": "recycle", "slots": []}',
    b'{"command": "recycle", "slots": "0"}', b'{"command": "recycle", "slots": [true]}',
    b'{"command": "recycle", "slots": [-1]}', b'{"command": "recycle", "slots": [0.0]}',
    b'{"command": "recycle", "slots": [1e400]}', b'{"command": "recycle", "slots": ["0"]}',
    b'{"command": "recycle", "slots": [99999999999999999999]}', b'{"command": "recycle", "slots": [1048577]}',
    b'{"command": "recycle", "slots": {"0": 1}}',
    b'{"command": "recycle", "slots": "all", "x\\n\\u001b[31m": 1}', b'{"command": "a\\nautotune: fake uid=0"}',
    '{"command": "\u2028\u202e"}'.encode(), b'{"command": "' + b"x" * 4000 + b'"}', b" " * (LONGEST_BYTES + 1),
]  # fmt: skip


@pytest.mark.parametrize("data", HOSTILE, ids=lambda data: ascii(data[:24]))
def test_what_is_no_command_gets_one_short_printable_line(data: bytes) -> None:
    """Whatever the bytes: no other exception, and nothing of theirs that a terminal or a log would obey."""
    with pytest.raises(CommandMalformed) as refused:
        parse_command(data)
    text = str(refused.value)

    assert (True, True, True) == (text.isascii(), text.isprintable(), len(text) < 160)


def test_a_slot_without_a_worker_is_refused_with_the_slots_in_use() -> None:
    """The operator sees what could have been meant."""
    with pytest.raises(CommandRefused, match=r"slot 9: holds no worker; slots in use are 0, 1, 2$"):
        chosen_slots(Recycle((1, 9)), [2, 0, 1])


def test_all_means_every_slot_in_use() -> None:
    """And nothing to recycle is a refusal, not a success."""
    assert [0, 2] == chosen_slots(Recycle(None), [2, 0])
    with pytest.raises(CommandRefused, match="no slot holds a worker"):
        chosen_slots(Recycle(None), [])


def test_many_slots_do_not_make_a_long_line() -> None:
    """Hundreds of workers are cut after twenty."""
    with pytest.raises(CommandRefused, match=r" 19 and 380 more$"):
        chosen_slots(Recycle((999,)), range(400))


def test_control_characters_are_shown_and_letters_are_kept() -> None:
    """One line for a terminal, whatever the other side sent."""
    assert r"a\nb\x1b[31m ü" == printable("a\nb\x1b[31m ü")
