"""`python -m gunicorn_autotune` is `gunicorn-autotune`."""

import sys

from gunicorn_autotune.cli import main

if __name__ == "__main__":
    sys.exit(main())
