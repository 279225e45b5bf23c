"""THE DECISION: decide(policy, history, snapshot) -> (decision, history). No clock, file, socket, log or chance."""

from gunicorn_autotune.law.law import decide, start

__all__ = ["decide", "start"]
