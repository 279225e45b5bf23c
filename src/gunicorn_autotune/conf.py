"""The Gunicorn configuration module: `gunicorn -c python:gunicorn_autotune.conf wsgi:app`.

Settings come from the environment: `GUNICORN_AUTOTUNE_MAX_WORKERS=16`. Beneath it lies ./gunicorn.conf.py, which
Gunicorn reads by itself where there is no `-c`: what stands there wins. Gunicorn's command line beats both.
"""

from gunicorn_autotune import install
from gunicorn_autotune.runtime import beneath

_theirs = beneath.read_theirs()
if not beneath.they_installed():
    install(globals())
globals().update(_theirs | beneath.left_open(_theirs))
