"""For all tests."""

from hypothesis import settings

# Nothing timed decides a test.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
