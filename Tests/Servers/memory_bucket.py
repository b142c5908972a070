"""A bucket in memory, as S3 describes one: what is in it, without any HTTP. `refusing` serves it.

Each name has its versions, the newest last. Without versions there is at most one, with the id "null". Calls that find a fault raise
`Fault`, which is the answer.
"""
import base64
import binascii
import hashlib
import itertools
import threading
import time


class Fault(Exception):
    def __init__(self, status, code, message, **headers):
        super().__init__(f"{status} {code}")
        self.status, self.code, self.message = status, code, message
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Version:
    def __init__(self, name, id, data, modified):
        self.name, self.id, self.data, self.modified = name, id, data, modified
        self.latest = True

    @property
    def marker(self):
        return self.data is None

    @property
    def etag(self):
        return '"' + hashlib.md5(self.data).hexdigest() + '"'


def missing(name):
    return Fault(404, "NoSuchKey", "The specified key does not exist.")


class Bucket:
    def __init__(self, versioned=False, quota=None, lock=None, enforce=False, clock=time.time):
        self.versioned, self.quota, self.lock, self.enforce, self.clock = versioned, quota, lock, enforce, clock
        self.names = {}
        self.guard = threading.RLock()
        self.numbers = itertools.count(1)

    def put(self, name, data, new=False):
        with self.guard:
            versions = self.names.get(name, [])
            if new and versions and not versions[-1].marker:
                raise Fault(412, "PreconditionFailed", "At least one of the preconditions you specified did not hold.")
            if self.quota is not None:
                used = sum(len(one.data) for all in self.names.values() for one in all if not one.marker)
                freed = 0 if self.versioned else sum(len(one.data) for one in versions)
                if used - freed + len(data) > self.quota:
                    raise Fault(507, "QuotaExceeded", f"The quota of {self.quota} bytes is exceeded.")
            return self._add(name, data)

    def _add(self, name, data):
        id = f"v{next(self.numbers):08d}" if self.versioned else "null"
        version = Version(name, id, data, self.clock())
        before = self.names.setdefault(name, [])
        if not self.versioned:
            before.clear()
        for one in before:
            one.latest = False
        before.append(version)
        return version

    def get(self, name, id=None):
        with self.guard:
            versions = self.names.get(name, [])
            if id is None:
                if not versions:
                    raise missing(name)
                if versions[-1].marker:
                    raise Fault(404, "NoSuchKey", "The newest version is a delete marker.", x_amz_delete_marker="true",
                                x_amz_version_id=versions[-1].id)
                return versions[-1]
            for one in versions:
                if one.id == id:
                    if one.marker:
                        raise Fault(405, "MethodNotAllowed", "This version is a delete marker.", x_amz_delete_marker="true", Allow="DELETE")
                    return one
            raise Fault(404, "NoSuchVersion", "The specified version does not exist.")

    def delete(self, name, id=None):
        """The headers of the answer."""
        with self.guard:
            versions = self.names.get(name, [])
            if id is None:
                if not self.versioned:
                    self.names.pop(name, None)
                    return {}
                return {"x-amz-version-id": self._add(name, None).id, "x-amz-delete-marker": "true"}
            for one in versions:
                if one.id == id:
                    if self.enforce and self.lock and not one.marker and self.clock() < one.modified + self.lock * 86400:
                        raise Fault(403, "AccessDenied", "The version is locked.")
                    versions.remove(one)
                    if versions:
                        versions[-1].latest = True
                    else:
                        del self.names[name]
            return {"x-amz-version-id": id}

    # -- lists

    def page(self, prefix, delimiter, after, limit):
        """Names, or common prefixes, after a name: (name, version or None), and the name to go on after, if there is more."""
        with self.guard:
            entries, last = [], None
            for name in sorted(self.names, key=str.encode):
                version = self.names[name][-1]
                if version.marker or not name.startswith(prefix):
                    continue
                end = name.find(delimiter, len(prefix)) if delimiter else -1
                shown = name[:end + len(delimiter)] if end >= 0 else name
                # After a common prefix, what is below it has been told already.
                if after is not None and (name.encode() <= after.encode() or (end >= 0 and shown.encode() <= after.encode())):
                    continue
                if shown == last:
                    continue
                if len(entries) == limit:
                    return entries, last
                entries.append((shown, None if end >= 0 else version))
                last = shown
            return entries, None

    def page_of_versions(self, prefix, after, after_id, limit):
        """The newest of each name first, after a name and, within it, a version. And whether there is more."""
        with self.guard:
            every = [one for name in sorted(self.names, key=str.encode) if name.startswith(prefix) for one in reversed(self.names[name])]
            if after is not None:
                places = [place for place, one in enumerate(every) if one.name == after and one.id == after_id]
                every = every[places[0] + 1:] if places else [one for one in every if one.name.encode() > after.encode()]
            return every[:limit], len(every) > limit


def token(name):
    return base64.urlsafe_b64encode(b"after " + name.encode()).decode()


def name_of(token):
    try:
        text = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
        if text.startswith(b"after "):
            return text[6:].decode()
    except (binascii.Error, UnicodeError, ValueError):
        pass
    raise Fault(400, "InvalidArgument", "The continuation token provided is incorrect")
