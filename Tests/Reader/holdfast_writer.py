#!/usr/bin/python3
"""A writer of Holdfast's image format: tiny, slow, and the same bytes every time.

Written from the article `Images.docc/Format.md` alone. It is no backup program: fixed chunks instead of cut points, one group, keys
and randomness from a seed. It exists for the vectors in Testdata/vectors, which a test of the product reads:

    holdfast_writer.py vectors DIRECTORY      a store with two images and a checkpoint, a single-file image, the identity, all keys
    holdfast_writer.py tree DIRECTORY         the tree that the vectors hold (root only: it has devices and owners)
    holdfast_writer.py listing DIRECTORY      a tree as the lines of tree.txt
"""
import base64, fcntl, hashlib, hmac, json, os, shutil, stat, struct, sys, tempfile

import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

sys.dont_write_bytecode = True
from holdfast_reader import hkdf, hpke_schedule, padme  # each checked against its own standard by test_vectors.py

RECIPIENT = "age16lz76pqs6wxql2h7ehsecm79et6xj4vqxjdcm3whk25qtt3ed97sjs6cr3"
IDENTITY = f"""# created: 2026-11-21T01:37:38Z
# public key: {RECIPIENT}
AGE-SECRET-KEY-1VX2HUCDTDNENKL0RZ7TUW959CSX3LXERFN3062H36V4GMGFNWX7Q32XAGK
"""
CHUNK_SIZE, PIECE_SIZE = 100_000, 2048
SETTABLE = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | 0x40 | 0x80 | 0x4000 | 0x8000 | 0x10000 | 0x20000 | 0x800000  # inode flags


class Seeded:
    """A stream of bytes that a name determines, in the place of randomness."""

    def __init__(self, name):
        self.name, self.count = name, 0

    def take(self, length):
        self.count += 1
        return hashlib.shake_256(b"holdfast vectors/%s/%d" % (self.name.encode(), self.count)).digest(length)


# ---------------------------------------------------------------------------------------------------------------------- Encoding

def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytes([number]))


def zigzag(number):
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def field(tag, value):
    value = varint(value) if isinstance(value, int) else value.encode() if isinstance(value, str) else value
    return varint(tag) + varint(len(value)) + value


def raw_public(private):
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


# -------------------------------------------------------------------------------------------------------------------------- Keys

def bech32_bytes(text):
    """The bytes of an age recipient; its checksum is believed."""
    bits = "".join(format("qpzry9x8gf2tvdw0s3jn54khce6mua7l".index(c), "05b") for c in text.rpartition("1")[2][:-6])
    return int(bits[:256], 2).to_bytes(32, "big")


def age_encrypt(plain, recipient, seeded):
    """age-encryption.org/v1 for one X25519 recipient; written here because `age` itself would never make the same file twice."""
    b64 = lambda data: base64.b64encode(data).rstrip(b"=")
    file_key, ephemeral, nonce = seeded.take(16), X25519PrivateKey.from_private_bytes(seeded.take(32)), seeded.take(16)
    theirs, share = bech32_bytes(recipient), raw_public(ephemeral)
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(theirs))
    wrap = ChaCha20Poly1305(hkdf(shared, share + theirs, b"age-encryption.org/v1/X25519")).encrypt(bytes(12), file_key, None)
    header = b"age-encryption.org/v1\n-> X25519 " + b64(share) + b"\n" + b64(wrap) + b"\n---"
    mac = hmac.digest(hkdf(file_key, b"", b"header"), header, "sha256")
    payload = ChaCha20Poly1305(hkdf(file_key, nonce, b"payload")).encrypt(bytes(11) + b"\1", plain, None)
    return header + b" " + b64(mac) + b"\n" + nonce + payload


