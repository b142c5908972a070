"""Between the machines and an object store: it tells the plant's time in the store's place, and can be down.

What the machines sign by the plant's clock is checked as the server would, a quarter of an hour included, then signed anew by the kernel's.
`Date` is the plant's now; `Last-Modified`, in listings, too, is the plant's time of the moment that the server noted.
"""
import calendar
import collections
import email.utils
import http.client
import http.server
import os
import re
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../Servers"))
import s3  # noqa: E402
import strict_signature  # noqa: E402
from memory_bucket import Fault  # noqa: E402

from .clock import SECOND  # noqa: E402

Identity = collections.namedtuple("Identity", "key secret region token")
LISTED = re.compile(rb"<(LastModified|Initiated)>([0-9T:.-]+)Z</")
DROPPED = ("connection", "keep-alive", "transfer-encoding", "content-length", "date", "last-modified")


def noted(text):
    """2026-11-28T03:45:18.123, in nanoseconds."""
    whole, _, part = text.partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) * SECOND + int((part or "0")[:9].ljust(9, "0"))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "plant", ""
    # Head and body of an answer go out as one: in two, the second would wait 40 ms for the client's word that it has the first.
    wbufsize, disable_nagle_algorithm = 1 << 16, True
    upstream = None

    def log_message(self, *words):
        pass

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate(self.server.clock.now, usegmt=True)

    def serve(self):
        if self.server.isolated:
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests += 1
        path, _, query = self.path.partition("?")
        path = urllib.parse.unquote(path)
        try:
            query = strict_signature.pairs(query)
            values = strict_signature.check(self.command, path, query, self.headers.items(), self.server.identity, self.server.clock.now)
        except Fault as fault:
            self.refuse(fault)
            return
        self.answer(*self.forward(path, query, values, body))

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = serve

    def refuse(self, fault):
        body = f'<?xml version="1.0"?><Error><Code>{fault.code}</Code><Message>{fault.message}</Message></Error>'.encode()
        self.answer(fault.status, [("Content-Type", "application/xml")], b"" if self.command == "HEAD" else body)

    def forward(self, path, query, values, body):
        identity, server = self.server.identity, self.server
        names = re.search("SignedHeaders=([^,]+)", values["authorization"]).group(1).split(";")
        moment = s3.stamp(time.time())
        values = values | {"x-amz-date": moment, "host": server.address}
        scope = f"{moment[:8]}/{identity.region}/s3/aws4_request"
        mark = s3.signature(identity.secret, scope, moment, s3.canonical(self.command, path, query, values, names, values["x-amz-content-sha256"]))
        values["authorization"] = f"AWS4-HMAC-SHA256 Credential={identity.key}/{scope}, SignedHeaders={';'.join(names)}, Signature={mark}"
        for name in ("expect", "connection", "date"):
            values.pop(name, None)
        for again in (True, False):
            if self.upstream is None:
                self.upstream = http.client.HTTPConnection(server.address, timeout=60)
            try:
                self.upstream.request(self.command, self.path, body=body or None, headers=values)
                reply = self.upstream.getresponse()
                return reply.status, reply.getheaders(), reply.read()
            except (http.client.HTTPException, OSError):
                self.upstream.close()
                self.upstream = None
                if not again:
                    raise

    def answer(self, status, headers, body):
        clock = self.server.clock

        def listed(found):
            time_of = clock.shifted(noted(found.group(2).decode()))
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time_of // SECOND)) + f".{time_of % SECOND // 1_000_000:03d}Z"
            return b"<%b>%b</" % (found.group(1), text.encode())

        if any(name.lower() == "content-type" and "xml" in value for name, value in headers):
            body = LISTED.sub(listed, body)
        self.send_response(status)
        length = str(len(body))
        for name, value in headers:
            if name.lower() == "last-modified":
                # Whole seconds: the end of that one, or it were from before a step.
                seconds = email.utils.parsedate_to_datetime(value).timestamp()
                self.send_header(name, email.utils.formatdate(clock.shifted(int(seconds) * SECOND + 999_999_999) // SECOND, usegmt=True))
            elif name.lower() == "content-length" and self.command == "HEAD":
                length = value
            elif name.lower() not in DROPPED:
                self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(body)


class Proxy(http.server.ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 64

    def __init__(self, clock, endpoint, identity):
        super().__init__(("127.0.0.1", 0), Handler)
        self.clock, self.identity, self.address = clock, identity, urllib.parse.urlsplit(endpoint).netloc
        self.isolated, self.requests = False, 0
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def verify_request(self, request, address):
        return not self.isolated

    def handle_error(self, request, address):
        pass  # a machine whose power was cut has closed its connection
