"""Gunicorn that sizes itself: `gunicorn -c python:gunicorn_autotune.conf wsgi:app`.

In a configuration file of your own: `from gunicorn_autotune import install` and `install(globals(), max_workers=16)`.
"""

from __future__ import annotations

from typing import Any

from gunicorn_autotune.model.policy import Policy, PolicyError
from gunicorn_autotune.model.version import VERSION
from gunicorn_autotune.runtime.reader import refuse_a_slip

__version__ = VERSION
refuse_a_slip()
__all__ = ["Policy", "PolicyError", "__version__", "install"]


def install(namespace: dict[str, Any], **settings: Any) -> None:
    """Tune the Gunicorn that reads this configuration file.

    `namespace` is the file's `globals()`; your own hooks in it keep working, wherever they stand. `settings` are
    fields of `Policy`; `GUNICORN_AUTOTUNE_<SETTING>` in the environment beats them. A wrong setting stops the boot
    with one line.
    """
    # Imported late: reading `Policy` in a script must not load Gunicorn.
    from gunicorn_autotune.runtime import written
    from gunicorn_autotune.runtime.install import install as install_into

    written.installed_in = str(namespace.get("__name__", ""))
    install_into(namespace, settings)
