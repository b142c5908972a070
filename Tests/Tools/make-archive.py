"""Writes archives that no careful tool would, or that are hard to read right, to standard output: make-archive.py CASE [good]"""
import io
import sys
import tarfile

output = sys.stdout.buffer


def tar(entries, end=True):
    """entries: (name, {attributes of TarInfo}, content)"""
    stream = io.BytesIO()
    archive = tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT, errors="surrogateescape")
    # What comes behind must not be lost with it.
    for name, attributes, content in entries + [("good", {}, b"good")] * (sys.argv[-1] == "good"):
        info = tarfile.TarInfo(name)
        info.size = len(content)
        info.mtime = 1_600_000_000
        for key, value in attributes.items():
            setattr(info, key, value)
        archive.addfile(info, io.BytesIO(content))
    length = stream.tell()
    archive.close()
    output.write(stream.getvalue() if end else stream.getvalue()[:length])


def pax(**headers):
    return {"pax_headers": {key.replace("__", "."): value for key, value in headers.items()}}


def cpio(entries):
    for inode, name, mode, links, content in entries + [(0, b"TRAILER!!!", 0, 1, b"")]:
        head = b"070701" + b"".join(
            b"%08X" % value for value in (inode, mode, 0, 0, links, 1_600_000_000, len(content), 8, 1, 0, 0, len(name) + 1, 0))
        for part in (head + name + b"\0", content):
            output.write(part + b"\0" * (-len(part) % 4))


def old_cpio(entries):
    """cpio's portable form: numbers in octal, no padding."""
    for inode, name, mode, links, content in entries + [(0, b"TRAILER!!!", 0, 1, b"")]:
        numbers = (8, inode, mode, 0, 0, links, 0)
        output.write(b"070707" + b"".join(b"%06o" % value for value in numbers) + b"%011o%06o%011o" % (
            1_600_000_000, len(name) + 1, len(content)) + name + b"\0" + content)


def sparse(name):
    """A file of the greatest length there can be, all of it a hole."""
    map_block = b"0\n".ljust(512, b"\0")
    return (name, pax(GNU__sparse__major="1", GNU__sparse__minor="0", GNU__sparse__name=name,
                      GNU__sparse__realsize=str(2**63 - 1)), map_block)


