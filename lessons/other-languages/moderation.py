"""Moderation in Python, standard library only: a plain subscriber, which stores nothing.

The bus keeps its position, and sends an event again until a 2xx answers it. The id of a verdict is derived from the
comment's, so the bus recognises a verdict that is published again: the service is idempotent without a memory.
"""

import json
import os
import urllib.error
import urllib.request
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = int(os.environ.get("PORT") or 4003)
BUS = os.environ.get("EVENT_BUS_URL") or "http://localhost:4005"
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy on the way to the bus


def verdict_on(comment):
    """The event that announces the verdict on a comment."""
    status = "rejected" if "orange" in str(comment.get("content")).lower() else "approved"
    data = {"id": comment["id"], "postId": comment.get("postId"), "content": comment.get("content"), "status": status}
    return {"id": f"{comment['id']}/CommentModerated", "source": "moderation", "type": "CommentModerated", "data": data}


def publish(event):
    """Returns once the bus has the event on disk; else raises."""
    body, headers = json.dumps(event).encode(), {"Content-Type": "application/json"}
    try:
        direct.open(urllib.request.Request(f"{BUS}/events", body, headers), timeout=4).close()
    except urllib.error.HTTPError as refusal:
        if refusal.code != 409:  # 409: the log has a verdict on this comment, and the first one stands
            raise


class Moderation(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps the connection open

    def do_GET(self):
        self.answer(404)  # the bus asks for a checkpoint, and there is none

    def do_POST(self):
        try:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if event["type"] == "CommentCreated":
                publish(verdict_on(event["data"]))
            self.answer(204)
        except (OSError, HTTPException):
            self.answer(503)  # the bus is away: it sends the event again
        except (ValueError, KeyError, TypeError, AttributeError):
            self.answer(422)  # a poison event: the bus puts it aside after a few times

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Prints no line for each request."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Moderation)
    print(f"listening on http://127.0.0.1:{PORT}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
