#!/usr/bin/python3
"""A writer of Holdfast's image format: tiny, slow, and the same bytes every time.

Written from the article `Images.docc/Format.md` alone. It is no backup program: fixed chunks instead of cut points, one group, keys
and randomness from a seed. It exists for the vectors in Testdata/vectors, which tests of the product read:

    holdfast_writer.py vectors DIRECTORY      a store, one that was tampered with, single files, the identities, all keys
    holdfast_writer.py tree DIRECTORY         the tree that the vectors hold (root only: it has devices and owners)
    holdfast_writer.py listing DIRECTORY      a tree as the lines of tree.txt
"""
import base64, fcntl, hashlib, hmac, json, os, shutil, stat, struct, sys, tempfile

import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

sys.dont_write_bytecode = True
from holdfast_reader import hkdf, hpke_schedule, padme  # each checked against its own standard by test_vectors.py

RECIPIENT = "age16lz76pqs6wxql2h7ehsecm79et6xj4vqxjdcm3whk25qtt3ed97sjs6cr3"
IDENTITY = f"""# created: 2026-11-21T01:37:38Z
# public key: {RECIPIENT}
AGE-SECRET-KEY-1VX2HUCDTDNENKL0RZ7TUW959CSX3LXERFN3062H36V4GMGFNWX7Q32XAGK
"""
READER = "age1e9p3dmehjln3lv4nwcr5rxkn94ratzxa53jv0aa820puzj2vs96scqj60d"
READER_IDENTITY = f"""# created: 2026-11-26T15:40:00Z
# public key: {READER}
AGE-SECRET-KEY-1R2X9SA3GAYFFK56UE8DZ0A4LWH0MPHCCD04PS7XM6VRE43YR3XESTCQVXD
"""
LABELS = {RECIPIENT: "safe, paper copy", READER: "anna's laptop \u2615"}
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


def raw_private(private):
    return private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())


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


def hpke_seal(seeded, recipient, info, associated, plain):
    ephemeral = X25519PrivateKey.from_private_bytes(seeded.take(32))
    enc = raw_public(ephemeral)
    key, nonce = hpke_schedule(ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient)), enc, recipient, info)
    return enc + AESGCM(key).encrypt(nonce, plain, associated)


class StoreKeys:
    """A store's root key, its secrets of all epochs, its records."""

    def __init__(self, seeded, recipients=None, labels=None):
        self.recipients = recipients or {RECIPIENT: True, READER: False}
        self.labels = labels or {}
        self.seeded, self.store, self.root = seeded, seeded.take(16), Ed25519PrivateKey.from_private_bytes(seeded.take(32))
        self.secrets, self.records, self.revoked, self.replaced = {}, [], [], None
        lines = f"holdfast store 2\nstore {self.store.hex()}\nroot {raw_public(self.root).hex()}\nsuite 1\n"
        self.plain_text = (lines + f"check {hashlib.sha256(lines.encode()).hexdigest()[:16]}\nThis is a store of Holdfast.\n").encode()
        self.turn()

    def turn(self, revoked=()):
        """A new epoch. `revoked`: (writer id, [id ‖ digest of each root that still counts])."""
        self.epoch = len(self.secrets) + 1
        self.secrets[self.epoch] = self.seeded.take(32)
        self.revoked += revoked
        self.records.append(self.record(len(self.records) + 1, self.records[-1] if self.records else None))

    def rekey(self, certificates, revoked=()):
        """A new root key, and a new epoch with it. `certificates`: those of the keys before that go on counting."""
        self.replaced, self.root = (self.root, certificates), Ed25519PrivateKey.from_private_bytes(self.seeded.take(32))
        self.turn(revoked)
        self.replaced = None

    def record(self, number, before):
        body = b"holdfast record 2\n" + field(1, number) + field(2, hashlib.sha256(before).digest() if before else bytes(32))
        body += field(3, self.store) + field(4, raw_public(self.root)) + field(5, self.epoch) + field(6, raw_public(self.sealing(self.epoch)))
        body += field(7, zigzag(1_700_000_000 + number)) + b"".join(field(8, writer + b"".join(roots)) for writer, roots in self.revoked)
        body += b"".join(field(10, bytes([governs]) + name.encode()) for name, governs in sorted(self.recipients.items()))
        body += b"".join(field(13, name.encode() + b"\0" + label.encode()) for name, label in sorted(self.labels.items()))
        if self.replaced:
            root, certificates = self.replaced
            body += b"".join(field(12, hashlib.sha256(certificate).digest()) for certificate in certificates)
            body += field(11, raw_public(root) + root.sign(b"holdfast/1/rekey" + hashlib.sha256(body).digest()))
        return body + field(9, self.root.sign(b"holdfast/1/record" + hashlib.sha256(body).digest()))

    def derive(self, epoch, info, length=32):
        return hkdf(self.secrets[epoch], self.store, info, length)

    def sealing(self, epoch):
        return X25519PrivateKey.from_private_bytes(self.derive(epoch, b"holdfast/1/sealing"))

    def index_secret(self, epoch):
        return self.derive(epoch, b"holdfast/1/index")

    def index(self, epoch, group):
        return hkdf(self.index_secret(epoch), self.store, b"holdfast/1/index/" + group)

    def folder(self, epoch=None):
        epoch = epoch or self.epoch
        return f"k/{epoch}-{hashlib.sha256(raw_public(self.sealing(epoch))).hexdigest()[:16]}"

    def age_file(self, recipient, governs=True):
        text = f"holdfast store key 2\nstore {self.store.hex()}\n"
        text += f"root {raw_private(self.root).hex()}\n" if governs else ""
        text += "".join(f"epoch {epoch}\nsecret {secret.hex()}\n" for epoch, secret in self.secrets.items())
        return age_encrypt((text + "\n" * (-len(text) % 1024)).encode(), recipient, self.seeded)

    def fingerprint(self):
        text = base64.b32encode(hashlib.sha256(b"holdfast/1/fingerprint" + self.store + raw_public(self.root)).digest()[:20]).decode()
        return "-".join(text[at:at + 4] for at in range(0, 32, 4))