class WriterKeys:
    """The secret of one epoch, all that follows from it, and a certified writer."""

    def __init__(self, seeded, group="vectors", name="host.example"):
        self.store, self.secret, self.epoch = seeded.take(16), seeded.take(32), 1
        derive = lambda info, length=32: hkdf(self.secret, self.store, info, length)
        self.sealing = X25519PrivateKey.from_private_bytes(derive(b"holdfast/1/sealing"))
        self.signing = Ed25519PrivateKey.from_private_bytes(derive(b"holdfast/1/signing"))
        self.group_name, self.group = group, derive(b"holdfast/1/group/" + group.encode(), 16)
        self.chunk_id = derive(b"holdfast/1/chunk id/" + self.group)
        self.index = derive(b"holdfast/1/index/" + self.group)
        self.gear = hkdf(self.chunk_id, self.store, b"holdfast/1/gear", 2048)
        self.writer = Ed25519PrivateKey.from_private_bytes(seeded.take(32))
        self.writer_id = hashlib.sha256(raw_public(self.writer)).digest()[:16]
        card = (field(1, raw_public(self.writer)) + field(2, self.store) + field(3, self.epoch) + field(4, self.group)
                + field(5, name) + field(6, 1_700_000_000))
        self.certificate = card + field(7, self.signing.sign(b"holdfast/1/certificate" + hashlib.sha256(card).digest()))
        lines = f"holdfast store 1\nstore {self.store.hex()}\nsuite 1\n"
        self.plain_text = (lines + f"check {hashlib.sha256(lines.encode()).hexdigest()[:16]}\nThis is a store of Holdfast.\n").encode()
        key_text = f"holdfast store key 1\nstore {self.store.hex()}\nepoch 1\nsecret {self.secret.hex()}\n"
        self.age_name, self.age_file = RECIPIENT + ".age", age_encrypt(key_text.encode(), RECIPIENT, seeded)


# ------------------------------------------------------------------------------------------------------------------------ Objects

DATA, METADATA, ROOT, CHECKPOINT, BATCH, KEYS = 1, 2, 3, 4, 5, 6
CHUNK, PIECE, DIRECTORY, SIGNATURE, LABEL, BODY, VOLUMES, PLAIN_TEXT, AGE_FILE = 1, 2, 3, 4, 5, 6, 7, 11, 12


class ObjectWriter:
    def __init__(self, keys, seeded, kind, run):
        self.keys, self.id, self.kind = keys, seeded.take(8), kind
        self.salt, self.object_key = seeded.take(32), seeded.take(32)
        self.start = struct.pack("<8sHBBI16s16s16s8s8s", b"HFOBJECT", 1, 1, kind, keys.epoch, keys.store, keys.group, keys.writer_id, self.id, run)
        ephemeral, recipient = X25519PrivateKey.from_private_bytes(seeded.take(32)), raw_public(keys.sealing)
        enc = raw_public(ephemeral)
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient))
        key, nonce = hpke_schedule(shared, enc, recipient, b"holdfast/1/object key")
        self.sealed = enc + AESGCM(key).encrypt(nonce, self.object_key, self.start)
        self.index_key = hkdf(keys.index, self.salt, b"holdfast/1/object index")
        self.out, self.table, self.rows, self.directory = bytearray(256), b"", b"", 0

    def header(self, length):
        block = self.start + struct.pack("<QQ", length, 0) + self.salt + self.sealed + bytes(16)
        return block + hashlib.sha256(block).digest()

    def frame(self, kind, content):
        """Appends a frame; of a sealed one, `content` is the plain text. Returns (offset, length, tag)."""
        offset = len(self.out)
        if kind in (SIGNATURE, PLAIN_TEXT, AGE_FILE):
            tag = hashlib.sha256(content).digest()[:16]
        else:
            at, key = struct.pack("<Q", offset), self.index_key if kind in (DIRECTORY, LABEL, VOLUMES) else self.object_key
            content = AESGCM(key).encrypt(bytes(4) + at, content, self.keys.store + self.id + at + bytes([kind]))
            tag = content[-16:]
        head = b"HfFr" + bytes([kind, 0, 0, 0]) + struct.pack("<I", len(content))
        self.out += head + hashlib.sha256(head).digest()[:4] + content
        if kind != SIGNATURE:
            self.table += struct.pack("<BQI", kind, offset, len(content)) + tag
        return offset, len(content), tag

    def chunk(self, kind, content):
        name = chunk_id(self.keys, content)
        packed = zstandard.ZstdCompressor(level=9).compress(content)
        codec, stored = (1, packed) if len(packed) < len(content) else (0, content)
        plain = struct.pack("<32sBII", name, codec, len(stored), len(content)) + stored
        offset, length, tag = self.frame(kind, plain + bytes(padme(len(plain)) - len(plain)))
        self.rows += struct.pack("<32sBIIQ16s", name, kind, length, len(content), offset, tag)
        return name

    def finish(self, known=True):
        """The whole object. `known`: whether the first header can have its length."""
        if self.rows:
            self.directory = self.frame(DIRECTORY, self.rows)[0]
        length = len(self.out) + 16 + len(field(1, self.keys.certificate)) + len(field(2, bytes(64))) + 256 + 64
        self.message = b"holdfast/1/object" + self.header(length)[:224] + hashlib.sha256(self.table).digest()
        self.digest = hashlib.sha256(self.message).digest()
        signature = self.frame(SIGNATURE, field(1, self.keys.certificate) + field(2, self.keys.writer.sign(self.message)))[0]
        trailer = b"HFTRAIL1" + struct.pack("<QQQ16x", self.directory, signature, length)
        self.out += self.header(length) + trailer + hashlib.sha256(trailer).digest()[:16]
        self.out[:256] = self.header(length if known else 0)
        assert len(self.out) == length
        return bytes(self.out)


