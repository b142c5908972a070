"""Amazon's signature, version 4, and a client as small as it can be: what `s3admin`, the servers' own start and `test` use.

`canonical` and `signature` also serve the stub that checks signatures. They are written from Amazon's description alone and share
nothing with Holdfast's.
"""
import base64
import hashlib
import hmac
import http.client
import os
import re
import ssl
import time
import urllib.parse

UNRESERVED = "-_.~"


def quote(text):
    return urllib.parse.quote(text, safe=UNRESERVED)


def canonical(method, path, query, headers, signed, payload):
    """`path` is as it was before any percent-encoding, `query` a list of pairs, `headers` have lower-case names."""
    pairs = "&".join(f"{name}={value}" for name, value in sorted((quote(name), quote(value)) for name, value in query))
    lines = [f"{name}:{' '.join(headers[name].split())}" for name in signed]
    return "\n".join([method, urllib.parse.quote(path, safe="/" + UNRESERVED), pairs, *lines, "", ";".join(signed), payload])


def signature(secret, scope, moment, request):
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def stamp(seconds):
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = {name.lower(): value for name, value in headers}

    @property
    def code(self):
        """The server's own word for an error."""
        found = re.search(rb"<Code>([^<]*)", self.body) or re.search(rb'"Code":"([^"]*)', self.body)
        return found.group(1).decode() if found else ""

    def all(self, element):
        return [text.decode() for text in re.findall(rb"<%b>([^<]*)</%b>" % (element.encode(), element.encode()), self.body)]

    def __str__(self):
        return f"{self.status} {self.code}".strip()


class Client:
    """Signs each request; one connection that is opened again where the server has closed it."""

    def __init__(self, endpoint, key, secret, region, ca=None, token=None, timeout=60):
        url, self.used = urllib.parse.urlsplit(endpoint), False
        self.host, self.key, self.secret, self.region, self.token = url.netloc, key, secret, region, token
        if url.scheme == "https":
            self.connection = http.client.HTTPSConnection(url.netloc, timeout=timeout, context=ssl.create_default_context(cafile=ca))
        else:
            self.connection = http.client.HTTPConnection(url.netloc, timeout=timeout)

    @classmethod
    def from_environment(cls):
        value = os.environ.get
        return cls(os.environ["ENDPOINT"], os.environ["ACCESS_KEY"], os.environ["SECRET_KEY"], value("REGION", "us-east-1"), value("CA"),
                   value("SESSION_TOKEN"))

    def signed(self, method, path, query=(), body=b"", headers=(), skew=0, payload=None, md5=True):
        """What is to be sent: path with query, and headers. `path` unescaped; `query` a list of pairs or a dictionary. `skew`, `payload`,
        `md5`: to sign wrongly on purpose."""
        query = [(name, str(value)) for name, value in dict(query).items()]
        moment = stamp(time.time() + skew)
        sent = {"host": self.host, "x-amz-date": moment, "x-amz-content-sha256": payload or hashlib.sha256(body).hexdigest()}
        if md5 and method in ("PUT", "POST"):
            sent["content-md5"] = base64.b64encode(hashlib.md5(body).digest()).decode()
        if self.token:
            sent["x-amz-security-token"] = self.token
        sent.update({name.lower(): value for name, value in dict(headers).items()})
        scope, signed = f"{moment[:8]}/{self.region}/s3/aws4_request", sorted(sent)
        mark = signature(self.secret, scope, moment, canonical(method, path, query, sent, signed, sent["x-amz-content-sha256"]))
        sent["authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.key}/{scope}, SignedHeaders={';'.join(signed)}, Signature={mark}")
        target = urllib.parse.quote(path, safe="/" + UNRESERVED)
        if query:
            target += "?" + "&".join(f"{quote(name)}={quote(value)}" for name, value in sorted(query))
        return target, sent

    def ask(self, method, path, query=(), body=b"", again=True, **more):
        """`again`: where the server has closed a connection that was used before, ask on a new one. The others as for `signed`."""
        target, sent = self.signed(method, path, query, body, **more)
        while True:
            used, self.used = self.used, False
            try:
                self.connection.request(method, target, body=body, headers=sent)
                reply = self.connection.getresponse()
                answer = Answer(reply.status, reply.getheaders(), reply.read())
                self.used = True
                return answer
            except (http.client.HTTPException, OSError) as error:
                self.connection.close()
                if not (used and again and isinstance(error, ConnectionError)):
                    raise

    def pages(self, bucket, query, element, marks):
        """All answers of a listing. `marks` says which parameter of the next request takes which element of this answer."""
        query = dict(query)
        while True:
            answer = self.ask("GET", f"/{bucket}", query)
            yield answer
            if answer.status != 200 or answer.all("IsTruncated") != ["true"]:
                return
            for name, source in marks.items():
                query[name] = answer.all(source)[0]
