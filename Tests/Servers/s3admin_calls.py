"""What `s3admin` and the servers ask of an S3 server, beyond single requests. Each call takes a Client; `Refused` says what was answered."""
import json


class Refused(Exception):
    pass


def wanted(what, answer, *statuses):
    if answer.status not in (statuses or (200, 201, 204)):
        text = answer.body[:300].decode(errors="replace")
        raise Refused(f"{what}: {answer.status} {text}")
    return answer


def keys(text):
    """Key and secret, of what radosgw says of a user."""
    first = json.loads(text)["keys"][0]
    return first["access_key"], first["secret_key"]


def make_bucket(client, bucket, versions=True, lock=None):
    wanted(f"making {bucket}", client.ask("PUT", f"/{bucket}", headers={"x-amz-bucket-object-lock-enabled": "true"} if lock else {}))
    if lock:
        body = (f"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode>"
                f"<Days>{lock}</Days></DefaultRetention></Rule></ObjectLockConfiguration>").encode()
        wanted(f"the lock of {bucket}", client.ask("PUT", f"/{bucket}", {"object-lock": ""}, body))
    elif versions:
        body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        wanted(f"the versions of {bucket}", client.ask("PUT", f"/{bucket}", {"versioning": ""}, body))


def put_policy(client, bucket, text, user=None):
    """Statements without a principal are the user's. {BUCKET} is the bucket's name."""
    policy = json.loads(text.replace("{BUCKET}", bucket))
    for statement in policy["Statement"]:
        if user:
            statement.setdefault("Principal", {"AWS": [f"arn:aws:iam:::user/{user}"]})
    wanted(f"the policy of {bucket}", client.ask("PUT", f"/{bucket}", {"policy": ""}, json.dumps(policy).encode()))


# Through radosgw's own interface, which signs as S3 does.

def make_user(client, user):
    return keys(wanted(f"making {user}", client.ask("PUT", "/admin/user", {"uid": user, "display-name": user, "format": "json"})).body)


def set_quota(client, user, size):
    # As parameters: with a body it is 501, since radosgw reads a signed body for its own list of requests alone.
    query = {"quota": "", "uid": user, "quota-type": "user", "enabled": "true" if size >= 0 else "false", "max-size": max(size, 0)}
    wanted(f"the quota of {user}", client.ask("PUT", "/admin/user", query))


def objects(client, bucket, prefix=""):
    """Name and length of each object."""
    query = {"list-type": 2, "prefix": prefix, "encoding-type": "url"}
    for answer in client.pages(bucket, query, "Contents", {"continuation-token": "NextContinuationToken"}):
        wanted("the list", answer, 200)
        yield from zip(answer.all("Key"), answer.all("Size"))


def versions(client, bucket, prefix=""):
    """Name, version, whether it is the newest, and `version` or `marker`."""
    query = {"versions": "", "prefix": prefix, "encoding-type": "url"}
    marks = {"key-marker": "NextKeyMarker", "version-id-marker": "NextVersionIdMarker"}
    for answer in client.pages(bucket, query, "Version", marks):
        wanted("the list of versions", answer, 200)
        for kind, name in ((b"Version", "version"), (b"DeleteMarker", "marker")):
            for part in answer.body.split(b"<%b>" % kind)[1:]:
                entry = type(answer)(200, [], part.split(b"</%b>" % kind)[0])
                yield entry.all("Key")[0], entry.all("VersionId")[0], entry.all("IsLatest")[0], name


