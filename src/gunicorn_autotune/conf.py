"""The Gunicorn configuration module: `gunicorn -c python:gunicorn_autotune.conf wsgi:app`.

Settings come from the environment: `GUNICORN_AUTOTUNE_MAX_WORKERS=16`. Gunicorn's own command line beats what stands
here.
"""

from gunicorn_autotune import install

# Seconds an idle connection of the proxy is kept: longer than the proxy's own, or requests are lost now and then (502).
# It goes with `keepalive_timeout 4s; keepalive_time 2s;` in nginx's upstream.
keepalive = 10

install(globals())