class WriterKeys:
    """A certified writer of a group, in one epoch; or a steward as it writes about that group."""

    def __init__(self, seeded, store=None, group="vectors", name="host.example", roles=1, predecessors=()):
        self.all = store or StoreKeys(seeded, {RECIPIENT: True})
        self.store, self.name, self.roles, self.series, self.predecessors = self.all.store, name, roles, name + "/", predecessors
        self.group_name, self.group = group, self.all.derive(1, b"holdfast/1/group/" + group.encode(), 16)
        self.chunk_id = self.all.derive(1, b"holdfast/1/chunk id/" + self.group)
        self.gear = hkdf(self.chunk_id, self.store, b"holdfast/1/gear", 2048)
        self.writer = Ed25519PrivateKey.from_private_bytes(seeded.take(32))
        self.unsealing = X25519PrivateKey.from_private_bytes(seeded.take(32))
        self.writer_id = hashlib.sha256(raw_public(self.writer)).digest()[:16]
        self.seeded = seeded
        self.certify(self.all.root)
        self.enter()

    def certify(self, root):
        self.certified = bytes(16) if self.roles & 2 else self.group
        card = (field(1, raw_public(self.writer)) + field(2, raw_public(self.unsealing)) + field(3, self.store) + field(4, self.certified)
                + field(5, self.name) + field(6, zigzag(1_700_000_000)) + field(7, self.roles))
        card += field(8, self.series) if self.roles & 1 else b""
        card += b"".join(field(9, writer) for writer in self.predecessors)
        self.certificate = card + field(10, root.sign(b"holdfast/1/certificate" + hashlib.sha256(card).digest()))

    def enter(self, epoch=None):
        """Writes in this epoch from now on; the store's newest where none is named."""
        self.epoch = epoch or self.all.epoch
        self.sealing, self.index = self.all.sealing(self.epoch), self.all.index(self.epoch, self.group)

    def machine_key(self):
        """What its machine keeps, of the epoch that it writes in."""
        epoch = struct.pack("<I", self.epoch) + raw_public(self.sealing) + self.index
        return (b"holdfast writer key 2\n" + field(1, raw_public(self.all.root)) + field(2, self.group_name) + field(3, self.chunk_id)
                + field(4, raw_private(self.writer)) + field(5, raw_private(self.unsealing)) + field(6, self.certificate) + field(7, epoch))

    def parcel(self):
        place = self.store + struct.pack("<I", self.all.epoch) + self.certified + self.writer_id
        key = self.all.index_secret(self.all.epoch) if self.roles & 2 else self.all.index(self.all.epoch, self.group)
        sealed = hpke_seal(self.seeded, raw_public(self.unsealing), b"holdfast/1/parcel", place, key)
        return (b"holdfast parcel 2\n" + field(1, self.certificate) + field(2, sealed)
                + field(3, self.all.root.sign(b"holdfast/1/parcel" + place + sealed)))


