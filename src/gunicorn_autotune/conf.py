"""The Gunicorn configuration module: `gunicorn -c python:gunicorn_autotune.conf wsgi:app`.

Settings come from the environment: `GUNICORN_AUTOTUNE_MAX_WORKERS=16`.
"""

from gunicorn_autotune import install

install(globals())
