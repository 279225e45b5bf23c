"""The same as an ASGI app: `/`, `/sleep?s=`, `/fail`."""

import asyncio
from urllib.parse import parse_qs


async def app(scope, receive, send):
    """Answer one request."""
    if scope["type"] != "http":
        return
    if scope["path"] == "/fail":
        raise RuntimeError("this page fails on purpose")
    if scope["path"] == "/sleep":
        await asyncio.sleep(float(parse_qs(scope["query_string"].decode())["s"][0]))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
    await send({"type": "http.response.body", "body": b"hello\n"})