# ------------------------------------------------------------------------------------------------------------------------ Objects

DATA, METADATA, ROOT, CHECKPOINT, BATCH, KEYS, TOMBSTONE, INDEX, VERDICT = 1, 2, 3, 4, 5, 6, 9, 10, 11
CHUNK, PIECE, DIRECTORY, SIGNATURE, LABEL, BODY, VOLUMES, CONDEMNED, PLAIN_TEXT, AGE_FILE, STORE_RECORD, INDEX_ROWS, STATEMENT = \
    1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15
UNKNOWN = 200  # a kind of frame that no reader knows
WITH_OBJECT_KEY, WITH_INDEX_KEY = {CHUNK, PIECE, BODY}, {DIRECTORY, LABEL, VOLUMES, CONDEMNED, INDEX_ROWS, STATEMENT}


class ObjectWriter:
    def __init__(self, keys, seeded, kind, run, name=None, features=0):
        self.keys, self.id, self.kind = keys, name or seeded.take(16), kind
        self.salt, self.object_key = seeded.take(32), seeded.take(32)
        self.start = struct.pack("<8sHBBI16s16s16s16s16sQ", b"HFOBJECT", 2, 1, kind, keys.epoch, keys.store, keys.group, keys.writer_id, self.id, run, features)
        self.sealed = hpke_seal(seeded, raw_public(keys.sealing), b"holdfast/1/object key", self.start, self.object_key)
        self.index_key = hkdf(keys.index, self.salt, b"holdfast/1/object index")
        self.out, self.table, self.rows, self.directory = bytearray(256), b"", b"", 0

    def header(self, length):
        block = self.start + struct.pack("<Q", length) + self.salt + self.sealed
        return block + hashlib.sha256(block).digest()

    def frame(self, kind, content):
        """Appends a frame; of a sealed one, `content` is the plain text. Returns (offset, length, tag)."""
        offset = len(self.out)
        if kind in WITH_OBJECT_KEY | WITH_INDEX_KEY:
            at, key = struct.pack("<Q", offset), self.index_key if kind in WITH_INDEX_KEY else self.object_key
            content = AESGCM(key).encrypt(bytes(4) + at, content, self.keys.store + self.id + at + bytes([kind]))
        head = b"HfFr" + bytes([kind, 0, 0, 0]) + struct.pack("<I", len(content))
        self.out += head + hashlib.sha256(head).digest()[:4] + content
        if kind not in (CHUNK, PIECE, SIGNATURE):
            self.table += struct.pack("<BQI", kind, offset, len(content)) + hashlib.sha256(content).digest()
        return offset, len(content), content[-16:]

    def chunk(self, kind, content):
        name = chunk_id(self.keys, content)
        packed = zstandard.ZstdCompressor(level=9).compress(content)
        codec, stored = (1, packed) if len(packed) < len(content) else (0, content)
        plain = struct.pack("<32sBII", name, codec, len(stored), len(content)) + stored
        offset, length, tag = self.frame(kind, plain + bytes(padme(len(plain)) - len(plain)))
        self.rows += struct.pack("<32sBIIQ16s", name, kind, length, len(content), offset, tag)
        return name

    def finish(self, known=True, after=None):
        """The whole object. `known`: whether the first header can have its length; `after`: a frame behind the signature."""
        if self.rows:
            self.directory = self.frame(DIRECTORY, self.rows)[0]
        length = len(self.out) + 16 + len(field(1, self.keys.certificate)) + len(field(2, bytes(64))) + 256 + 64
        length += 16 + len(after) if after else 0
        self.message = b"holdfast/1/object" + self.header(length)[:224] + hashlib.sha256(self.keys.certificate).digest() + self.table
        self.digest, self.length = hashlib.sha256(self.message).digest(), length
        signature = self.frame(SIGNATURE, field(1, self.keys.certificate) + field(2, self.keys.writer.sign(self.message)))[0]
        if after:
            self.frame(UNKNOWN, after)
        trailer = b"HFTRAIL1" + struct.pack("<QQQ16x", self.directory, signature, length)
        self.out += self.header(length) + trailer + hashlib.sha256(trailer).digest()[:16]
        self.out[:256] = self.header(length if known else 0)
        assert len(self.out) == length
        return bytes(self.out)

    def reference(self):
        return self.keys.writer_id + self.id + self.digest + struct.pack("<Q", self.length)


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

