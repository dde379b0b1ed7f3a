"""A server on loopback that answers as the chat interface does, by a script: well, badly, slowly, or not at all."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mimica.generation.plan import Plan
from mimica.generation.template import from_template


def well(plan: Plan, **other: str) -> str:
    """An answer that passes: the template's words in the form of the schema."""
    facts = from_template(plan).facts()
    regions = ("brow", "eye", "cheek", "nose", "mouth", "jaw")
    spans = [
        {"name": one["name"], "regions": {where: one["regions"].get(where, "") for where in regions}}
        for one in facts["spans"]
    ]
    return json.dumps(
        {name: facts[name] for name in ("subject", "summary", "head", "gaze", "scene", "negative")}
        | {"spans": spans} | other
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the server does: it waits, then says `text`, refuses, or gives an HTTP status or a body as it stands."""

    text: str = ""
    refusal: str = ""
    finish: str = "stop"
    status: int = 200
    body: str | None = None
    wait: float = 0.0

    def content(self) -> str:
        if self.body is not None:
            return self.body
        if self.status != 200:
            return json.dumps({"error": {"message": f"scripted {self.status}", "type": "error"}})
        message = {"role": "assistant", "content": self.text or None, "refusal": self.refusal or None}
        choice = {"index": 0, "message": message, "finish_reason": self.finish}
        return json.dumps({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})


@dataclass(slots=True)
class Scripted:
    """The server's address, and what it was asked so far."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


@contextmanager
def serving(script: Callable[[int], Reply]) -> Iterator[Scripted]:
    """A server that gives `script(n)` to the n-th question, from 0, until the end of the block."""
    seen = Scripted()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                number = len(seen.asked)
                seen.asked.append(data)
                seen.keys.append(self.headers["Authorization"])
            reply = script(number)
            time.sleep(reply.wait)
            body = reply.content().encode()
            try:
                self.send_response(reply.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                pass  # whoever asked has gone, as was wanted

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    seen.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
