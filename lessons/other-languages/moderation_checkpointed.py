"""Moderation in Python, standard library only: a checkpointed subscriber, effectively once whatever comes again.

Its checkpoint says up to where it has the log, and moves in the transaction of the verdicts. The same table is the outbox:
a verdict is stored there first, and published by a thread that retries until the bus has it.
"""

import json
import os
import sqlite3
import threading
import time
from http.client import HTTPException
from http.server import ThreadingHTTPServer

import moderation  # the verdict, and how it is published

DATA_DIR = os.environ.get("DATA_DIR") or ".data"
os.makedirs(DATA_DIR, exist_ok=True)
db = sqlite3.connect(os.path.join(DATA_DIR, "moderation-python.db"), isolation_level=None, check_same_thread=False)
db.executescript("""
    CREATE TABLE IF NOT EXISTS progress (one INTEGER PRIMARY KEY CHECK (one = 1), checkpoint TEXT NOT NULL, replay TEXT);
    INSERT OR IGNORE INTO progress VALUES (1, '0', NULL);
    CREATE TABLE IF NOT EXISTS verdicts (seq INTEGER PRIMARY KEY, comment TEXT UNIQUE, event TEXT, published INTEGER DEFAULT 0);
    CREATE INDEX IF NOT EXISTS outbox ON verdicts (seq) WHERE NOT published;
""")
lock = threading.Lock()  # one connection, many threads
work = threading.Event()  # set: a verdict waits to be published


def progress():
    return db.execute("SELECT checkpoint, replay FROM progress").fetchone()


def position(checkpoint):
    """The position in "<position>-<32 hex digits>"; "0" is the beginning."""
    return int(checkpoint.split("-")[0])


def receive(events, headers):
    """Takes events in one transaction. False: they do not continue from the checkpoint, and nothing has changed."""
    after, upto, order = headers["event-after"], headers["event-upto"], headers["event-replay"]
    db.execute("BEGIN IMMEDIATE")
    checkpoint, replay = progress()
    if after and upto:  # a redelivery, and a classic bus, have neither
        is_ordered = order and order != replay and position(after) <= position(checkpoint)  # a replay, taken once
        is_next = after == checkpoint or (checkpoint == "0" and position(after) == 0)
        if not (is_ordered or is_next):
            return False
        db.execute("UPDATE progress SET checkpoint = ?, replay = ?", (upto, order if is_ordered else replay))
    for event in events:
        if event["type"] == "CommentCreated":
            comment, verdict = str(event["data"]["id"]), json.dumps(moderation.verdict_on(event["data"]))
            # A verdict is made once. A comment that is seen again is announced again, with the same id.
            sql = "INSERT INTO verdicts (comment, event) VALUES (?, ?) ON CONFLICT (comment) DO UPDATE SET published = 0"
            db.execute(sql, (comment, verdict))
    return True


def relay():
    """Publishes the stored verdicts in order, for ever."""
    while True:
        work.clear()
        with lock:
            row = db.execute("SELECT seq, event FROM verdicts WHERE NOT published ORDER BY seq LIMIT 1").fetchone()
        if row is None:
            work.wait()
            continue
        try:
            moderation.publish(json.loads(row[1]))
            with lock:
                db.execute("UPDATE verdicts SET published = 1 WHERE seq = ?", (row[0],))
        except (OSError, HTTPException, sqlite3.Error):
            time.sleep(0.5)  # the bus is away, or the disk is full


class Moderation(moderation.Moderation):
    def do_GET(self):
        with lock:
            now = progress()
        self.tell(200, *now)

    def do_POST(self):
        try:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock, db:  # COMMIT at its end, or ROLLBACK
                is_taken = receive(body if isinstance(body, list) else [body], self.headers)
                now = progress()
            work.set()
            self.tell(200 if is_taken else 409, *now)
        except sqlite3.Error:
            self.answer(503)
        except (ValueError, KeyError, TypeError, AttributeError):
            self.answer(422)

    def tell(self, status, checkpoint, replay):
        body = json.dumps({"checkpoint": checkpoint, "replay": replay}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", moderation.PORT), Moderation)
    threading.Thread(target=relay, daemon=True).start()
    print(f"listening on http://127.0.0.1:{moderation.PORT}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