def label_of(keys, scan, sources, seconds, series, sequence=1, parent=None, new=0, stored=0):
    label = field(1, "vectors") + field(2, keys.name) + field(3, "0123-host") + b"".join(field(4, os.fsencode(s)) for s in sources.values())
    label += field(5, zigzag(seconds)) + field(6, 123456789)
    if scan:
        label += field(7, zigzag(scan.newest)) + field(8, scan.entries) + field(9, scan.bytes) + field(10, new) + field(11, stored)
    label += field(12, "holdfast_writer.py") + (field(13, parent) if parent else b"") + field(14, 0)
    label += field(18, series) + field(19, sequence) + field(20, zigzag(seconds + 2)) + field(21, 1) + field(22, zigzag(2))
    return label + field(23, struct.pack("<I", len(keys.all.records)) + hashlib.sha256(keys.all.records[-1]).digest())


def root_object(keys, seeded, run, scan, label, volumes, batches=0, extra=None, features=0):
    pieces = b"".join(field(1, chunk_id(keys, piece) + struct.pack("<I", len(piece))) for piece, _ in scan.pieces.done)
    root = ObjectWriter(keys, seeded, ROOT, run, features=features)
    root.frame(LABEL, label)
    if extra:
        root.frame(UNKNOWN, extra)
    root.frame(VOLUMES, b"".join(field(tag, reference) for tag, reference in volumes))
    root.frame(BODY, pieces + field(2, scan.entries) + field(3, scan.bytes) + (field(5, batches) if batches else b""))
    return root, root.finish()


