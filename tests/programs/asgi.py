# SPDX-License-Identifier: LGPL-2.1-or-later
"""An ASGI application, and the ways in which servers run it on a loop of libloop's.

    asgi.py WAY FD [CERTIFICATE KEY]

serves on a socket that listens already. Its log, on standard output, says what became of it.
"""

import asyncio
import hashlib
import os
import socket
import sys

import libloop

LOOP_TYPE = asyncio.BaseEventLoop if os.environ.get("LOOP_TESTED") == "asyncio" else libloop.EventLoop


def say(text):
    print(text, flush=True)


async def answer(send, body, status=200):
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})


async def read_body(receive):
    digest, length = hashlib.sha256(), 0
    while True:
        message = await receive()
        digest.update(message.get("body", b""))
        length += len(message.get("body", b""))
        if not message.get("more_body"):
            return f"{length} {digest.hexdigest()}".encode()


async def lifespan(receive, send):
    while True:
        message = await receive()
        what = message["type"].removeprefix("lifespan.")
        say(f"{what} {isinstance(asyncio.get_running_loop(), LOOP_TYPE)}")
        await send({"type": f"lifespan.{what}.complete"})
        if what == "shutdown":
            return


async def web_socket(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "close":
            await send({"type": "websocket.close", "code": 4001})
        elif message.get("text") is not None:
            await send({"type": "websocket.send", "text": message["text"][::-1]})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"]})
    say(f"websocket {message['code']}")


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "websocket":
        await web_socket(receive, send)
    elif scope["path"] == "/hello":
        await answer(send, f"{scope['scheme']} {scope['http_version']} {scope['query_string'].decode()}".encode())
    elif scope["path"] == "/digest":
        await answer(send, await read_body(receive))
    elif scope["path"] == "/stream":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(1000):
            await send({"type": "http.response.body", "body": f"{number}\n".encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    elif scope["path"] == "/slow":
        say("slow")
        await asyncio.sleep(0.5)
        await answer(send, b"late")
    else:
        await answer(send, b"nothing", status=404)


def run_uvicorn(sock, tls):
    """uvicorn's own asyncio.run(), which the policy gives its loop."""
    import uvicorn

    if LOOP_TYPE is libloop.EventLoop:
        libloop.install()
    config = uvicorn.Config(application, loop="none", log_level="warning", **tls)
    uvicorn.Server(config).run([sock])


def run_uvicorn_on(sock, tls):
    """A loop that is made for it."""
    import uvicorn

    config = uvicorn.Config(application, log_level="warning", **tls)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve([sock]))


def run_hypercorn(sock, tls):
    import hypercorn
    import hypercorn.asyncio

    config = hypercorn.Config.from_mapping(bind=[f"fd://{sock.detach()}"], loglevel="WARNING", graceful_timeout=2,
                                           certfile=tls.get("ssl_certfile"), keyfile=tls.get("ssl_keyfile"))
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(hypercorn.asyncio.serve(application, config))


def new_event_loop():
    return libloop.new_event_loop() if LOOP_TYPE is libloop.EventLoop else asyncio.new_event_loop()


if __name__ == "__main__":
    way, fd, *tls = sys.argv[1:]
    globals()[f"run_{way}"](socket.socket(fileno=int(fd)), dict(zip(("ssl_certfile", "ssl_keyfile"), tls)))
    say("end")