def chunk_id(keys, content):
    return hashlib.blake2b(content, digest_size=32, key=keys.chunk_id).digest()


# ----------------------------------------------------------------------------------------------------------------------- Manifest

FILE, FOLDER, SYMLINK, HARD_LINK, CHARACTER, BLOCK, FIFO, SOCKET = range(1, 9)
TYPES = {stat.S_IFREG: FILE, stat.S_IFDIR: FOLDER, stat.S_IFLNK: SYMLINK, stat.S_IFCHR: CHARACTER, stat.S_IFBLK: BLOCK,
         stat.S_IFIFO: FIFO, stat.S_IFSOCK: SOCKET}


def encode_slices(slices):
    return b"".join(varint(length * 2) + name + varint(offset) if name else varint(length * 2 + 1) for length, name, offset in slices)


class Pieces:
    """The manifest's records, cut into pieces; of each the chunks that it cites."""

    def __init__(self):
        self.done, self.now, self.cited = [], b"", []
        self.source, self.open, self.file = None, [], None

    def emit(self, kind, payload, cited=()):
        record = bytes([kind]) + varint(len(payload)) + payload
        if self.now and len(self.now) + len(record) > PIECE_SIZE:
            self.cut()
        if not self.now:
            position = field(1, self.source) if self.source else b""
            position += field(2, len(self.open)) + (field(3, b"/".join(self.open[1:])) if len(self.open) > 1 else b"")
            position += field(4, self.file) if self.file is not None else b""
            self.now = bytes([1]) + varint(len(position)) + position
        self.now += record
        self.cited += [name for name in cited if name and name not in self.cited]

    def cut(self):
        if self.now:
            self.done.append((self.now, self.cited))
        self.now, self.cited = b"", []