class StoreWriter:
    """Writes a store. `known`: {chunk id: (its volume, the index object that has its rows), each as a root names it}."""

    def __init__(self, path, keys, seeded):
        self.path, self.keys, self.seeded, self.known = path, keys, seeded, {}
        self.put_keys([])
        self.put("HOLDFAST", keys.plain_text)
        self.put("HOLDFAST.2", keys.plain_text)

    def put(self, name, data):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            file.write(data)

    def put_twice(self, name, data):
        self.put(name + ".2", data)
        self.put(name, data)

    def put_keys(self, writers):
        """What makes an epoch: age files, parcels, and last its record."""
        keys, folder = self.keys, self.keys.folder()
        self.put_twice(f"{folder}/{RECIPIENT}.age", keys.age_file(RECIPIENT))
        self.put_twice(f"{folder}/{READER}.reader.age", keys.age_file(READER, governs=False))
        for writer in writers:
            self.put(f"{folder}/{writer.writer_id.hex()}", writer.parcel())
        self.put_record(keys.records[-1], len(keys.records))

    def put_record(self, record, number):
        self.put_twice(f"e/{number:08x}-{hashlib.sha256(record).hexdigest()[:32]}", record)

    def join(self, *arguments, **more):
        writer = WriterKeys(*arguments, store=self.keys, **more)
        self.put(f"{self.keys.folder()}/{writer.writer_id.hex()}", writer.parcel())
        return writer

    def volume(self, writer, kind, frame_kind, run, contents, after=None):
        """A volume of those contents that no volume holds yet."""
        new = {chunk_id(writer, content): content for content in contents}
        new = {name: content for name, content in new.items() if name not in self.known}
        if not new:
            return None
        object = ObjectWriter(writer, self.seeded, kind, run)
        for content in new.values():
            object.chunk(frame_kind, content)
        object.bytes = object.finish(known=kind != DATA, after=after)
        object.path = f"v/{writer.group.hex()}/{writer.writer_id.hex()}/{object.id.hex()}"
        (self.put_twice if kind == METADATA else self.put)(object.path, object.bytes)
        object.names, object.new = list(new), sum(map(len, new.values()))
        return object

    def image(self, writer, sources, seconds, series="host.example/vectors", sequence=1, parent=None, restarted=(), after=None, unfinished=False, **more):
        run, scan = self.seeded.take(16), Scan(writer, sources, NAMES, restarted)
        volumes = [self.volume(writer, DATA, CHUNK, run, scan.chunks.values(), after),
                   self.volume(writer, METADATA, PIECE, run, [piece for piece, _ in scan.pieces.done])]
        own = [volume for volume in volumes if volume]
        if own:
            index = ObjectWriter(writer, self.seeded, INDEX, run)
            for volume in own:
                index.frame(INDEX_ROWS, volume.reference() + volume.rows)
            self.put(f"x/{writer.group.hex()}/{writer.writer_id.hex()}/{index.id.hex()}", index.finish())
        for volume in own:
            self.known.update(dict.fromkeys(volume.names, (volume.reference(), index.reference())))
        needed = {self.known[name] for name in list(scan.chunks) + [chunk_id(writer, piece) for piece, _ in scan.pieces.done]}
        named = sorted({(1, volume) for volume, _ in needed} | {(2, index) for _, index in needed})
        data = volumes[0]
        label = label_of(writer, scan, sources, seconds, series, sequence, parent and parent.id + parent.digest,
                         data.new if data else 0, len(data.bytes) if data else 0)
        root, whole = root_object(writer, self.seeded, run, scan, label, named, **more)
        root.path = f"i/{writer.group.hex()}/{writer.writer_id.hex()}/{root.id.hex()}"
        root.volumes, root.indexes = own, [reference for tag, reference in named if tag == 2]
        self.put(root.path + ".2", whole)
        if not unfinished:
            self.put(root.path, whole)
        return root

    def checkpoint(self, writer):
        object = ObjectWriter(writer, self.seeded, CHECKPOINT, self.seeded.take(16))
        object.frame(VOLUMES, b"".join(field(1, volume) for volume in sorted({volume for volume, _ in self.known.values()})))
        self.put(f"c/{writer.group.hex()}/{writer.writer_id.hex()}/{object.id.hex()}", object.finish())

    def verdict(self, kind, target, result, seconds, indexes=(), by=None):
        """By a key made for it, or by a steward, who reads directories alone."""
        attester = by or WriterKeys(self.seeded, store=self.keys, name="verifier.example", roles=4)
        object = ObjectWriter(attester, self.seeded, VERDICT, self.seeded.take(16))
        object.frame(STATEMENT, field(1, kind) + field(2, target.keys.writer_id + target.id + target.digest) + field(3, result) + field(4, 1 if by else 2)
                     + field(5, zigzag(seconds)) + field(6, "holdfast_writer.py") + b"".join(field(7, index) for index in indexes))
        self.put(f"a/{attester.group.hex()}/{object.id.hex()}", object.finish())

    def tombstone(self, steward, volumes, indexes=(), removed=(), horizon=None, seconds=None):
        """One without the times is from before anything was removed: it condemns, and nothing goes by it."""
        object = ObjectWriter(steward, self.seeded, TOMBSTONE, self.seeded.take(16))
        object.frame(CONDEMNED, b"".join(field(1, volume.reference()) for volume in volumes)
                     + (field(2, zigzag(horizon)) if horizon is not None else b"") + b"".join(field(3, root) for root in removed)
                     + (field(4, zigzag(seconds)) if seconds is not None else b"") + b"".join(field(5, index) for index in indexes))
        self.put(f"d/{steward.group.hex()}/{steward.writer_id.hex()}/{object.id.hex()}", object.finish())


def batch_id(run, number):
    return hashlib.sha256(b"holdfast/1/batch" + run + struct.pack("<I", number)).digest()[:16]


