"""The bounds of our histograms are an interface: dashboards and alerts name them."""

from gunicorn_autotune.model.snapshot import DURATION_BOUNDS_SECONDS, QUEUE_TIME_BOUNDS_SECONDS

LE = {
    "queue_time": "0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1.0 2.5 5.0 10.0 30.0 60.0",
    "duration": "0.005 0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 1.0 2.5 5.0 7.5 10.0 30.0 60.0",
}
"""As they stand in the label `le`."""


def test_the_bounds_of_queue_time_stay():
    """From a millisecond to a minute."""
    assert LE["queue_time"].split() == [str(bound) for bound in QUEUE_TIME_BOUNDS_SECONDS]


def test_the_bounds_of_durations_stay():
    """Those that OpenTelemetry advises, and two for the slow."""
    assert LE["duration"].split() == [str(bound) for bound in DURATION_BOUNDS_SECONDS]