class Scan:
    """Reads trees: all content becomes chunks, the rest a manifest."""

    def __init__(self, keys, sources, names, restarted=()):
        self.keys, self.names, self.restarted = keys, names, restarted  # names: {number: name} of users and groups
        self.chunks, self.pieces, self.segment, self.small = {}, Pieces(), b"", {}
        self.entries = self.bytes = self.newest = 0
        sys.setrecursionlimit(10_000)
        for tree in sources:
            self.gather(os.fsencode(tree))
        self.close_segment()
        for tree, name in sources.items():
            self.links, self.pieces.source = {}, None
            self.pieces.emit(2, field(1, os.fsencode(name)))
            self.pieces.source = os.fsencode(name)
            self.entry(os.fsencode(tree), None, [])
        self.pieces.cut()

    # Small files first: their chunk's id must be known when their entry is written.
    def gather(self, path):
        info = os.lstat(path)
        if stat.S_ISDIR(info.st_mode):
            below(path, self.gather)
        elif stat.S_ISREG(info.st_mode) and 0 < info.st_size <= CHUNK_SIZE // 2 and (info.st_dev, info.st_ino) not in self.small:
            with open(path, "rb") as file:
                content = file.read()
            if len(self.segment) + len(content) > CHUNK_SIZE:
                self.close_segment()
            self.small[info.st_dev, info.st_ino] = self.holder = getattr(self, "holder", None) or [None]
            self.small[info.st_dev, info.st_ino] = (len(content), self.holder, len(self.segment))
            self.segment += content

    def close_segment(self):
        if self.segment:
            self.holder[0] = self.add(self.segment)
        self.segment, self.holder = b"", None

    def add(self, content):
        name = chunk_id(self.keys, content)
        self.chunks[name] = content
        return name

    def entry(self, path, name, way):
        info, pieces = os.lstat(path), self.pieces
        kind = TYPES[stat.S_IFMT(info.st_mode)]
        self.entries, self.newest = self.entries + 1, max(self.newest, int(info.st_mtime_ns // 10**9))
        inode = info.st_dev, info.st_ino
        last = self.pieces.source.rpartition(b"/")[2]
        shown = name if name is not None else last if last not in (b"", b".", b"..") else b"root"
        self.shown = shown
        start = field(1, shown)
        if kind != FOLDER and info.st_nlink > 1 and inode in self.links:
            pieces.emit(5, start + field(2, HARD_LINK) + field(13, self.links[inode]))
            return
        self.links[inode] = b"/".join(way)
        out = start + field(2, kind) + field(3, stat.S_IMODE(info.st_mode)) + field(4, info.st_uid) + field(5, info.st_gid)
        for tag, number in (6, info.st_uid), (7, info.st_gid):
            out += field(tag, self.names[number]) if number in self.names else b""
        seconds, nanoseconds = divmod(info.st_mtime_ns, 10**9)
        out += field(8, zigzag(seconds)) + field(9, nanoseconds)
        rest = b""
        for key in sorted(os.fsencode(key) for key in os.listxattr(path, follow_symlinks=False)):
            rest += field(16, varint(len(key)) + key + os.getxattr(path, key, follow_symlinks=False))
        if kind in (FILE, FOLDER) and (flags := read_flags(path)):
            rest += field(17, flags)
        if kind == FOLDER:
            pieces.emit(3, out + rest)
            pieces.open.append(shown)
            below(path, lambda child: self.entry(child, child.rpartition(b"/")[2], way + [child.rpartition(b"/")[2]]))
            pieces.emit(4, b"")
            pieces.open.pop()
        elif kind == FILE:
            self.file(path, name, info, out, rest)
        elif kind == SYMLINK:
            pieces.emit(5, out + field(13, os.readlink(path)) + rest)
        elif kind in (CHARACTER, BLOCK):
            pieces.emit(5, out + field(14, os.major(info.st_rdev)) + field(15, os.minor(info.st_rdev)) + rest)
        else:
            pieces.emit(5, out + rest)

    def file(self, path, name, info, out, rest):
        self.bytes += info.st_size
        if small := self.small.get((info.st_dev, info.st_ino)):
            slices = [(small[0], small[1][0], small[2])]
        else:
            slices = list(self.large(path, info.st_size))
        if len(slices) < 3:
            self.pieces.emit(5, out + field(10, info.st_size) + (field(11, encode_slices(slices)) if slices else b"") + rest,
                             [name for _, name, _ in slices])
            return
        self.pieces.emit(5, out + field(12, 1) + rest)
        self.pieces.file = self.shown
        again = name in self.restarted
        if again:  # as if the file had changed while it was read: what came so far is void
            self.pieces.emit(6, encode_slices(slices[:2]), [name for _, name, _ in slices[:2]])
            self.pieces.emit(7, b"")
        for slice in slices:
            self.pieces.emit(6, encode_slices([slice]), [slice[1]])
        self.pieces.emit(8, (field(1, 1) if again else b"") + field(2, info.st_size))
        self.pieces.file = None

    def large(self, path, size):
        """Slices of one chunk or one hole each."""
        fd, at = os.open(path, os.O_RDONLY), 0
        while at < size:
            try:
                data = os.lseek(fd, at, os.SEEK_DATA)
            except OSError:  # no data up to the end
                data = size
            if data > at:
                yield data - at, None, 0
                at = data
            end = os.lseek(fd, at, os.SEEK_HOLE) if at < size else at
            while at < end:
                content = os.pread(fd, min(CHUNK_SIZE, end - at), at)
                yield len(content), self.add(content), 0
                at += len(content)
        os.close(fd)


def below(path, visit):
    """Visits a directory's entries in the order of their bytes; by its descriptor, so that a path of any length works."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    for name in sorted(os.fsencode(name) for name in os.listdir(fd)):
        visit(b"/proc/self/fd/%d/%s" % (fd, name))
    os.close(fd)


def read_flags(path):
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        return struct.unpack("I", fcntl.ioctl(fd, 0x80086601, bytes(4)))[0] & SETTABLE
    except OSError:
        return 0
    finally:
        os.close(fd)


# -------------------------------------------------------------------------------------------------------------- Store, single file

def root_object(keys, seeded, run, scan, sources, volumes, seconds, parent, new, stored):
    label = field(1, "vectors") + field(2, "host.example") + field(3, "0123-host") + b"".join(field(4, os.fsencode(s)) for s in sources.values())
    label += field(5, zigzag(seconds)) + field(6, 123456789) + field(7, zigzag(scan.newest)) + field(8, scan.entries) + field(9, scan.bytes)
    label += field(10, new) + field(11, stored) + field(12, "holdfast_writer.py") + (field(13, parent) if parent else b"") + field(14, 0)
    pieces = b"".join(field(1, chunk_id(keys, piece) + struct.pack("<I", len(piece))) for piece, _ in scan.pieces.done)
    root = ObjectWriter(keys, seeded, ROOT, run)
    root.frame(LABEL, label)
    root.frame(VOLUMES, b"".join(field(1, volume) for volume in volumes))
    root.frame(BODY, pieces + field(2, scan.entries) + field(3, scan.bytes))
    return root, root.finish()


class StoreWriter:
    def __init__(self, path, keys, seeded):
        self.path, self.keys, self.seeded, self.known = path, keys, seeded, {}  # known: {chunk id: its volume, as a root lists it}
        for twin in "", ".2":
            self.put(f"k/{keys.epoch}/{keys.age_name}{twin}", keys.age_file)
        self.put("HOLDFAST.2", keys.plain_text)
        self.put("HOLDFAST", keys.plain_text)

    def put(self, name, data):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            file.write(data)

    def volume(self, kind, frame_kind, run, contents):
        """A volume of those contents that no volume holds yet."""
        new = {chunk_id(self.keys, content): content for content in contents}
        new = {name: content for name, content in new.items() if name not in self.known}
        if not new:
            return None
        object = ObjectWriter(self.keys, self.seeded, kind, run)
        for content in new.values():
            object.chunk(frame_kind, content)
        data = object.finish(known=kind != DATA)
        name = f"v/{object.id.hex()[:2]}/{object.id.hex()[2:]}"
        self.put(name, data)
        if kind == METADATA:
            self.put(name + ".2", data)
        listed = object.id + object.digest + struct.pack("<Q", len(data))
        self.known.update(dict.fromkeys(new, listed))
        return object, name, data, sum(map(len, new.values()))

    def image(self, sources, seconds, names, parent=None, restarted=()):
        run, scan = self.seeded.take(8), Scan(self.keys, sources, names, restarted)
        data = self.volume(DATA, CHUNK, run, scan.chunks.values())
        self.volume(METADATA, PIECE, run, [piece for piece, _ in scan.pieces.done])
        needed = list(scan.chunks) + [chunk_id(self.keys, piece) for piece, _ in scan.pieces.done]
        volumes = sorted({self.known[name] for name in needed})
        root, whole = root_object(self.keys, self.seeded, run, scan, sources, volumes, seconds, parent, data[3] if data else 0, len(data[2]) if data else 0)
        self.put(f"i/{root.id.hex()}.2", whole)
        self.put(f"i/{root.id.hex()}", whole)
        return root, data

    def checkpoint(self):
        object = ObjectWriter(self.keys, self.seeded, CHECKPOINT, self.seeded.take(8))
        object.frame(VOLUMES, b"".join(field(1, volume) for volume in sorted(set(self.known.values()))))
        self.put(f"i/{object.id.hex()}", object.finish())


def single_file(keys, seeded, sources, seconds, names, restarted=()):
    """The bytes of a single-file image, and where each of its objects begins."""
    run, scan = seeded.take(8), Scan(keys, sources, names, restarted)
    object = ObjectWriter(keys, seeded, KEYS, run)
    object.frame(PLAIN_TEXT, keys.plain_text)
    object.frame(AGE_FILE, keys.age_name.encode() + b"\0" + keys.age_file)
    objects = [object.finish()] * 2
    for piece, cited in scan.pieces.done:
        batch = ObjectWriter(keys, seeded, BATCH, run)
        batch.chunk(PIECE, piece)
        for name in cited:
            batch.chunk(CHUNK, scan.chunks[name])
        batch.chunk(PIECE, piece)
        objects.append(batch.finish())
    objects += [root_object(keys, seeded, run, scan, sources, [], seconds, None, scan.bytes, sum(map(len, objects)))[1]] * 2
    return b"".join(objects), [sum(map(len, objects[:n])) for n in range(len(objects))]


# ------------------------------------------------------------------------------------------------------------------------ Vectors

NAMES = {0: b"root", 1000: b"alex"}


def make_tree(path):
    """Every type, attribute and awkward name that an image knows; small, and most of it compresses well."""
    os.umask(0o022)
    path, seeded = os.fsencode(path), Seeded("tree")
    at = lambda name: path + b"/" + name
    time = 1_700_000_000_000_000_001

    def put(name, content, mode=0o644, owner=1000):
        with open(at(name), "wb") as file:
            file.write(content)
        os.chown(at(name), owner, owner)
        os.chmod(at(name), mode)

    os.mkdir(path)
    for name in b"a folder", b"empty", b"links", b"many", b"nested", b"nested/one", b"nested/one/two":
        os.mkdir(at(name))
    put(b"a folder/plain", b"Hello, image.\n")
    put(b"a folder/set-id", b"#!/bin/sh\n", 0o6755, 0)
    put(b"a folder/empty", b"", 0o400)
    put(b"a folder/random", seeded.take(700))
    put(b"a folder/\xff\xfe not UTF-8\n", b"bytes\n")
    put(b"a folder/" + b"n" * 255, b"as long as a name can be\n")
    put("a folder/Grüße".encode(), b"UTF-8\n")
    put(b"nested/one/two/deep", b"deep\n" * 30)
    put(b"large", b"".join(b"line %d of a file of several chunks\n" % n for n in range(9000)))
    put(b"restarted", b"".join(b"%d: changed while it was read\n" % (n // 100) for n in range(9000)))
    for number in range(40):
        put(b"many/file %02d" % number, b"%d " % number * number)
    with open(at(b"sparse"), "wb") as file:  # data at 128 KiB, holes on both sides of it
        file.seek(131072)
        file.write(b"island " * 585 + b"!")
        file.truncate(524288 + 17)
    os.link(at(b"large"), at(b"links/hard"))
    os.link(at(b"a folder/plain"), at(b"links/hard too"))
    os.symlink(b"../large", at(b"links/symbolic"))
    os.symlink(b"nowhere/\xff", at(b"links/broken"))
    os.mkfifo(at(b"fifo"), 0o640)
    os.mknod(at(b"null"), stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(at(b"block"), stat.S_IFBLK | 0o660, os.makedev(7, 200))
    os.mknod(at(b"socket"), stat.S_IFSOCK | 0o755)
    os.chown(at(b"links/symbolic"), 1000, 1000, follow_symlinks=False)
    acl = lambda *rows: struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *row) for row in rows)
    nobody = 0xFFFFFFFF
    os.setxattr(at(b"a folder/plain"), b"user.comment", b"\0binary\xff")
    os.setxattr(at(b"a folder/plain"), b"user.empty", b"")
    os.setxattr(at(b"a folder/random"), b"system.posix_acl_access",
                acl((1, 6, nobody), (2, 4, 1234), (4, 4, nobody), (16, 4, nobody), (32, 0, nobody)))
    os.setxattr(at(b"empty"), b"system.posix_acl_default",
                acl((1, 7, nobody), (2, 5, 1234), (4, 5, nobody), (16, 5, nobody), (32, 0, nobody)))
    os.setxattr(at(b"a folder/set-id"), b"security.capability", struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0))
    os.chmod(at(b"empty"), 0o3770)
    for name in b"a folder/random", b"nested/one/two":  # no dump, no access times: harmless flags that every user can take away
        fd = os.open(at(name), os.O_RDONLY)
        now, = struct.unpack("I", fcntl.ioctl(fd, 0x80086601, bytes(4)))
        fcntl.ioctl(fd, 0x40086602, struct.pack("I", now | 0x40 | 0x80))
        os.close(fd)
    for number, (folder, _, names) in enumerate(sorted(os.walk(path, topdown=False))):
        for name in sorted(names):
            os.utime(os.path.join(folder, name), ns=(time, time + number * 10**9 + 7 * len(name)), follow_symlinks=False)
    os.utime(at(b"a folder/empty"), ns=(time, -1_500_000_001))  # before 1970
    for folder, _, _ in os.walk(path, topdown=False):
        os.utime(folder, ns=(time, time + len(folder) - len(path)))


def escape(data):
    return "".join(chr(b) if 0x20 < b < 0x7F and b != 0x5C else "\\x%02x" % b for b in data)


def listing(top):
    """A tree, one entry a line, fields apart by tabs: path, type, mode, owner:group, size, time in ns, links, flags, SHA-256 of the
    content (or target of a symbolic link, or device), attributes. Bytes other than 0x21 to 0x7e, and the backslash, are \\xNN."""
    lines = ["# path\ttype\tmode\towner:group\tsize\tmtime ns\tlinks\tflags\tsha256, target or device\textended attributes"]

    def visit(path, way=()):
        info = os.lstat(path)
        kind = TYPES[stat.S_IFMT(info.st_mode)]
        what = "-"
        if kind == FILE:
            with open(path, "rb") as file:
                what = hashlib.sha256(file.read()).hexdigest()
        elif kind == SYMLINK:
            what = escape(os.readlink(path))
        elif kind in (CHARACTER, BLOCK):
            what = f"{os.major(info.st_rdev)}:{os.minor(info.st_rdev)}"
        attributes = sorted((os.fsencode(key), os.getxattr(path, key, follow_symlinks=False)) for key in os.listxattr(path, follow_symlinks=False))
        flags = read_flags(path) if kind in (FILE, FOLDER) else 0
        lines.append("\t".join([escape(b"/".join(way)) or ".", " fdlhcbps"[kind], "%04o" % stat.S_IMODE(info.st_mode),
                                f"{info.st_uid}:{info.st_gid}", str(info.st_size if kind in (FILE, SYMLINK) else 0), str(info.st_mtime_ns),
                                str(1 if kind == FOLDER else info.st_nlink), "%x" % flags, what,
                                " ".join(f"{escape(key)}={value.hex()}" for key, value in attributes) or "-"]))
        if kind == FOLDER:
            below(path, lambda child: visit(child, (*way, child.rpartition(b"/")[2])))

    visit(os.fsencode(top))
    return "\n".join(lines) + "\n"


def write_vectors(to):
    keys = WriterKeys(Seeded("keys"))
    shutil.rmtree(to, ignore_errors=True)
    os.makedirs(to)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as scratch:
        tree, more = os.path.join(scratch, "tree"), os.path.join(scratch, "more")
        make_tree(tree)
        os.mkdir(more)
        for name in b"second", b"third":
            with open(os.path.join(os.fsencode(more), name), "wb") as file:
                file.write(name * 20)
            os.utime(os.path.join(os.fsencode(more), name), ns=(1, 1_700_000_100_000_000_003))
        os.utime(more, ns=(1, 1_700_000_100_000_000_004))
        store = StoreWriter(os.path.join(to, "store"), keys, Seeded("store"))
        first, example = store.image({tree: "/srv/tree"}, 1_700_000_500, NAMES, restarted=[b"restarted"])
        second, _ = store.image({os.path.join(tree, "a folder"): "/srv/tree/a folder", more: "/srv/more",
                                 os.path.join(more, "second"): "/etc/one file"}, 1_700_000_600, NAMES, parent=first.id)
        store.checkpoint()
        whole, _ = single_file(keys, Seeded("file"), {tree: "/srv/tree"}, 1_700_000_700, NAMES, restarted=[b"restarted"])
        texts = {"image.holdfast": whole, "identity.txt": IDENTITY.encode(), "tree.txt": listing(tree).encode(), "more.txt": listing(more).encode()}
    object, name, data, _ = example
    texts["keys.json"] = json.dumps({
        "store": keys.store.hex(), "epoch": keys.epoch, "secret": keys.secret.hex(), "recipient": RECIPIENT,
        "sealing private": hkdf(keys.secret, keys.store, b"holdfast/1/sealing").hex(), "sealing public": raw_public(keys.sealing).hex(),
        "signing seed": hkdf(keys.secret, keys.store, b"holdfast/1/signing").hex(), "signing public": raw_public(keys.signing).hex(),
        "group name": keys.group_name, "group": keys.group.hex(), "chunk id key": keys.chunk_id.hex(), "index key": keys.index.hex(),
        "gear": ["%016x" % word for word in struct.unpack("<4Q", keys.gear[:32])],
        "writer public": raw_public(keys.writer).hex(), "writer": keys.writer_id.hex(), "certificate": keys.certificate.hex(),
        "images": [first.id.hex(), second.id.hex()],
        "object": {"file": "store/" + name, "id": object.id.hex(), "index key": object.index_key.hex(), "object key": object.object_key.hex(),
                   "header": data[:256].hex(), "header at the end": data[-320:-64].hex(), "length": len(data),
                   "signed message": object.message.hex(), "digest": object.digest.hex(),
                   "first chunk": {"offset": 256, "id": object.rows[:32].hex()}},
    }, indent=2).encode() + b"\n"
    for name, content in texts.items():
        with open(os.path.join(to, name), "wb") as file:
            file.write(content)


if __name__ == "__main__":
    commands = {"vectors": write_vectors, "tree": make_tree, "listing": lambda path: print(listing(path), end="")}
    if len(sys.argv) != 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](sys.argv[2])