def single_file(keys, seeded, sources, seconds, restarted=()):
    """The bytes of a single-file image, and where each of its objects begins."""
    run, scan, series = seeded.take(16), Scan(keys, sources, NAMES, restarted), keys.series + "vectors"
    object = ObjectWriter(keys, seeded, KEYS, run)
    object.frame(PLAIN_TEXT, keys.all.plain_text)
    for record in keys.all.records:
        object.frame(STORE_RECORD, record)
    object.frame(AGE_FILE, (RECIPIENT + ".age").encode() + b"\0" + keys.all.age_file(RECIPIENT))
    object.frame(LABEL, label_of(keys, None, sources, seconds, series))
    objects = [object.finish()] * 2
    for number, (piece, cited) in enumerate(scan.pieces.done, 1):
        batch = ObjectWriter(keys, seeded, BATCH, run, name=batch_id(run, number))
        batch.chunk(PIECE, piece)
        for name in cited:
            batch.chunk(CHUNK, scan.chunks[name])
        batch.chunk(PIECE, piece)
        objects.append(batch.finish())
    label = label_of(keys, scan, sources, seconds, series, new=scan.bytes, stored=sum(map(len, objects)))
    objects += [root_object(keys, seeded, run, scan, label, [], batches=len(scan.pieces.done))[1]] * 2
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


def make_small(path):
    """A tree of a few files, each with a time of its own."""
    os.mkdir(path)
    for number, name in enumerate([b"second", b"third"]):
        with open(os.path.join(os.fsencode(path), name), "wb") as file:
            file.write(name * 20)
        os.utime(os.path.join(os.fsencode(path), name), ns=(1, 1_700_000_100_000_000_003))
    os.utime(path, ns=(1, 1_700_000_100_000_000_004))


def write_store(path, tree, more):
    """A sound store: three epochs, a writer that was revoked and whose only image still counts, content that others wrote, a steward who
    condemns a volume, calls another damaged, and has removed an image."""
    keys = StoreKeys(Seeded("keys"))
    store = StoreWriter(path, keys, Seeded("store"))
    writer, other = store.join(Seeded("writer")), store.join(Seeded("other writer"), name="other.example")
    steward = store.join(Seeded("steward"), name="steward", roles=2 | 4)
    first = store.image(writer, {tree: "/srv/tree"}, 1_700_000_500, restarted=[b"restarted"], after=b"nobody has signed this, and nobody reads it")
    seed = store.image(other, {more: "/srv/more"}, 1_700_000_550, series="other.example/more")
    store.verdict("i", seed, 3, 1_700_000_560, seed.indexes)
    keys.turn()
    store.put_keys([writer, other, steward])
    keys.turn([(other.writer_id, [seed.id + seed.digest])])
    store.put_keys([writer, steward])
    writer.enter(), steward.enter()
    second = store.image(writer, {os.path.join(tree, "a folder"): "/srv/tree/a folder", more: "/srv/more", os.path.join(more, "second"): "/etc/one file"},
                         1_700_000_600, sequence=2, parent=first, extra=b"a frame of a kind that is not known")
    store.verdict("v", first.volumes[0], 2, 1_700_000_700)
    store.verdict("v", first.volumes[0], 1, 1_700_000_800)
    store.verdict("v", first.volumes[1], 2, 1_700_000_800)
    store.checkpoint(writer)
    # What a cut run left, which no root names.
    unnamed = [store.volume(writer, DATA, CHUNK, store.seeded.take(16), [content]) for content in (b"condemned", b"damaged")]
    store.tombstone(steward, unnamed[:1])
    store.verdict("v", unnamed[1], 2, 1_700_000_900, by=steward)
    # An image that is gone, and its index object, of which nobody has read the digest.
    gone = [store.seeded.take(16) for _ in range(2)]
    store.tombstone(steward, [], [writer.writer_id + gone[1] + bytes(32) + struct.pack("<Q", 4711)],
                    [writer.writer_id + gone[0] + store.seeded.take(32)], 1_699_000_000, 1_700_001_000)
    store.verdict("i", first, 4, 1_700_001_100, by=steward)
    for result, seconds in ((4, 1_700_001_100), (5, 1_700_001_200), (1, 1_700_001_300)):
        store.verdict("i", second, result, seconds, by=steward)
    return writer, first, seed, second, steward, unnamed, gone


