"""A WSGI app that reads the body it is sent."""


def app(environ, start_response):
    """Say how much."""
    body = str(len(environ["wsgi.input"].read())).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
