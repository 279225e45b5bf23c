"""An app with prometheus_client metrics of its own."""

from prometheus_client import Counter, Gauge, Histogram

PAGES = Counter("shop_pages", "Pages served", ["page"])
SECONDS = Histogram("shop_seconds", "Seconds a page took")
OPEN = Gauge("shop_open_carts", "Carts open now", multiprocess_mode="livesum")


def app(environ, start_response):
    """Count a page."""
    PAGES.labels("front").inc()
    SECONDS.observe(0.01)
    OPEN.set(1)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