def write_hostile(path, more):
    """A store whose medium fell into other hands. Only the image `true` counts, and `kept`, of a writer that was revoked."""
    keys = StoreKeys(Seeded("hostile keys"))
    store = StoreWriter(path, keys, Seeded("hostile store"))
    writer, other = store.join(Seeded("hostile writer")), store.join(Seeded("hostile other"), name="other.example")
    sources = {more: "/srv/more"}
    found = {"true": store.image(writer, sources, 1_700_001_000), "kept": store.image(other, sources, 1_700_001_001, series="other.example/more")}
    keys.turn([(other.writer_id, [found["kept"].id + found["kept"].digest])])
    store.put_keys([writer])
    found["revoked"] = store.image(other, sources, 1_700_001_002, series="other.example/more", sequence=2)
    found["planted"] = store.image(writer, sources, 1_700_001_003, series="other.example/more", sequence=3)
    found["unfinished"] = store.image(writer, sources, 1_700_001_004, sequence=4, unfinished=True)
    found["feature"] = store.image(writer, sources, 1_700_001_005, sequence=5, features=1 << 63)
    # Who has the medium only: a root key and secrets of his own, the store's id, an age file for whoever the store names.
    foreign = StoreKeys(Seeded("foreign"))
    foreign.store, foreign.epoch = keys.store, 3
    foreign.secrets = {1: foreign.secrets[1], 3: foreign.seeded.take(32)}
    store.put_record(foreign.record(3, keys.records[-1]), 3)
    store.put_twice(f"{foreign.folder()}/{RECIPIENT}.age", foreign.age_file(RECIPIENT))
    store.put_twice(f"{keys.folder()}/age1foreign.age", foreign.age_file(RECIPIENT, governs=False))
    forger = WriterKeys(Seeded("forger"), store=foreign)
    store.known = {}
    found["foreign"] = store.image(forger, sources, 1_700_001_006, sequence=6)
    # The true root under another writer's name.
    with open(os.path.join(path, found["true"].path), "rb") as file:
        store.put(f"i/{writer.group.hex()}/{other.writer_id.hex()}/{found['true'].id.hex()}", file.read())
    return keys, {name: root.id.hex() for name, root in found.items()}


def write_rekeyed(path, more):
    """A store whose root key was replaced, since somebody who governed it was removed; he has gone on with the old one. `before`, `kept` and
    `after` count; `minted`, whose certificate the old key signed for nobody who is listed, does not, nor does his record."""
    keys = StoreKeys(Seeded("rekeyed keys"), {RECIPIENT: True, READER: True})
    store = StoreWriter(path, keys, Seeded("rekeyed store"))
    writer, other = store.join(Seeded("rekeyed writer")), store.join(Seeded("rekeyed other"), name="other.example")
    sources, fingerprint = {more: "/srv/more"}, keys.fingerprint()
    found = {"before": store.image(writer, sources, 1_700_002_000), "kept": store.image(other, sources, 1_700_002_001, series="other.example/more")}
    store.verdict("i", found["kept"], 3, 1_700_002_002, found["kept"].indexes)
    damaged = found["before"].volumes[0]
    store.verdict("v", damaged, 2, 1_700_002_003)
    machine_key = writer.machine_key()
    # What the old key alone can still do.
    minted, forged = WriterKeys(Seeded("minted"), store=keys), keys.record(2, keys.records[0])
    keys.recipients = {RECIPIENT: True, READER: False}
    keys.rekey([writer.certificate, other.certificate], [(other.writer_id, [found["kept"].id + found["kept"].digest])])
    writer.certify(keys.root)
    store.put_keys([writer])
    writer.enter()
    store.verdict("v", damaged, 2, 1_700_002_003)
    found["after"] = store.image(writer, sources, 1_700_002_004, sequence=2, parent=found["before"])
    store.put_record(forged, 2)
    store.known = {}
    found["minted"] = store.image(minted, sources, 1_700_002_005, sequence=3)
    return {"fingerprint": keys.fingerprint(), "fingerprint before": fingerprint, "records": [hashlib.sha256(record).hexdigest() for record in keys.records],
            "writer": writer.writer_id.hex(), "machine key": machine_key.hex(), "certificate": writer.certificate.hex(), "damaged": damaged.id.hex(),
            **{name: root.id.hex() for name, root in found.items()}}


