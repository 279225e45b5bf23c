"""What the configuration file said when it was read last; a HUP reads it again."""

from __future__ import annotations

from gunicorn_autotune.model.policy import Policy

policy = Policy()