def attributes(count):
    """So many files, each with half a megabyte of attributes."""
    with tarfile.open(fileobj=output, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for number in range(count):
            info = tarfile.TarInfo(str(number))
            info.pax_headers = {f"SCHILY.xattr.user.{name}": "x" * 65_000 for name in range(8)}
            archive.addfile(info)


spelled = [(1, b"\xc3\xa9", 0o100644, 1, b"composed"), (2, b"e\xcc\x81", 0o100644, 1, b"decomposed"),
           (3, b"link", 0o120777, 1, b"e\xcc\x81")]
folder = {"type": tarfile.DIRTYPE}
link = {"type": tarfile.LNKTYPE}
cases = {
    "memory": lambda: attributes(1200),
    "outside": lambda: tar([("a", {}, b"1"), ("b/../../c", {}, b"2")]),
    "long-name": lambda: tar([("n" * 256, {}, b"1")]),
    "no-name": lambda: tar([("a", {}, b"1"), ("", {}, b"")]),
    "cut": lambda: tar([("a", {}, b"1"), ("b", {}, b"2" * 600)], end=False),
    "below-a-file": lambda: tar([("a", {}, b"1"), ("a/b", {}, b"2")]),
    "below-a-link": lambda: tar([("a", {"type": tarfile.SYMTYPE, "linkname": "/etc"}, b""), ("a/b", {}, b"2")]),
    "folder-and-file": lambda: tar([("a", dict(folder, mode=0o755), b""), ("a", {}, b"2")]),
    "link-to-nothing": lambda: tar([("a", dict(link, linkname="nothing"), b"")]),
    "link-to-itself": lambda: tar([("a", {}, b"1"), ("a", dict(link, linkname="a"), b"")]),
    "link-then-again": lambda: tar([("a", {}, b"1"), ("b", dict(link, linkname="a"), b""), ("a", {}, b"2")]),
    "owner": lambda: tar([("a", pax(uid="99999999999"), b"1")]),
    "volume": lambda: tar([("a", {"type": b"M"}, b"")]),
    "unknown-name": lambda: tar(
        [("a", pax(SCHILY__acl__access="user::rw-,user:nobody-of-that-name:rwx,group::r--,mask::rwx,other::---"), b"1")]),
    "old": lambda: tar([("a", pax(mtime="-1.75"), b"1")]),
    "late-link": lambda: tar([("a", dict(link, linkname="b"), b""), ("b", {}, b"1")]),
    "empty-link": lambda: tar([("a", {"type": tarfile.SYMTYPE, "linkname": ""}, b"")]),
    "folder": lambda: tar([("d", dict(folder, **pax(uid=str(2**33))), b""), ("d/a", {}, b"1")]),
    "device": lambda: tar([("a", {"type": tarfile.CHRTYPE, "devmajor": 1 << 20, "devminor": 3}, b"")]),
    "great-number": lambda: tar(
        [("a", pax(SCHILY__acl__access="user::rw-,user:x:rwx:9999999999,group::rwx,mask::r--,other::---"), b"1")]),
    "no-list": lambda: tar([("a", pax(SCHILY__xattr__system__posix_acl_access="list"), b"1")]),
    "encoded": lambda: tar([("a", {"pax_headers": {
        "LIBARCHIVE.xattr.user.a%20b": "MQ", "SCHILY.xattr.user.a%20b": "1", "SCHILY.xattr.user.a%20c": "2"}}, b"1")]),
    "no-space": lambda: tar([("a", pax(SCHILY__xattr__nonsense="1"), b"1")]),
    "link-attribute": lambda: tar([("a", dict(pax(SCHILY__xattr__user__x="1"), type=tarfile.SYMTYPE, linkname="b"), b"")]),
    "pipe-attribute": lambda: tar([("a", dict(pax(SCHILY__xattr__user__x="1"), type=tarfile.FIFOTYPE), b"")]),
    "long-attribute": lambda: tar([("a", pax(SCHILY__xattr__user__x="1" * 70_000), b"1")]),
    "damaged": lambda: (tar([("a", {}, b"1")], end=False), output.write(b"x" * 512), tar([("b", {}, b"2")])),
    "long-link": lambda: tar([("a", {"type": tarfile.SYMTYPE, "linkname": "x" * 5000}, b"")]),
    "deep": lambda: tar([("/".join("d" * 5000), {}, b"1")]),
    "two-values": lambda: tar([("a", pax(SCHILY__xattr__user__x="1", LIBARCHIVE__xattr__user__x="Mg"), b"1")]),
    "huge": lambda: tar([sparse("a"), sparse("b"), sparse("c")]),
    "order": lambda: tar([
        ("deep/er/file", {"mode": 0o600}, b"1"), ("other", {"mode": 0o644}, b"2"), ("deep/er", dict(folder, mode=0o1777), b""),
        ("deep/second", dict(link, linkname="other"), b""), ("deep", dict(folder, mode=0o2750), b""),
        ("deep/er/file 2", {"mode": 0o640}, b"3"), ("./", dict(folder, mode=0o711), b"")]),
    "again": lambda: tar([("a", {"mode": 0o600}, b"old"), ("b", {}, b"2"), ("a", {"mode": 0o644}, b"new")]),
    "absolute": lambda: tar([("/etc/file", {"mode": 0o644}, b"1"), ("./etc//./other", {"mode": 0o644}, b"2")]),
    "no-text": lambda: tar([("b\udcff\u00fc", {"mode": 0o644}, b"1")]),
    "owner-names": lambda: tar([("a", pax(SCHILY__acl__access="user::rw-,user:1234:rwx,group::r--,mask::rwx,other::---"), b"1")]),
    # The content is with the last name, as GNU cpio writes it.
    "cpio": lambda: cpio([
        (1, b"d", 0o40750, 2, b""), (2, b"d/a", 0o100644, 2, b""), (2, b"d/b", 0o100644, 2, b"hello"),
        (3, b"d/sock", 0o140755, 1, b""), (4, b"d/link", 0o120777, 1, b"a")]),
    "cpio-names-new": lambda: cpio(spelled),
    "cpio-names-old": lambda: old_cpio(spelled),
    "cpio-cut": lambda: output.write(b"070701" + b"%08X" % 2 + b"%08X" % 0o100644 + b"00000000" * 10),
    # The magic bytes for which libarchive calls a program.
    "program": lambda: output.write(b"GRZipII\0\2\4:)" + b"\0" * 1000),
    "text": lambda: output.write(b"#mtree\n./a type=file\n" * 50),
}

cases[sys.argv[1]]()