def write_vectors(to):
    global PIECE_SIZE
    shutil.rmtree(to, ignore_errors=True)
    os.makedirs(os.path.join(to, "files"))
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as scratch:
        tree, more = os.path.join(scratch, "tree"), os.path.join(scratch, "more")
        make_tree(tree)
        make_small(more)
        writer, first, seed, second, steward, unnamed, gone = write_store(os.path.join(to, "store"), tree, more)
        hostile_keys, hostile = write_hostile(os.path.join(to, "hostile"), more)
        rekeyed = write_rekeyed(os.path.join(to, "rekeyed"), more)
        texts = {"identity.txt": IDENTITY, "reader.txt": READER_IDENTITY, "tree.txt": listing(tree), "more.txt": listing(more)}
        texts = {name: text.encode() for name, text in texts.items()}
        file_keys = WriterKeys(Seeded("file keys"))
        texts["image.holdfast"] = single_file(file_keys, Seeded("file"), {tree: "/srv/tree"}, 1_700_000_700, [b"restarted"])[0]
        # Small ones, a batch for each record.
        PIECE_SIZE, old = 1, PIECE_SIZE
        whole, starts = single_file(file_keys, Seeded("small file"), {more: "/srv/more"}, 1_700_000_700)
        other, others = single_file(file_keys, Seeded("other file"), {more: "/srv/more"}, 1_700_000_800)
        PIECE_SIZE = old
    keys_end, batches = starts[2], starts[2:-1]
    texts["files/whole.holdfast"] = whole
    texts["files/missing-batch.holdfast"] = whole[:batches[2]] + whole[batches[3]:]
    texts["files/foreign-batch.holdfast"] = whole[:batches[2]] + other[others[4]:others[5]] + whole[batches[3]:]
    lost = bytearray(whole)
    label = lost.rindex(b"HfFr" + bytes([LABEL, 0, 0, 0]), 0, keys_end)
    for place in label - starts[1], label:  # in both copies of the keys object
        lost[place + 20] ^= 1
    texts["files/lost-label.holdfast"] = bytes(lost)
    texts["labels.record"] = StoreKeys(Seeded("labels"), labels=LABELS).records[0]
    keys, example = writer.all, first.volumes[0]
    texts["keys.json"] = json.dumps({
        "store": keys.store.hex(), "fingerprint": keys.fingerprint(), "root seed": raw_private(keys.root).hex(),
        "root public": raw_public(keys.root).hex(), "recipient": RECIPIENT, "reader": READER,
        "records": [hashlib.sha256(record).hexdigest() for record in keys.records],
        "epochs": [{"secret": keys.secrets[epoch].hex(), "folder": keys.folder(epoch), "sealing private": keys.derive(epoch, b"holdfast/1/sealing").hex(),
                    "sealing public": raw_public(keys.sealing(epoch)).hex(), "index secret": keys.index_secret(epoch).hex(),
                    "index key": keys.index(epoch, writer.group).hex()} for epoch in keys.secrets],
        "group name": writer.group_name, "group": writer.group.hex(), "chunk id key": writer.chunk_id.hex(),
        "gear": ["%016x" % word for word in struct.unpack("<4Q", writer.gear[:32])],
        "writer public": raw_public(writer.writer).hex(), "writer": writer.writer_id.hex(), "certificate": writer.certificate.hex(),
        "writer seed": raw_private(writer.writer).hex(), "unsealing private": raw_private(writer.unsealing).hex(),
        "images": [first.id.hex(), seed.id.hex(), second.id.hex()],
        "object": {"file": "store/" + example.path, "id": example.id.hex(), "index key": example.index_key.hex(), "object key": example.object_key.hex(),
                   "header": example.bytes[:256].hex(), "header at the end": example.bytes[-320:-64].hex(), "length": example.length,
                   "signed message": example.message.hex(), "digest": example.digest.hex(),
                   "first chunk": {"offset": 256, "id": example.rows[:32].hex()}},
        "steward": steward.writer_id.hex(), "seeds": [seed.id.hex()],
        "damaged": sorted([first.volumes[1].id.hex(), unnamed[1].id.hex()]), "condemned": sorted([unnamed[0].id.hex(), gone[1].hex()]),
        "removed": [gone[0].hex()], "pinned": [first.id.hex()],
        "hostile": {"fingerprint": hostile_keys.fingerprint(), **hostile},
        "rekeyed": rekeyed,
    }, indent=2).encode() + b"\n"
    for name, content in texts.items():
        with open(os.path.join(to, name), "wb") as file:
            file.write(content)


if __name__ == "__main__":
    commands = {"vectors": write_vectors, "tree": make_tree, "listing": lambda path: print(listing(path), end="")}
    if len(sys.argv) != 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](sys.argv[2])
