"""Takes webhooks of each profile and believes only genuine ones.

It needs nothing but Python's standard library (3.9 or newer): copy the part for your provider. The variables in ROUTES
say what it knows.
"""
import base64
import hashlib
import hmac
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MAX_BODY = 2 << 20  # bytes; more is refused unread
TOLERANCE = 5 * 60  # seconds that a delivery's time may be from ours


class NotGenuine(Exception):
    """The delivery does not prove its sender."""


def equal(given, want):
    """Takes as long for a good guess as for a bad one. A secret that is empty equals nothing."""
    return bool(want) and hmac.compare_digest(given.encode(), want.encode())


def check_time(headers):
    """Refuses what was sent long ago: somebody may have recorded it. Each attempt has a time of its own."""
    text = headers.get("webhook-timestamp", "")
    if not (text.isascii() and text.isdigit() and len(text) < 13 and abs(time.time() - int(text)) <= TOLERANCE):
        raise NotGenuine


# Each of these returns what a delivery is known by, so that a repeat is handled once, or raises.


def standard(secret, headers, body, _path):
    """Standard Webhooks: HMAC-SHA256 over "id.timestamp.body" with the key behind whsec_.

    Signatures of other versions, and of another secret while one is rotated, stand beside ours.
    """
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    event_id = headers.get("webhook-id", "")
    content = f"{event_id}.{headers.get('webhook-timestamp', '')}.".encode() + body
    want = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    if not key or not any([equal(given, want) for given in headers.get("webhook-signature", "").split()]):
        raise NotGenuine
    check_time(headers)
    return event_id


def bridge(secret, headers, body, _path):
    """"v1=<HEX>[,v1=<HEX>]": HMAC-SHA256 over the raw body, keyed with the secret's text.

    The signature covers neither webhook-id nor webhook-timestamp: what knows a repeat, whoever sends it, is the body.
    """
    want = "v1=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().upper()
    if not any([equal(given, want) for given in headers.get("bridgeapi-signature", "").split(",")]):
        raise NotGenuine
    check_time(headers)
    return hashlib.sha256(body).hexdigest()


def alviere(key, headers, body, _path):
    """The security key that you gave. It says who sends; that the body is theirs too rests on TLS alone."""
    if not equal(headers.get("alviere-auth", ""), key):
        raise NotGenuine
    return json.loads(body)["event_uuid"]


def thredd(token, headers, body, _path):
    """A header that you set yourself when you created the webhook. Here too the body rests on TLS."""
    if not equal(headers.get("x-webhook-token", ""), token):
        raise NotGenuine
    check_time(headers)
    return json.loads(body)["notificationId"]


def by_path(secret, headers, _body, path):
    """The end of the URL, which only you and the sender know: aria and viva send nothing else that proves them.

    Keep it out of your logs.
    """
    if not equal(path, secret):
        raise NotGenuine
    check_time(headers)
    return headers.get("webhook-id", "")


ROUTES = {
    "standard": (standard, os.environ.get("STANDARD_SECRET")),
    "bridge": (bridge, os.environ.get("BRIDGE_SECRET")),
    "alviere": (alviere, os.environ.get("ALVIERE_KEY")),
    "thredd": (thredd, os.environ.get("THREDD_TOKEN")),
    "aria": (by_path, os.environ.get("ARIA_PATH")),
    "viva": (by_path, os.environ.get("VIVA_PATH")),
}

# A real receiver keeps these in its database, in the transaction that handles the event.
seen, lock = set(), threading.Lock()


class Receiver(BaseHTTPRequestHandler):
    timeout = 30  # seconds without a byte

    def do_POST(self):
        _, profile, path = (self.path.split("/", 2) + ["", ""])[:3]
        verify, secret = ROUTES.get(profile, (None, None))
        if not secret:  # without a secret there is no route
            return self.answer(404)
        length = self.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()):
            return self.answer(411)
        if int(length) > MAX_BODY:
            return self.answer(413)
        body = self.rfile.read(int(length))  # the bytes as they came: parse after, not before
        try:
            event_id = verify(secret, self.headers, body, path)
        except (NotGenuine, ValueError, KeyError, TypeError):
            return self.answer(401)  # without saying why
        with lock:
            if (profile, event_id) not in seen:
                seen.add((profile, event_id))
                print("handled", profile, event_id, flush=True)  # what takes long belongs in a queue
        self.answer(200)

    def do_GET(self):
        """Shows viva the key that verifies the URL."""
        if not equal(self.path, "/viva/" + os.environ.get("VIVA_PATH", "")):
            return self.answer(404)
        self.answer(200, json.dumps({"Key": os.environ.get("VIVA_KEY", "")}).encode())

    def answer(self, status, body=b""):
        self.close_connection = status >= 400  # a body may be left unread
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Silent: the URL may be a secret."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "0"))), Receiver)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
