"""Whether a request is signed as Amazon describes it, more strictly than any server does: what is not signed, is not believed.

`strict_signature.check(...)` is called once the headers are there, before the body: the signature covers the hash that the body must have.
"""
import base64
import binascii
import calendar
import hashlib
import hmac
import re
import time
import urllib.parse

import s3
from memory_bucket import Fault

AUTHORIZATION = re.compile(r"AWS4-HMAC-SHA256 Credential=([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]{64})")
LARGEST = 5 << 30


def denied(code, message):
    return Fault(403, code, message)


def pairs(query):
    """The parameters of a query as it was sent. `+` is refused: some read it as itself, others as a blank."""
    if "+" in query:
        raise Fault(400, "InvalidArgument", "A plus sign in a query has to be sent as %2B, a blank as %20.")
    found = []
    for part in query.split("&") if query else []:
        name, _, value = part.partition("=")
        found.append((urllib.parse.unquote(name, errors="strict"), urllib.parse.unquote(value, errors="strict")))
    return found


def moment(text):
    try:
        return calendar.timegm(time.strptime(text, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise denied("AccessDenied", "AWS authentication requires a valid x-amz-date: 20260131T235959Z.") from None


def check(method, path, query, headers, identity, now):
    """`headers`: (name, value) as sent. `identity` has key, secret, region, token."""
    values = {}
    for name, value in headers:
        if name.lower() in values:
            raise Fault(400, "InvalidRequest", f"The header {name} was sent twice.")
        values[name.lower()] = value
    found = AUTHORIZATION.fullmatch(values.get("authorization", ""))
    if not found:
        raise denied("AccessDenied", "There is no Authorization as AWS4-HMAC-SHA256 has it.")
    credential, signed, mark = found.groups()
    key, _, scope = credential.partition("/")
    sent = values.get("x-amz-date", "")
    at = moment(sent)
    if key != identity.key:
        raise denied("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
    if scope != f"{sent[:8]}/{identity.region}/s3/aws4_request":
        raise Fault(400, "AuthorizationHeaderMalformed", f"The scope is {scope}; expecting {sent[:8]}/{identity.region}/s3/aws4_request")
    names = signed.split(";")
    needed = {name for name in values if name.startswith("x-amz-") or name in ("host", "content-md5", "content-type", "if-none-match", "range")}
    if names != sorted(set(names)) or not needed <= set(names) or not set(names) <= set(values):
        wrong = sorted(needed - set(names)) or "not sorted, or not sent"
        raise denied("AccessDenied", f"There were headers present in the request which were not signed: {wrong}")
    payload = values.get("x-amz-content-sha256", "")
    if not re.fullmatch("[0-9a-f]{64}", payload):
        status, code = (501, "NotImplemented") if payload.startswith("STREAMING") else (400, "InvalidRequest")
        raise Fault(status, code, "x-amz-content-sha256 has to be the SHA-256 of the body.")
    expected = s3.signature(identity.secret, scope, sent, s3.canonical(method, path, query, values, names, payload))
    if not hmac.compare_digest(expected, mark):
        raise denied("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
    if identity.token and values.get("x-amz-security-token") != identity.token:
        raise Fault(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
    if abs(at - now) > 900:
        raise denied("RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
    return values


def length(method, values):
    """How long the body is. Everything that would make it another thing than its bytes is refused, as some servers do."""
    if "transfer-encoding" in values or "aws-chunked" in values.get("content-encoding", ""):
        raise Fault(501, "NotImplemented", "A header you provided implies functionality that is not implemented: chunks.")
    for name in values:
        if name.startswith(("x-amz-checksum", "x-amz-sdk-checksum", "x-amz-trailer")):
            raise Fault(501, "NotImplemented", f"Header '{name}' not implemented")
    text = values.get("content-length", "0" if method in ("GET", "HEAD", "DELETE") else "")
    if not re.fullmatch("[0-9]{1,15}", text):
        raise Fault(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
    if int(text) > LARGEST:
        raise Fault(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
    return int(text)


def check_body(method, values, body):
    if hashlib.sha256(body).hexdigest() != values["x-amz-content-sha256"]:
        raise Fault(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
    if method not in ("PUT", "POST"):
        return
    try:
        wanted = base64.b64decode(values.get("content-md5", ""), validate=True)
    except binascii.Error:
        wanted = b""
    if len(wanted) != 16:
        raise Fault(400, "InvalidDigest", "The Content-MD5 you specified is not valid, or there is none.")
    if wanted != hashlib.md5(body).digest():
        raise Fault(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
