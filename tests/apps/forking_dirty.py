"""The dirty app of forking.py (Gunicorn 25.1 and later)."""

import forking
from gunicorn.dirty.app import DirtyApp


class Jobs(DirtyApp):
    """Counts in a dirty worker."""

    def count(self, kind):
        """One job."""
        forking.JOBS.labels(kind).inc()
        return True
