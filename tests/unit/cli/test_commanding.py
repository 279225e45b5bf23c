"""What a command says when nothing is at the server's socket."""

import pytest

from gunicorn_autotune.cli.commanding import send_command
from gunicorn_autotune.cli.style import CommandError


@pytest.mark.parametrize("folder", ["/tmp", "/var/tmp"])
def test_a_path_that_only_the_server_sees_names_its_private_tmp(folder):
    """It told that path itself, so it runs; systemd's PrivateTmp= gave it a /tmp of its own."""
    with pytest.raises(CommandError, match=r"PrivateTmp=.*RuntimeDirectory=NAME.*GUNICORN_AUTOTUNE_COMMAND_SOCKET="):
        send_command(f"{folder}/gunicorn-autotune-33-absent/7.sock", {"command": "ping"})


def test_a_path_elsewhere_asks_whether_the_server_runs():
    """No private /tmp explains that."""
    with pytest.raises(CommandError, match="is that server running, on this host"):
        send_command("/nowhere/7.sock", {"command": "ping"})
