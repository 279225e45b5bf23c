"""The same as an ASGI app, and any WebSocket: it says something each tenth of a second."""

import asyncio
import contextlib


async def app(scope, receive, send):
    """Answer one request, or talk for as long as the client listens."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await talk(receive, lambda: send({"type": "websocket.send", "text": "on"}))
    elif scope["type"] == "http" and scope["path"] == "/":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
        await send({"type": "http.response.body", "body": b"hello\n"})
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await talk(receive, lambda: send({"type": "http.response.body", "body": b"data: on\n\n", "more_body": True}))


async def talk(receive, say):
    """Until the client is gone."""
    ended = asyncio.create_task(gone(receive))
    with contextlib.suppress(Exception):
        while not ended.done():
            await say()
            await asyncio.sleep(0.1)
    ended.cancel()


async def gone(receive):
    """Wait for the end of the connection."""
    while not (await receive())["type"].endswith(".disconnect"):
        pass
