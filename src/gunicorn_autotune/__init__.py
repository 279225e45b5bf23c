"""Gunicorn that sizes itself: `gunicorn -c python:gunicorn_autotune.conf wsgi:app`."""

__version__ = "0.1.0"
