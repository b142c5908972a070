#!/usr/bin/python3
"""A reader of Holdfast's image format: small, slow and independent.

It was written from the article `Images.docc/Format.md` alone and shares no line with the product, so that an image that both
read is an image that the article describes. Read the two side by side: the sections below follow the article's order.

    holdfast_reader.py info    STORE|FILE --identity FILE
    holdfast_reader.py list    STORE|FILE --identity FILE
    holdfast_reader.py restore STORE|FILE [IMAGE-ID|latest] [--series NAME] --identity FILE --to DIR
    holdfast_reader.py needs   STORE|FILE [IMAGE-ID|latest] [--series NAME] --identity FILE
    holdfast_reader.py verify  STORE|FILE --identity FILE
    holdfast_reader.py dump    FILE [...]

With --fingerprint a store or file that has another one is refused. It remembers nothing, so it cannot see that a store was put back.
Exit status: 0 all is well, 1 nothing could be done, 2 wrong usage, 3 something is damaged or lost (named on stderr), 4 refused.
Needs python3-cryptography, python3-zstandard and the program `age`.
"""
import argparse, base64, fcntl, hashlib, hmac, itertools, json, mmap, os, re, resource, shutil, stat, struct, subprocess, sys, tempfile, unicodedata
from collections import OrderedDict, namedtuple
from datetime import datetime, timedelta
from functools import lru_cache
from types import SimpleNamespace

import zstandard
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Damage(Exception):
    """What was read is not what the article describes."""


class Superseded(Damage):
    """What an earlier root key certified, and the newest does not list: it counts for nothing, and of a verdict that is no damage."""


class Forged(Damage):
    """What is whole, and not what its writer signed."""


class Refused(Exception):
    """What the article wants refused for every purpose."""


def show(name):
    """Bytes as one line of text: what is neither printable nor UTF-8 becomes \\xNN."""
    text = bytes(name).replace(b"\\", b"\\x5c").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else "".join("\\x%02x" % b for b in c.encode()) for c in text)


# ---------------------------------------------------------------------------------------------------- Overview: integers, fields

def varint(data, at):
    value = shift = 0
    while at < len(data) and shift < 70:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128 and value < 1 << 64:
            return value, at
    raise Damage("a varint that does not end")


def integer(value):
    number, end = varint(value, 0)
    if end != len(value):
        raise Damage("an integer with bytes after it")
    return number


def zigzag(value):
    number = integer(value)
    return number >> 1 ^ -(number & 1)


def raw(value):
    return value


def text(value):
    return value.decode("utf-8", "backslashreplace")


def fields(data, schema):
    """Reads fields by a table `tag: (name, reader)`; [reader] may repeat. Absent: 0 for numbers, None otherwise."""
    found = {name: [] if isinstance(read, list) else 0 if read in (integer, zigzag) else None for name, read in schema.values()}
    seen, unknown, at = set(), [], 0
    while at < len(data):
        tag, at = varint(data, at)
        length, at = varint(data, at)
        value, at = bytes(data[at:at + length]), at + length
        if at > len(data):
            raise Damage("a field longer than what it stands in")
        if tag not in schema:
            unknown.append(tag)
            continue
        name, read = schema[tag]
        if isinstance(read, list):
            found[name].append(read[0](value))
        elif tag in seen:
            raise Damage(f"the field {tag} ({name}) repeats")
        else:
            found[name] = read(value)
        seen.add(tag)
    return SimpleNamespace(**found, unknown=unknown)


# ------------------------------------------------------------------------------------------------------------------------- Keys

@lru_cache(None)
def hkdf(secret, salt, info, length=32):
    """HKDF-SHA256, RFC 5869."""
    return expand(hmac.digest(salt, secret, "sha256"), info, length)


def expand(key, info, length):
    block = output = b""
    for count in range(1, -(-length // 32) + 1):
        block = hmac.digest(key, block + info + bytes([count]), "sha256")
        output += block
    return output[:length]


def public(private):
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def is_signed(key, signature, message):
    try:
        Ed25519PublicKey.from_public_bytes(key or b"").verify(signature or b"", message)
        return True
    except (InvalidSignature, ValueError):
        return False


def fingerprint(store, root):
    text = base64.b32encode(hashlib.sha256(b"holdfast/1/fingerprint" + store + root).digest()[:20]).decode()
    return "-".join(text[at:at + 4] for at in range(0, 32, 4))


class Keys:
    """What an identity leads to: the secrets of the epochs, and all that follows from them."""

    def __init__(self, store, root, records, secrets):
        self.store, self.root, self.records, self.secrets = store, root, records, secrets
        self.newest, self.earlier = records[-1], {record.root for record in records} - {root}
        self.certificates = next((set(record.certificates) for record in reversed(records) if record.replaced), set())

    def derive(self, epoch, info, length=32):
        if epoch not in self.secrets:
            raise Damage(f"the secret of epoch {epoch} is not in the key files that this identity opens")
        return hkdf(self.secrets[epoch], self.store, info, length)

    def sealing(self, epoch):
        return X25519PrivateKey.from_private_bytes(self.derive(epoch, b"holdfast/1/sealing"))

    def chunk_id(self, group):
        return self.derive(1, b"holdfast/1/chunk id/" + group)

    def index(self, epoch, group):
        return hkdf(self.derive(epoch, b"holdfast/1/index"), self.store, b"holdfast/1/index/" + group)


def read_plain_text(data):
    """The five lines of HOLDFAST: store id and root key."""
    lines = bytes(data).splitlines(keepends=True)[:5]
    version = re.fullmatch(rb"holdfast store (\d+)\n", lines[0]) if lines else None
    if version and version[1] != b"2":
        raise Refused(f"a store of version {version[1].decode()}, and this reader knows version 2")
    match = re.fullmatch(rb"holdfast store 2\nstore ([0-9a-f]{32})\nroot ([0-9a-f]{64})\nsuite 1\ncheck ([0-9a-f]{16})\n", b"".join(lines))
    if not match or hashlib.sha256(b"".join(lines[:4])).hexdigest()[:16] != match[3].decode():
        raise Damage("not the text of a store that this reader knows, or its check is wrong")
    return bytes.fromhex(match[1].decode()), bytes.fromhex(match[2].decode())


def read_recipient(value):
    """Who opens the store, and whether he governs it."""
    return text(value[1:]), value[:1] == b"\x01"


def read_label(value):
    """What people call a recipient: his name, a zero byte, the label."""
    name, zero, label = value.partition(b"\0")
    if not zero or len(label) > 128 or any(unicodedata.category(character) == "Cc" for character in text(label)):
        raise Damage("the label of a recipient is too long, or no text")
    return text(name), text(label)


def read_revoked(value):
    """A revoked writer, and its roots that still count, each as id ‖ digest."""
    if len(value) % 48 != 16:
        raise Damage("a revocation that is not made of whole roots")
    return value[:16], {value[at:at + 48] for at in range(16, len(value), 48)}


RECORD = {1: ("number", integer), 2: ("before", raw), 3: ("store", raw), 4: ("root", raw), 5: ("epoch", integer), 6: ("sealing", raw),
          7: ("time", zigzag), 8: ("revoked", [read_revoked]), 9: ("signature", raw), 10: ("recipients", [read_recipient]),
          11: ("consent", raw), 12: ("certificates", [raw]), 13: ("labels", [read_label])}
RECORD_MAGIC, PARCEL_MAGIC = b"holdfast record 2\n", b"holdfast parcel 2\n"


def read_record(data):
    """A record that the root key which it names has signed; where that is a new one, with the consent of the one before."""
    if not data.startswith(RECORD_MAGIC) or len(data) > 4 << 20:
        raise Damage("not a record")
    record = fields(data[len(RECORD_MAGIC):], RECORD)
    if not data.endswith(b"\x09\x40" + (record.signature or b"?")) or \
            not is_signed(record.root, record.signature, b"holdfast/1/record" + hashlib.sha256(data[:-66]).digest()):
        raise Damage("a record that its root key did not sign")
    record.replaced = record.consent and record.consent[:32]
    if record.consent:
        before = data[:data.rindex(b"\x0b" + bytes([len(record.consent)]) + record.consent)]
        if record.replaced == record.root or not is_signed(record.replaced, record.consent[32:], b"holdfast/1/rekey" + hashlib.sha256(before).digest()):
            raise Damage("a new root key without the consent of the one before")
    record.hash = hashlib.sha256(data).digest()
    return record


def replacements(found, first):
    """All root keys that the records of a store name, each with those that took its place."""
    later = {first: set()}
    for record in sorted(found, key=lambda record: record.number):
        if record.replaced in later:
            later[record.replaced].add(record.root)
            later.setdefault(record.root, set())
    return later


def choose_root(found, store, first, pinned):
    """The root key that counts. A pin is not carried on to a key that took the pinned one's place."""
    later = replacements(found, first)
    name = lambda roots: " or ".join(sorted(fingerprint(store, root) for root in roots))
    newest = [root for root in later if not later[root]]
    if pinned is None and len(newest) != 1:
        raise Refused(f"several keys say that they took the place of the root key: {name(newest)}")
    root = newest[0] if pinned is None else next((root for root in later if fingerprint(store, root) == pinned), None)
    if root is None:
        raise Refused(f"the fingerprint is {name(newest)}, and {pinned} is pinned")
    if later[root]:
        raise Refused(f"there is a new root key, with the fingerprint {name(later[root])}, and {pinned} is pinned")
    return root


def check_records(found, store, first, root):
    """The chain of a store's records, the newest last: those of the root key, and what they name before them."""
    known = {record.hash: record for record in found if record.store == store}
    own = {name: record for name, record in known.items() if record.root == root}
    if not own:
        raise Damage("the store has no record of its root key")
    chain = [max(own.values(), key=lambda record: record.number)]
    while chain[0].number > 1:
        record, before = chain[0], known.get(chain[0].before)
        if not before or before.number != record.number - 1:
            raise Damage(f"record {record.number - 1} of the store is missing")
        if record.replaced != (None if record.root == before.root else before.root) or record.epoch < before.epoch + (record.root != before.root):
            raise Damage(f"record {record.number} of the store does not go on from the one before")
        if record.epoch == before.epoch and record.sealing != before.sealing:
            raise Refused(f"the store gives two keys for epoch {record.epoch}")
        chain.insert(0, before)
    if (chain[0].root, chain[0].replaced, chain[0].before) != (first, None, bytes(32)):
        raise Damage("record 1 of the store is missing")
    for record in own.values():
        if record not in chain:
            raise Refused(f"the store has two records of number {record.number}")
    return chain


def read_key_text(data):
    """The text inside an age file: store id, root seed or None, {epoch: secret}."""
    pattern = rb"holdfast store key 2\nstore ([0-9a-f]{32})\n(?:root ([0-9a-f]{64})\n)?((?:epoch \d+\nsecret [0-9a-f]{64}\n)+)\n*"
    match = re.fullmatch(pattern, data)
    if not match or len(data) % 1024:
        raise Damage("not the text of a store key")
    pairs = re.findall(rb"epoch (\d+)\nsecret ([0-9a-f]{64})", match[3])
    unhex = lambda digits: bytes.fromhex(digits.decode())
    return unhex(match[1]), match[2] and unhex(match[2]), {int(epoch): unhex(secret) for epoch, secret in pairs}


def open_age(data, identity):
    if bytes(data).count(b"\n-> ") > 16:
        return None
    done = subprocess.run(["age", "-d", "-i", identity], input=bytes(data), capture_output=True)
    return done.stdout if done.returncode == 0 else None


WRITE, STEWARD, ATTEST = 1, 2, 4
CERTIFICATE = {1: ("key", raw), 2: ("sealing", raw), 3: ("store", raw), 4: ("group", raw), 5: ("name", text), 6: ("issued", zigzag),
               7: ("roles", integer), 8: ("series", [raw]), 9: ("predecessors", [raw]), 10: ("signature", raw)}


def read_certificate(data, root, others=(), earlier=()):
    """A certificate that this root key has signed, or one of the `others`, by its SHA-256; not any that only `earlier` root keys have."""
    card = fields(data, CERTIFICATE)
    if not data.endswith(b"\x0a\x40" + (card.signature or b"?")):
        raise Damage("the certificate does not end with its signature")
    message = b"holdfast/1/certificate" + hashlib.sha256(data[:-66]).digest()
    if hashlib.sha256(data).digest() not in others and not is_signed(root, card.signature, message):
        if any(is_signed(key, card.signature, message) for key in earlier):
            raise Superseded("the store did not sign this certificate since it has a new root key, which does not list it")
        raise Damage("the store did not sign this certificate")
    card.encoded, card.writer = data, hashlib.sha256(card.key or b"").digest()[:16]
    return card


def check_covers(card, header):
    """That a certificate is for whoever wrote an object with this header, and for that."""
    role = {VERDICT: ATTEST, TOMBSTONE: STEWARD}.get(header.type, WRITE)
    everywhere = card.roles & STEWARD and card.group == bytes(16) and header.type in (VERDICT, TOMBSTONE)
    if card.store != header.store or card.group != header.group and not everywhere:
        raise Damage("the certificate is for another store or group")
    if card.writer != header.writer:
        raise Damage("the certificate is another writer's")
    if not card.roles & role:
        raise Damage("the certificate does not give the right to write such an object")


PARCEL = {1: ("certificate", raw), 2: ("sealed", raw), 3: ("signature", raw)}


def read_parcel(data, epoch, root):
    """The certificate in a parcel that the root key has signed for this epoch."""
    if not data.startswith(PARCEL_MAGIC):
        raise Damage("not a parcel")
    parcel = fields(data[len(PARCEL_MAGIC):], PARCEL)
    card = read_certificate(parcel.certificate or b"", root)
    place = card.store + struct.pack("<I", epoch) + card.group + card.writer
    if not is_signed(root, parcel.signature, b"holdfast/1/parcel" + place + (parcel.sealed or b"")):
        raise Damage("a parcel that the store did not sign")
    card.sealed_key, card.place = parcel.sealed, place
    return card


# ---------------------------------------------------------------------------------------------------- HPKE (RFC 9180), base mode

def labeled_extract(suite, salt, label, material):
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + material, "sha256")


def labeled_expand(suite, key, label, info, length):
    return expand(key, struct.pack(">H", length) + b"HPKE-v1" + suite + label + info, length)


def hpke_schedule(shared, enc, recipient, info, aead=2, key_length=32):
    """From the Diffie-Hellman result to key and nonce. KEM 0x20: DHKEM(X25519, HKDF-SHA256); KDF 1: HKDF-SHA256; AEAD 2: AES-256-GCM."""
    kem, suite = b"KEM\0\x20", b"HPKE\0\x20\0\x01\0" + bytes([aead])
    shared = labeled_expand(kem, labeled_extract(kem, b"", b"eae_prk", shared), b"shared_secret", enc + recipient, 32)
    context = b"\0" + labeled_extract(suite, b"", b"psk_id_hash", b"") + labeled_extract(suite, b"", b"info_hash", info)
    secret = labeled_extract(suite, shared, b"secret", b"")
    return labeled_expand(suite, secret, b"key", context, key_length), labeled_expand(suite, secret, b"base_nonce", context, 12)


def hpke_open(private, sealed, info, associated):
    enc = sealed[:32]
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(enc))
        key, nonce = hpke_schedule(shared, enc, public(private), info)
        return AESGCM(key).decrypt(nonce, sealed[32:], associated)
    except (InvalidTag, ValueError):
        raise Damage("a sealed key does not open")


# -------------------------------------------------------------------------------------------------------------- An object: header

DATA, METADATA, ROOT, CHECKPOINT, BATCH, KEYS, PARITY, TOMBSTONE, INDEX, VERDICT = 1, 2, 3, 4, 5, 6, 7, 9, 10, 11
TYPES = {1: "data volume", 2: "metadata volume", 3: "image root", 4: "checkpoint", 5: "batch", 6: "keys", 7: "parity volume",
         9: "tombstone", 10: "index object", 11: "verdict"}
FOLDERS = {DATA: "v", METADATA: "v", PARITY: "v", INDEX: "x", ROOT: "i", CHECKPOINT: "c", TOMBSTONE: "d", VERDICT: "a"}
LAYOUT = struct.Struct("<8sHBBI16s16s16s16s16sQQ32s80s32s")
Header = namedtuple("Header", "magic version suite type epoch store group writer id run features length salt sealed check")


def read_header(data, at):
    """The header at this place, or None where none is or its check is wrong."""
    block = bytes(data[at:at + 256])
    if len(block) < 256 or block[:8] != b"HFOBJECT" or hashlib.sha256(block[:224]).digest() != block[224:]:
        return None
    return Header(*LAYOUT.unpack(block))


def path_of(h):
    """Where an object with this header lies in a store."""
    way = [FOLDERS.get(h.type, "?"), h.group.hex(), h.writer.hex(), h.id.hex()]
    return "/".join(way[:2] + way[3:] if h.type == VERDICT else way)


def search_header(data, at=0):
    """The next place with a header whose check is right."""
    found = (at + match.start() for match in re.finditer(b"HFOBJECT", data[at:]))
    return next((place for place in found if read_header(data, place)), None)


# -------------------------------------------------------------------------------------------------------------- An object: frames

CHUNK, PIECE, DIRECTORY, SIGNATURE, LABEL, BODY, VOLUMES, CONDEMNED, PLAIN_TEXT, AGE_FILE, STORE_RECORD, INDEX_ROWS, STATEMENT = \
    1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15
KINDS = {1: "chunk", 2: "manifest", 3: "directory", 4: "signature", 5: "label", 6: "body", 7: "volumes", 8: "parity", 10: "tombstone",
         11: "HOLDFAST", 12: "age file", 13: "record", 14: "index rows", 15: "verdict"}
WITH_OBJECT_KEY, WITH_INDEX_KEY = {CHUNK, PIECE, BODY}, {DIRECTORY, LABEL, VOLUMES, CONDEMNED, INDEX_ROWS, STATEMENT}
LENGTHS = {CHUNK: 5 << 20, PIECE: 5 << 20, SIGNATURE: 64 << 10, PLAIN_TEXT: 64 << 10, AGE_FILE: 64 << 10, STATEMENT: 64 << 10,
           LABEL: 4 << 20, STORE_RECORD: 4 << 20}
Frame = namedtuple("Frame", "offset kind length")
Row = namedtuple("Row", "id kind sealed plain offset tag")
ROW = struct.Struct("<32sBIIQ16s")


def frame_at(data, at):
    head = bytes(data[at:at + 16])
    if len(head) < 16 or head[:4] != b"HfFr" or hashlib.sha256(head[:12]).digest()[:4] != head[12:]:
        return None
    frame = Frame(at, head[4], int.from_bytes(head[8:12], "little"))
    return frame if frame.length <= LENGTHS.get(frame.kind, 64 << 20) and at + 16 + frame.length <= len(data) else None


def frames_of(data):
    """The frames up to the signature. Where a head is damaged, the next sound one is searched for."""
    at = 256
    while at < len(data):
        frame = frame_at(data, at)
        if frame:
            yield frame
            if frame.kind == SIGNATURE:
                return
            at += 16 + frame.length
        else:
            match = re.search(b"HfFr", data[at + 1:])
            at = at + 1 + match.start() if match else len(data)


def padme(length):
    exponent = length.bit_length() - 1
    unit = 1 << exponent - exponent.bit_length()
    return -(-length // unit) * unit


def read_chunk(plain, key):
    """The plain text of a chunk's frame: id and content, after the content was hashed."""
    if len(plain) < 41:
        raise Damage("a chunk without its head")
    name, codec, stored, length = struct.unpack("<32sBII", plain[:41])
    content, rest = plain[41:41 + stored], plain[41 + stored:]
    if length > 4 << 20 or len(plain) != padme(41 + stored) or any(rest):
        raise Damage("a chunk that is too long or not padded by the rule")
    if codec == 1:
        try:  # one byte more than promised is asked for, and no more memory than that is taken
            content = zstandard.ZstdDecompressor().stream_reader(content).read(length + 1)
        except zstandard.ZstdError as error:
            raise Damage(f"a chunk that does not decompress ({error})")
    elif codec != 0:
        raise Damage(f"a chunk with the unknown codec {codec}")
    if len(content) != length or hashlib.blake2b(content, digest_size=32, key=key).digest() != name:
        raise Damage("a chunk whose content is not what its id says")
    return name, content


class Object:
    """An object in one or several copies; whatever is asked for comes from the first copy in which it is whole."""

    def __init__(self, copies, keys=None):
        self.copies, self.keys = copies, keys  # copies: [(name for messages, bytes)]
        self.name = copies[0][0]
        # The first header, else the one at the end, else one that is anywhere: of any copy. The later one knows the length.
        places = [(data, at) for _, data in copies for at in (0, len(data) - 320) if at >= 0]
        headers = [h for data, at in places if (h := read_header(data, at))]
        if not headers:
            headers = [read_header(data, at) for _, data in copies if (at := search_header(data)) is not None]
        if not headers:
            raise Damage("no header is whole")
        self.header = h = max(headers, key=lambda h: h.length > 0)
        if h.version != 2 or h.suite != 1:
            raise Damage(f"refused: version {h.version}, suite {h.suite}; this reader knows version 2, suite 1")
        if h.features:
            raise Damage(f"refused: it requires the features {h.features:#x}, which this reader does not know")
        if keys and h.store != keys.store:
            raise Damage("it belongs to another store")
        self.id, self.type = h.id, h.type
        self.opened, self.found, self.proof, self.rebuilt = None, None, None, None

    def key(self, kind):
        h = self.header
        if kind in WITH_INDEX_KEY:
            return hkdf(self.keys.index(h.epoch, h.group), h.salt, b"holdfast/1/object index")
        if not self.opened:
            associated = LAYOUT.pack(*h)[:104]
            self.opened = hpke_open(self.keys.sealing(h.epoch), h.sealed, b"holdfast/1/object key", associated)
        return self.opened

    def frames(self):
        """All frames that any copy shows, in order."""
        if self.found is None:
            self.found = sorted({frame for _, data in self.copies for frame in frames_of(data)})
        return self.found

    def contents(self, frame):
        """The frame's content as it is stored, as each copy has it."""
        for _, data in self.copies:
            yield bytes(data[frame.offset + 16:frame.offset + 16 + frame.length])

    def open(self, frame):
        """(sealed, plain) of a sealed frame, from the first copy where it opens."""
        key, offset = AESGCM(self.key(frame.kind)), struct.pack("<Q", frame.offset)
        for sealed in self.contents(frame):
            try:
                return sealed, key.decrypt(bytes(4) + offset, sealed, self.header.store + self.id + offset + bytes([frame.kind]))
            except (InvalidTag, ValueError):
                continue
        raise Damage(f"the {KINDS.get(frame.kind, frame.kind)} at {frame.offset} does not open")

    def part(self, kind):
        """The plain text of the object's one frame of this kind."""
        problem = Damage(f"it has no {KINDS[kind]}")
        for frame in self.frames():
            if frame.kind == kind:
                try:
                    return self.open(frame)[1]
                except Damage as found:
                    problem = found
        raise problem

    def chunk(self, frame):
        return read_chunk(self.open(frame)[1], self.keys.chunk_id(self.header.group))

    def parts(self, kind):
        """The plain texts of all its frames of this kind that the signature covers."""
        return [self.open(frame)[1] for frame in self.prove().frames if frame.kind == kind]

    def rebuild(self):
        """A batch's directory, made again from its chunks: the frame, and (sealed, plain). Damage, if one of them does not open."""
        rows, end = b"", 256
        for frame in self.frames():
            if frame.kind in (CHUNK, PIECE):
                sealed, plain = self.open(frame)
                length = int.from_bytes(plain[37:41], "little")
                rows += ROW.pack(plain[:32], frame.kind, frame.length, length, frame.offset, sealed[-16:])
                end = frame.offset + 16 + frame.length
        offset = struct.pack("<Q", end)
        associated = self.header.store + self.id + offset + bytes([DIRECTORY])
        return Frame(end, DIRECTORY, len(rows) + 16), (AESGCM(self.key(DIRECTORY)).encrypt(bytes(4) + offset, rows, associated), rows)

    def directory(self):
        try:
            data = self.part(DIRECTORY)
        except Damage:
            if self.type != BATCH:
                raise
            if not self.rebuilt:
                self.rebuilt = self.rebuild()
            data = self.rebuilt[1][1]
        if len(data) % ROW.size:
            raise Damage("the directory is not made of whole rows")
        return [Row(*row) for row in ROW.iter_unpack(data)]

    def chunks(self):
        """(id, frame) of every chunk: from the directory, or from the frames themselves where it is lost."""
        try:
            return [(row.id, Frame(row.offset, row.kind, row.sealed)) for row in self.directory()]
        except Damage:
            found = []
            for frame in self.frames():
                try:
                    if frame.kind in (CHUNK, PIECE):
                        found.append((self.chunk(frame)[0], frame))
                except Damage:
                    continue
            return found

    def candidates(self, frame):
        """What may stand in a frame that is signed by its content: of a sealed one what opens, of a plain one what any copy has."""
        found = list(dict.fromkeys(self.contents(frame)))
        if self.rebuilt and frame == self.rebuilt[0]:
            found = [self.rebuilt[1][0]]
        elif frame.kind in WITH_OBJECT_KEY | WITH_INDEX_KEY and len(found) > 1:
            found = [self.open(frame)[0]]
        return [hashlib.sha256(content).digest() for content in found]

    def prove(self):
        """Checks the signature: the certificate, the digest, and the frames that are signed by their content."""
        if self.proof:
            return self.proof
        signatures = [frame for frame in self.frames() if frame.kind == SIGNATURE]
        if not signatures:
            raise Damage("it has no signature")
        end = signatures[0].offset
        rows = {Frame(row.offset, row.kind, row.sealed) for row in self.directory()} if self.type in (DATA, METADATA, BATCH) else set()
        lost = {self.rebuilt[0]} if self.rebuilt else set()
        frames = sorted({frame for frame in self.frames() if frame.offset < end} | rows | lost)
        at = 256
        for frame in frames:
            if frame.offset != at or (frame.kind in (CHUNK, PIECE)) != (frame in rows):
                raise Damage(f"a frame is missing before {frame.offset}, or the directory does not fit")
            at += 16 + frame.length
        if at != end:
            raise Damage("a frame is missing before the signature")
        named = [frame for frame in frames if frame not in rows]
        length = self.header.length or max(len(data) for _, data in self.copies)
        header = LAYOUT.pack(*self.header._replace(length=length))[:224]
        problem = Forged("no signature is whole")
        for content in self.contents(signatures[0]):
            try:
                both = fields(content, {1: ("certificate", raw), 2: ("signature", raw)})
                card = read_certificate(both.certificate or b"", self.keys.root, self.keys.certificates, self.keys.earlier)
                check_covers(card, self.header)
            except Damage as found:
                problem = found if isinstance(found, Superseded) else Forged(str(found))
                continue
            start = b"holdfast/1/object" + header + hashlib.sha256(card.encoded).digest()
            heads = [struct.pack("<BQI", frame.kind, frame.offset, frame.length) for frame in named]
            for choice in itertools.islice(itertools.product(*map(self.candidates, named)), 4096):
                message = start + b"".join(map(bytes.__add__, heads, choice))
                if is_signed(card.key, both.signature, message):
                    self.proof = SimpleNamespace(card=card, digest=hashlib.sha256(message).digest(), frames=named, message=message)
                    return self.proof
            problem = Forged("the signature does not fit")
        raise problem

    def reference(self):
        """What others name it by."""
        length = self.header.length or max(len(data) for _, data in self.copies)
        return Reference(self.header.writer, self.id, self.prove().digest, length)


# ------------------------------------------------------------------------------------------------- A store, or a single-file image

def view(paths):
    """The bytes of a file, or of the parts of one, without reading them into memory."""
    with tempfile.TemporaryFile() if len(paths) > 1 else open(paths[0], "rb") as whole:
        if len(paths) > 1:
            for path in paths:
                with open(path, "rb") as part:
                    shutil.copyfileobj(part, whole)
            whole.flush()
        size = os.fstat(whole.fileno()).st_size
        return memoryview(mmap.mmap(whole.fileno(), 0, prot=mmap.PROT_READ) if size else b"")


def parts(path):
    """NAME, NAME.2, NAME.3 …"""
    found = [path]
    while os.path.exists(f"{path}.{len(found) + 1}"):
        found.append(f"{path}.{len(found) + 1}")
    return found


def split(data):
    """(start, end) of every object in a file. A damaged header is passed over: the object is known by the header at its end."""
    at = 0
    while at < len(data):
        header = read_header(data, at)
        if header:
            end = min(at + header.length, len(data)) if header.length else len(data)
            yield at, end
            at = end
            continue
        place = search_header(data, at)
        if place is None:
            return
        end = place + 320
        start = end - read_header(data, place).length
        if start == at or start >= 0 and data[place + 256:place + 264] == b"HFTRAIL1":
            yield start, end
            at = end
        else:
            at = place


def batch_id(run, number):
    return hashlib.sha256(b"holdfast/1/batch" + run + struct.pack("<I", number)).digest()[:16]


class Medium:
    """The objects of a store or a file, the keys to them, and where each chunk lies."""

    def __init__(self, path, identity, pinned=None):
        self.path, self.status, self.named = path, 0, set()
        self.single = not os.path.isdir(path)
        self.sequence = []  # of a file: its objects and what is wrong between them, in order
        groups, plain, records, ages, self.parcels = self.gather_file() if self.single else self.gather_store()
        self.keys = self.unlock(plain, records, ages, identity, pinned)
        self.objects = []
        for copies in groups:
            try:
                object = Object(copies, self.keys)
                if not self.single and path_of(object.header) != copies[0][0].removesuffix(".2"):
                    raise Damage("refused: another object than its name says")
                self.objects.append(object)
            except Damage as problem:
                self.report(f"{copies[0][0]}: {problem}")
        self.places, self.cache = None, OrderedDict()

    def report(self, message):
        """Says once, on stderr, what is damaged or lost; the exit status remembers it."""
        self.status = 3
        if message not in self.named:
            self.named.add(message)
            print(message, file=sys.stderr)

    def gather_store(self):
        """Groups of copies; texts of HOLDFAST; records; age files; parcels."""
        groups, plain, records, ages, parcels = {}, [], [], [], []
        hex32, folder_of_keys = "[0-9a-f]{32}", r"k/\d+-[0-9a-f]{16}/"
        for folder, folders, names in os.walk(self.path):
            folders.sort()
            for name in sorted(names):
                full = os.path.join(folder, name)
                below = os.path.relpath(full, self.path)
                if below in ("HOLDFAST", "HOLDFAST.2"):
                    plain.append((below, bytes(view([full]))))
                elif re.fullmatch(rf"e/[0-9a-f]{{8}}-{hex32}(\.2)?", below):
                    records.append((below, bytes(view([full]))))
                elif re.fullmatch(folder_of_keys + r"[^/]+\.age(\.2)?", below):
                    ages.append((below, bytes(view([full]))))
                elif re.fullmatch(folder_of_keys + hex32 + r"(\.2)?", below):
                    parcels.append((below, bytes(view([full]))))
                elif re.fullmatch(rf"([vxicd]/{hex32}/{hex32}/{hex32}|a/{hex32}/{hex32})(\.2)?", below):
                    groups.setdefault(below.removesuffix(".2"), []).append((below, view([full])))
                elif re.fullmatch(folder_of_keys + "next-" + hex32, below):
                    pass  # the claim of somebody who was cut while he changed keys: nothing to who reads
                else:
                    print(f"{below}: no file of a store; left out", file=sys.stderr)
        return list(groups.values()), plain, records, ages, parcels

    def gather_file(self):
        self.data = view(parts(self.path))
        groups, plain, records, ages, last = {}, [], [], [], 0

        def broken(message):
            self.report(message)
            self.sequence.append(None)

        for start, end in split(self.data):
            if start > last:
                broken(f"the bytes {last} to {start} belong to no object")
            last = end
            try:
                object = Object([(f"object at {start}", self.data[start:end])])
                self.sequence.append(object.id)
                groups.setdefault(object.id, []).extend(object.copies)
            except Damage as problem:
                broken(f"object at {start}: {problem}")
        if last < len(self.data):
            broken(f"the bytes {last} to {len(self.data)} belong to no object")
        first = next((copies for copies in groups.values() if Object(copies).type == KEYS), [])
        for frame, data in ((f, data) for _, data in first for f in frames_of(data)):
            content = bytes(data[frame.offset + 16:frame.offset + 16 + frame.length])
            if frame.kind == PLAIN_TEXT:
                plain.append(("HOLDFAST", content))
            elif frame.kind == STORE_RECORD:
                records.append(("record", content))
            elif frame.kind == AGE_FILE:
                name, _, content = content.partition(b"\0")
                ages.append((show(name), content))
        return list(groups.values()), plain, records, ages, []

    def unlock(self, plain, records, ages, identity, pinned):
        """Store and root key, the records that it has signed, and the secrets that those confirm."""
        found, chain, secrets, governs = set(), [], {}, False
        for name, data in plain:
            try:
                found.add(read_plain_text(data))
            except Damage as problem:
                self.report(f"{name}: {problem}")
        if len(found) > 1:
            raise Refused("HOLDFAST and HOLDFAST.2 name different stores")
        if not found:
            sys.exit("holdfast_reader: no HOLDFAST is whole")
        store, first = found.pop()
        for name, data in records:
            try:
                record = read_record(data)
                if not self.single and name.removesuffix(".2") != "e/%08x-%s" % (record.number, record.hash[:16].hex()):
                    raise Damage("another record than its name says")
                if record.store != store:
                    raise Damage("a record of another store: it counts for nothing")
                chain.append((name, record))
            except Damage as problem:
                self.report(f"{name}: {problem}")
        named, found = chain, [record for _, record in chain]
        root = choose_root(found, store, first, pinned)
        chain = check_records(found, store, first, root)
        for name, record in named:
            if record.hash not in {record.hash for record in chain}:
                self.report(f"{name}: a record of another root key, or of one whose place another has taken: it counts for nothing")
        roots = {record.root for record in chain}
        known = {record.epoch: record.sealing for record in chain}
        for name, data in ages:
            if not (opened := open_age(data, identity)):
                continue
            try:
                owner, seed, more = read_key_text(opened)
                seed = seed and public(Ed25519PrivateKey.from_private_bytes(seed))
                if owner != store or seed and seed not in roots:
                    raise Damage("the key of another store")
                for epoch, secret in more.items():
                    private = X25519PrivateKey.from_private_bytes(hkdf(secret, store, b"holdfast/1/sealing"))
                    if known.get(epoch) == public(private):
                        secrets[epoch] = secret
                    else:
                        self.report(f"{name}: no record confirms its secret of epoch {epoch}")
                governs |= seed == root
            except Damage as problem:
                self.report(f"{name}: {problem}")
        if 1 not in secrets:
            sys.exit("holdfast_reader: this identity opens none of the key files")
        self.governs = governs
        return Keys(store, root, chain, secrets)

    def writers(self):
        """The certificates in the parcels of the newest epoch, less the revoked."""
        newest, found = self.keys.newest, {}
        folder = f"k/{newest.epoch}-{hashlib.sha256(newest.sealing).hexdigest()[:16]}/"
        for name, data in self.parcels:
            try:
                if name.startswith(folder):
                    card = read_parcel(data, newest.epoch, newest.root)
                    if card.writer.hex() != name.removesuffix(".2").rpartition("/")[2]:
                        raise Damage("another writer's parcel than its name says")
                    if card.writer not in dict(newest.revoked):
                        found[card.writer] = card
            except Damage as problem:
                self.report(f"{name}: {problem}")
        return list(found.values())

    def verdicts(self):
        """What was stated by who may. One that is not authentic says nothing."""
        found = []
        for object in self.objects:
            if object.type == VERDICT:
                try:
                    if object.prove().card.writer not in dict(self.keys.newest.revoked):
                        found.append(fields(object.parts(STATEMENT)[0], VERDICTS))
                except Superseded:
                    pass
                except (Damage, IndexError) as problem:
                    self.report(f"{object.name}: {problem}")
        return found

    def damaged(self):
        """The volumes that are to be cited no more: the newest verdict counts, and of one time the one that says damaged."""
        about = {}
        for verdict in self.verdicts():
            if verdict.kind == b"v":
                about.setdefault(verdict.target[:32], []).append((verdict.seconds, verdict.result == 2))
        return {target[16:] for target, said in about.items() if max(said)[1]}

    def pinned(self):
        """The images that stay: the newest of all that pin one or unpin it counts, and of one time the one that pins."""
        about = {}
        for verdict in self.verdicts():
            if verdict.kind == b"i" and verdict.result in (4, 5):
                about.setdefault(verdict.target, []).append((verdict.seconds, verdict.result == 4))
        return {target[16:32] for target, said in about.items() if max(said)[1]}

    def tombstones(self):
        """What stewards said of what they removed, or were about to. One that is not authentic says nothing."""
        found = []
        for object in self.objects:
            if object.type == TOMBSTONE:
                try:
                    if object.prove().card.writer not in dict(self.keys.newest.revoked):
                        found += [fields(part, TOMBSTONES) for part in object.parts(CONDEMNED)]
                except Damage as problem:
                    self.report(f"{object.name}: {problem}")
        return found

    def condemned(self):
        """The volumes and index objects that nobody cites any more."""
        return {reference.id for stone in self.tombstones() for reference in stone.volumes + stone.indexes}

    def removed(self):
        """The images that nobody misses."""
        return {root[16:32] for stone in self.tombstones() for root in stone.removed}

    def head(self):
        """The header of a file's keys object."""
        return next((object for object in self.objects if object.type == KEYS)).header

    def first_label(self):
        """The label in the keys object of a file. Where things go depends on it: without it, signed, nothing is placed."""
        try:
            keys = next(object for object in self.objects if object.type == KEYS)
            label = fields(keys.parts(LABEL)[0], LABELS)
            if not covers(keys.prove().card, label.series):
                raise Damage("its writer may not write its series")
            return label
        except (Damage, StopIteration, IndexError) as problem:
            raise Damage(f"the label before the batches is lost, so nothing is placed: {problem or 'there is none'}")

    def chunk(self, name, kind):
        """A chunk's content by its id, from the first place where it is whole."""
        if self.places is None:
            self.places = {}
            for object in self.objects:
                if object.type in (DATA, METADATA, BATCH):
                    for found, frame in object.chunks():
                        self.places.setdefault((found, frame.kind), []).append((object, frame))
        if (name, kind) not in self.cache:
            for object, frame in self.places.get((name, kind), []):
                try:
                    found, content = object.chunk(frame)
                except Damage:
                    continue
                if found == name:
                    self.cache[name, kind] = content
                    break
            else:
                raise Damage(f"the chunk {name.hex()} is lost")
            if len(self.cache) > 32:
                self.cache.popitem(last=False)
        return self.cache[name, kind]

    def images(self):
        """The image roots, those that count last and in the order of their sequence."""
        found = [Image(self, object) for object in self.objects if object.type == ROOT]
        if self.single and not found:
            self.report(f"{self.path}: truncated: its root, which comes last, is missing")
        return sorted(found, key=lambda image: (image.counts, image.label.series or b"", image.label.sequence, image.id))

    def latest(self, series=None):
        images = [image for image in self.images() if image.counts and (series is None or image.label.series == series)]
        if len({image.label.series for image in images}) > 1:
            raise Refused("there are several series; --series names one: " + ", ".join(sorted({show(i.label.series) for i in images})))
        last = [image for image in images if image.label.sequence == images[-1].label.sequence]
        if len(last) > 1:
            raise Refused("the series has two newest images: " + ", ".join(image.id for image in last))
        return last[0] if last else None


# ------------------------------------------------------------------------------------------------------------------------ Images

def read_known_record(value):
    return struct.unpack("<I32s", sized(value, 36))


LABELS = {1: ("name", text), 2: ("host", text), 3: ("hardware", text), 4: ("sources", [raw]), 5: ("seconds", zigzag),
          6: ("nanoseconds", integer), 7: ("newest", zigzag), 8: ("entries", integer), 9: ("bytes", integer),
          10: ("new", integer), 11: ("stored", integer), 12: ("tool", text), 13: ("parent", raw), 14: ("findings", integer),
          15: ("point", text), 17: ("log", text), 18: ("series", raw), 19: ("sequence", integer), 20: ("store_seconds", zigzag),
          21: ("clock", integer), 22: ("offset", zigzag), 23: ("record", read_known_record), 24: ("roles", [text]), 25: ("disks", [text])}
REFERENCE = struct.Struct("<16s16s32sQ")
Reference = namedtuple("Reference", "writer id digest length")


def read_reference(value):
    return Reference(*REFERENCE.unpack(sized(value, 72)))


VERDICTS = {1: ("kind", raw), 2: ("target", lambda value: sized(value, 64)), 3: ("result", integer), 4: ("extent", integer),
            5: ("seconds", zigzag), 6: ("tool", text), 7: ("indexes", [read_reference])}


TOMBSTONES = {1: ("volumes", [read_reference]), 2: ("horizon", zigzag), 3: ("removed", [lambda value: sized(value, 64)]), 4: ("seconds", zigzag),
              5: ("indexes", [read_reference])}


def read_body(data):
    return fields(data, {1: ("pieces", [lambda value: struct.unpack("<32sI", sized(value, 36))]),
                         2: ("entries", integer), 3: ("bytes", integer), 5: ("batches", integer)})


def read_volumes(data):
    return fields(data, {1: ("volumes", [read_reference]), 2: ("indexes", [read_reference]), 3: ("parity", [read_reference])})


def read_index_rows(data):
    """What an index object says of one volume."""
    if len(data) < 72 or (len(data) - 72) % ROW.size:
        raise Damage("index rows that are not whole")
    return read_reference(data[:72]), [Row(*row) for row in ROW.iter_unpack(data[72:])]


def sized(value, length):
    if len(value) != length:
        raise Damage("a field of the wrong length")
    return value


def covers(card, series):
    return any(prefix and (series or b"").startswith(prefix) for prefix in card.series)


class Image:
    """An image root, or, without one, what came of a truncated single-file image."""

    def __init__(self, medium, root=None):
        self.medium, self.root, self.id = medium, root, root.id.hex() if root else "truncated"
        self.counts = self.unfinished = False
        self.label = fields(b"", LABELS)
        if not root:
            if medium.single:
                self.label = medium.first_label()
            return
        try:
            proof = root.prove()
            self.label = fields(root.part(LABEL), LABELS)
            self.check(proof)
            self.unfinished = not medium.single and all(name.endswith(".2") for name, _ in root.copies)
            if self.unfinished:
                raise Damage("only its second copy is there: its run ended before it was finished")
            self.counts = True
        except Damage as problem:
            medium.report(f"image {self.id}: {problem}")

    def check(self, proof):
        """Whether it is an image, and not merely signed."""
        if self.medium.single and (self.root.header.run, self.root.header.writer) != (self.medium.head().run, self.medium.head().writer):
            raise Damage("the root of another image")
        kept = dict(self.medium.keys.newest.revoked).get(self.root.header.writer)
        if kept is not None and self.root.id + proof.digest not in kept:
            raise Damage("it does not count: its writer was revoked")
        if not covers(proof.card, self.label.series):
            raise Damage(f"it does not count: its writer may not write the series {show(self.label.series or b'')}")
        if self.label.record and self.label.record[0] > self.medium.keys.newest.number:
            self.medium.report(f"image {self.id}: its writer knew record {self.label.record[0]}, which is missing")

    def time(self):
        try:
            return (datetime(1970, 1, 1) + timedelta(seconds=self.label.seconds)).isoformat() + ".%09dZ" % self.label.nanoseconds
        except OverflowError:
            return str(self.label.seconds)

    def pieces(self):
        """The manifest, piece by piece; None stands for one that is lost."""
        if self.medium.single:
            yield from self.pieces_of_file()
            return
        for name, length in read_body(self.root.part(BODY)).pieces:
            try:
                piece = self.medium.chunk(name, PIECE)
                if length not in (None, len(piece)):
                    raise Damage(f"the body gives another length for the piece {name.hex()}")
                yield piece
            except Damage as problem:
                self.medium.report(f"image {self.id}: manifest: {problem}")
                yield None

    def pieces_of_file(self):
        """Batch after batch. Only damage that was seen explains that one is not the next: else nothing more is placed."""
        medium, came, number, explained = self.medium, [], 0, False
        objects, head = {object.id: object for object in medium.objects}, medium.head()
        for name in medium.sequence:
            batch = objects.get(name)
            if batch is None:
                explained = True
                continue
            if batch.type != BATCH:
                continue
            own = (batch.header.run, batch.header.writer, batch.header.store) == (head.run, head.writer, head.store)
            step = next((n for n in range(1, 4097 if explained else 2) if own and batch_id(head.run, number + n) == batch.id), None)
            if step is None:
                medium.report(f"{batch.name}: " + ("a batch is missing or out of place" if own else "a batch of another image"))
                return
            if step > 1:
                yield None
            number, explained = number + step, False
            try:
                batch.prove()
                if batch.rebuilt:
                    medium.report(f"{batch.name}: its directory is damaged, and its chunks are whole")
                    explained = True
            except Damage as problem:
                if isinstance(problem, Forged) and not batch.rebuilt:
                    medium.report(f"{batch.name}: {problem}: nothing from there on is used")
                    return
                medium.report(f"{batch.name}: lost as a whole: {problem}")
                explained = True
                yield None
                continue
            try:
                piece = next((row.id for row in batch.directory() if row.kind == PIECE), bytes(32))
                came.append(piece)
                yield medium.chunk(piece, PIECE)
            except Damage as problem:
                medium.report(f"{batch.name}: manifest: {problem}")
                yield None
        if self.root and self.counts:
            body = read_body(self.root.part(BODY))
            if body.batches != number or [name for name, _ in body.pieces] != came:
                medium.report(f"image {self.id}: batches are missing or repeated")


# ---------------------------------------------------------------------------------------------------------------------- Manifest

POSITION, SOURCE, ENTER, LEAVE, ENTRY, CONTENT, RESTART, FINISH = range(1, 9)
FILE, FOLDER, SYMLINK, HARD_LINK, CHARACTER, BLOCK, FIFO, SOCKET = range(1, 9)
CHANGED, MISSING = 1, 2
Slice = namedtuple("Slice", "length chunk offset")  # chunk is None for a hole


def read_slices(data):
    found, at = [], 0
    while at < len(data):
        number, at = varint(data, at)
        if number & 1:
            found.append(Slice(number >> 1, None, 0))
        else:
            name = sized(bytes(data[at:at + 32]), 32)
            offset, at = varint(data, at + 32)
            found.append(Slice(number >> 1, name, offset))
    return found


def read_xattr(value):
    length, at = varint(value, 0)
    return value[at:at + length], value[at + length:]


ENTRIES = {1: ("name", raw), 2: ("type", integer), 3: ("mode", integer), 4: ("uid", integer), 5: ("gid", integer),
           6: ("user", raw), 7: ("group", raw), 8: ("seconds", zigzag), 9: ("nanoseconds", integer), 10: ("size", integer),
           11: ("slices", read_slices), 12: ("streamed", integer), 13: ("target", raw), 14: ("major", integer),
           15: ("minor", integer), 16: ("xattrs", [read_xattr]), 17: ("flags", integer), 18: ("remarks", integer),
           19: ("project", integer)}
POSITIONS = {1: ("source", raw), 2: ("depth", integer), 3: ("path", raw), 4: ("file", raw), 5: ("offset", integer)}


def check_name(name):
    """What keeps a restore below its directory: a name is one component."""
    if not name or b"/" in name or b"\0" in name or name in (b".", b"..") or len(name) > 255:
        raise Damage(f"'{show(name or b'')}' is not a name")


def records(piece):
    at = 0
    while at < len(piece):
        kind = piece[at]
        length, at = varint(piece, at + 1)
        if at + length > len(piece):
            raise Damage("a record longer than its piece")
        yield kind, piece[at:at + length]
        at += length


class Manifest:
    """Reads the records and keeps to their grammar. events() yields
        ("source", path, None)        a tree begins
        ("enter", names, entry)       names: the way below the source, [] for the source itself
        ("leave", names, None)
        ("entry", names, entry)       a file's slices are complete
        ("gap", text, None)           records are missing or make no sense …
        ("lost", names, None)         … this file, of which a part came, can therefore not be whole …
        ("position", names, None)     … and this is the directory that is open when it goes on."""

    def __init__(self):
        self.needs = None                       # what the first source says is needed to restore the machine
        self.source, self.tree = None, "ended"  # of the source: "awaited", "begun", "ended", or None: not known after a gap
        self.open, self.last = [], [None]       # names of the open directories (the source's own is b""); the last child of each
        self.file, self.broken = None, False    # the file whose content is under way; whether a part of it is lost
        self.lost = False                       # after a gap, until a position tells where we are

    def names(self, name=None):
        return self.open[1:] + ([name] if self.open and name is not None else [])

    def events(self, pieces):
        for piece in pieces:
            try:
                if piece is None:
                    raise Damage("a piece is lost")
                for number, (kind, payload) in enumerate(records(piece)):
                    if (number == 0) != (kind == POSITION):
                        raise Damage("a piece begins with a position, and only there one is")
                    yield from self.record(kind, payload)
            except Damage as problem:
                yield from self.gap(str(problem))
        if not self.lost and (self.open or self.file or self.tree == "awaited"):
            yield from self.gap("it ends before everything that is open does")

    def gap(self, text):
        after = b"/".join([self.source or b""] + self.names(self.last[-1]))
        if not self.lost:
            yield "gap", f"{text}: entries are missing after {show(after)}", None
        if self.file and not self.broken:
            yield "lost", self.names(self.file.name), None
        self.lost, self.broken = True, self.file is not None

    def position(self, payload):
        p = fields(payload, POSITIONS)
        names = p.path.split(b"/") if p.path else []
        expected = (self.source, len(self.open), self.open[1:], (self.file.name or b"") if self.file else None)
        if not self.lost and expected == (p.source, p.depth, names, p.file):
            return
        if len(names) != max(p.depth - 1, 0) or p.depth and not p.source:
            raise Damage("a position whose depth is not its path's, or without a source")
        for name in names:
            check_name(name)
        yield from self.gap("the position does not fit what came before")
        if p.source != self.source:
            yield "source", p.source, None
        same = expected[:3] == (p.source, p.depth, names)
        self.source, self.open = p.source, [b""] * (p.depth > 0) + names
        self.last = [None] * (len(self.open) + 1)
        self.tree, self.lost, self.broken = "begun" if self.open else None, False, p.file is not None
        yield "position", self.names() if self.open else None, None
        if p.file is not None and not (same and self.file and self.file.name == p.file):
            yield "lost", self.names(p.file), None
        self.file = SimpleNamespace(name=p.file, slices=[], type=FILE) if p.file is not None else None

    def record(self, kind, payload):
        if kind == POSITION:
            yield from self.position(payload)
        elif self.file and kind not in (CONTENT, RESTART, FINISH):
            raise Damage("a file's content does not end with a finish")
        elif kind in (CONTENT, RESTART, FINISH):
            yield from self.content(kind, payload)
        elif kind == SOURCE:
            if self.open or self.tree == "awaited":
                raise Damage("a source within another")
            begun = fields(payload, {1: ("path", raw), 2: ("needs", raw)})
            if self.source is None:
                self.needs = begun.needs
            self.source, self.tree = begun.path, "awaited"
            if not (self.source or b"").startswith(b"/"):
                raise Damage("a source without an absolute path")
            self.last = [None]
            yield "source", self.source, None
        elif kind in (ENTER, ENTRY):
            entry = fields(payload, ENTRIES)
            if (entry.type == FOLDER) != (kind == ENTER) or not FILE <= entry.type <= SOCKET:
                raise Damage(f"an entry of the type {entry.type}")
            if self.open:
                check_name(entry.name)
                if self.last[-1] is not None and self.last[-1] >= entry.name:
                    raise Damage(f"'{show(entry.name)}' comes after '{show(self.last[-1])}'")
                self.last[-1] = entry.name
            elif self.tree not in ("awaited", None):
                raise Damage("an entry outside of a source")
            elif entry.name is not None:  # the article does not say whether the source's own entry has a name
                check_name(entry.name)
            names, self.tree = self.names(entry.name), "begun"
            if kind == ENTER:
                self.open.append(entry.name if self.open else b"")
                self.last.append(None)
                yield "enter", names, entry
            elif entry.streamed:
                self.file, self.broken = entry, False
                entry.slices = entry.slices or []
            else:
                entry.slices = entry.slices or []
                yield "entry", names, entry
        elif kind == LEAVE:
            if not self.open or payload:
                raise Damage("a leave without an enter, or not empty")
            yield "leave", self.names(), None
            self.open.pop(), self.last.pop()
        else:
            raise Damage(f"a record of the unknown kind {kind}")

    def content(self, kind, payload):
        if not self.file:
            raise Damage("content without its file")
        if kind == CONTENT:
            self.file.slices += read_slices(payload)
        elif kind == RESTART:
            self.file.slices = []
        else:
            end, entry, self.file = fields(payload, {1: ("remarks", integer), 2: ("size", integer)}), self.file, None
            if not self.broken:
                entry.size, entry.remarks = end.size, entry.remarks | end.remarks
                yield "entry", self.names(entry.name), entry
            self.broken = False


def check_whole(entry):
    if entry.remarks & MISSING:
        raise Damage("its content could not be read when the image was made")
    if sum(slice.length for slice in entry.slices) != entry.size:
        raise Damage("its slices do not add up to its size")


# ----------------------------------------------------------------------------------------------------------------------- Restore

NODES = {CHARACTER: stat.S_IFCHR, BLOCK: stat.S_IFBLK, FIFO: stat.S_IFIFO, SOCKET: stat.S_IFSOCK}
FS_IOC_GETFLAGS, FS_IOC_SETFLAGS = 0x80086601, 0x40086602
WITHIN = os.O_DIRECTORY | os.O_NOFOLLOW


class Restore:
    """Writes what the manifest's events say. Every step is taken from a directory's descriptor and follows no link."""

    def __init__(self, image, to):
        self.image, self.medium = image, image.medium
        self.to = os.path.realpath(os.fsencode(to))
        sources = image.label.sources
        if not sources:  # no label: the sources that the manifest names
            sources = {value for event, value, _ in Manifest().events(image.pieces()) if event == "source"}
        self.several = len(sources) > 1
        self.source, self.stack, self.flags = None, [], []  # stack: [(names, descriptor or None, entry or None)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)  # one a level
        if os.path.lexists(self.to) and (not os.path.isdir(self.to) or os.listdir(self.to)):
            sys.exit(f"holdfast_reader: {show(self.to)} is there and not empty")
        os.makedirs(self.to if self.several else os.path.dirname(self.to), exist_ok=True)

    def lost(self, names, problem):
        self.medium.report(f"lost: {show(b'/'.join([self.source or b'?'] + names))}: {problem}")

    def run(self):
        for event, value, entry in Manifest().events(self.image.pieces()):
            try:
                if event == "source":
                    self.close_to([])
                    self.source = value
                elif event == "enter":
                    self.enter(value, entry)
                elif event == "leave":
                    self.close()
                elif event == "entry":
                    self.entry(value, entry)
                elif event == "gap":
                    self.medium.report(f"image {self.image.id}: manifest: {value}")
                elif event == "lost":
                    self.lost(value, "a part of it is missing")
                elif event == "position":
                    self.go_to(value)
            except (Damage, OSError, ValueError, OverflowError) as problem:
                self.lost(value if isinstance(value, list) else [], problem)
        self.close_to([])
        for names, source, flags in self.flags:  # last: an immutable file could not be linked to, nor a directory filled
            self.source = source
            try:
                parent, name = self.parent(names)
                fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
                now, = struct.unpack("I", fcntl.ioctl(fd, FS_IOC_GETFLAGS, bytes(4)))
                if now | flags != now:
                    fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("I", now | flags))
                os.close(fd), os.close(parent)
            except (Damage, OSError) as problem:
                self.medium.report(f"{show(b'/'.join([source] + names))}: its flags could not be set: {problem}")

    def walk(self, fd, names, make=False):
        """A new descriptor of the directory that these names lead to."""
        fd = os.dup(fd)
        for name in names:
            check_name(name)
            if make and not exists(name, fd):
                os.mkdir(name, 0o755, dir_fd=fd)
            fd, old = os.open(name, WITHIN, dir_fd=fd), fd
            os.close(old)
        return fd

    def parent(self, names):
        """(descriptor of the directory, name in it) of what is at these names below the source."""
        below = ([n for n in self.source.split(b"/") if n] if self.several else []) + names
        for name in below:
            check_name(name)  # a source's path can be hostile too
        way = [os.path.basename(self.to)] + below
        above = os.open(os.path.dirname(self.to), os.O_DIRECTORY)
        try:
            return self.walk(above, way[:-1], make=not names), way[-1]
        finally:
            os.close(above)

    def here(self, names):
        """Like parent(), for the directory that is open."""
        if not names:
            return self.parent([])
        if not self.stack or self.stack[-1][1] is None:
            raise Damage("the directory that it belongs to is missing")
        return os.dup(self.stack[-1][1]), names[-1]

    def enter(self, names, entry):
        fd = None
        try:
            parent, name = self.here(names)
            try:
                if not exists(name, parent):
                    os.mkdir(name, 0o700, dir_fd=parent)
                fd = os.open(name, WITHIN, dir_fd=parent)
            finally:
                os.close(parent)
        finally:
            self.stack.append((names, fd, entry))

    def close(self):
        names, fd, entry = self.stack.pop()
        if fd is not None:
            if entry:
                self.dress(names, entry, fd)
            else:
                self.medium.report(f"{show(b'/'.join([self.source] + names))}: the directory's own attributes are lost")
            os.close(fd)

    def close_to(self, names, keep_root=False):
        """Closes directories until what is open leads to these names."""
        while len(self.stack) > keep_root and (not names or self.stack[-1][0] != names[:len(self.stack[-1][0])]):
            self.close()

    def go_to(self, names):
        """After a gap: closes what is no longer open, and opens what is, though its own record is lost. None: no directory is."""
        self.close_to(names or [], keep_root=names is not None)
        for depth in range(len(self.stack), len(names) + 1 if names is not None else 0):
            self.enter(names[:depth], None)

    def entry(self, names, entry):
        parent, name = self.here(names)
        try:
            if entry.type == FILE:
                self.file(names, entry, parent, name)
                return
            if entry.type == HARD_LINK and self.stack:
                way = (entry.target or b"").split(b"/")
                check_name(way[-1])
                other = self.walk(self.stack[0][1], way[:-1])
                os.link(way[-1], name, src_dir_fd=other, dst_dir_fd=parent, follow_symlinks=False)
                os.close(other)
                return
            if entry.type == SYMLINK:
                os.symlink(entry.target or b"", name, dir_fd=parent)
            elif entry.type in NODES:
                os.mknod(name, NODES[entry.type] | 0o600, os.makedev(entry.major, entry.minor), dir_fd=parent)
            self.dress(names, entry, b"/proc/self/fd/%d/%s" % (parent, name))
        finally:
            os.close(parent)

    def file(self, names, entry, parent, name):
        check_whole(entry)
        fd, at = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=parent), 0
        try:
            for slice in entry.slices:
                if slice.chunk:
                    data = self.medium.chunk(slice.chunk, CHUNK)[slice.offset:slice.offset + slice.length]
                    if len(data) != slice.length:
                        raise Damage("a slice is longer than its chunk")
                    while data:
                        data = data[os.pwrite(fd, data, at + slice.length - len(data)):]
                at += slice.length
            os.ftruncate(fd, entry.size)
            self.dress(names, entry, fd)
        except BaseException:
            os.unlink(name, dir_fd=parent)  # files are whole or not there
            raise
        finally:
            os.close(fd)
        if entry.remarks & CHANGED:
            print(f"{show(b'/'.join([self.source] + names))}: changed while it was read", file=sys.stderr)

    def dress(self, names, entry, at):
        """Owner before mode (chown clears set-id bits), mode before attributes (an ACL speaks for the mode), the time after all of these.
        `at` is a descriptor, or the path of what must not be opened."""
        follow = {} if isinstance(at, int) else {"follow_symlinks": False}
        steps = []
        if os.geteuid() == 0:
            steps.append(("owner", lambda: os.chown(at, entry.uid, entry.gid, **follow)))
        if entry.type != SYMLINK:
            steps.append(("mode", lambda: os.chmod(at, entry.mode & 0o7777)))
        for key, value in entry.xattrs:
            steps.append((f"attribute {show(key)}", lambda key=key, value=value: os.setxattr(at, key, value, **follow)))
        time = entry.seconds * 10**9 + entry.nanoseconds
        steps.append(("time", lambda: os.utime(at, ns=(time, time), **follow)))
        for what, step in steps:
            try:
                step()
            except (OSError, ValueError, OverflowError) as problem:
                self.medium.report(f"{show(b'/'.join([self.source] + names))}: its {what} could not be set: {problem}")
        if entry.flags:
            self.flags.append((names, self.source, entry.flags))


def exists(name, fd):
    try:
        os.lstat(name, dir_fd=fd)
        return True
    except FileNotFoundError:
        return False


# ------------------------------------------------------------------------------------------------------------------------ Verify

# The frames of an object, by its type, as a pattern of their kinds.
ORDER = {DATA: rb"\x01+\x03\x04", METADATA: rb"\x02+\x03\x04", ROOT: rb"\x05\x07\x06\x04", CHECKPOINT: rb"\x07\x04",
         BATCH: rb"\x02\x01*\x02\x03\x04", KEYS: rb"\x0b\x0d+\x0c+\x05\x04", TOMBSTONE: rb"\x0a\x04", INDEX: rb"\x0e+\x04",
         VERDICT: rb"\x0f\x04"}


def check_copy(name, data, keys, single):
    """Everything that can be said of one copy of an object by itself: yields problems."""
    object, size = Object([(name, data)], keys), len(data)
    first, last = read_header(data, 0), read_header(data, size - 320)
    if not first or not last:
        yield "the header at its start is damaged" if not first else "the header at its end is damaged"
    for header, lengths in (first, (size,) if single else (0, size)), (last, (size,)):
        if header and (header.length not in lengths or header._replace(length=0, check=b"") != object.header._replace(length=0, check=b"")):
            yield "its headers differ, or give another length"
    if object.type not in ORDER:
        yield "its type is unknown"
    frames, at = object.frames(), 256
    for frame in frames:
        if frame.offset != at or any(data[frame.offset + 5:frame.offset + 8]):
            yield f"there is something before the frame at {frame.offset}, or reserved bytes of its head are in use"
        at = frame.offset + 16 + frame.length
    if at > size - 320 or not frames or frames[-1].kind != SIGNATURE:
        yield "its frames do not end with a signature before its second header"
    if not re.fullmatch(ORDER.get(object.type, b".*"), bytes(frame.kind for frame in frames if frame.kind in KINDS), re.S):
        yield f"a {TYPES.get(object.type)} has other frames, or another order of them"
    places = {frame.kind: frame.offset for frame in frames}
    trailer = b"HFTRAIL1" + struct.pack("<QQQ16x", places.get(DIRECTORY, 0), places.get(SIGNATURE, 0), size)
    if data[size - 64:] != trailer + hashlib.sha256(trailer).digest()[:16]:
        yield "its trailer is damaged or wrong"
    try:
        object.prove()
    except Damage as problem:
        if object.type != VERDICT or not isinstance(problem, Superseded):
            yield str(problem)
    rows = []
    if object.type in (DATA, METADATA, BATCH):
        try:
            rows = object.directory()
        except Damage as problem:
            yield str(problem)
    seen = [f for f in frames if f.kind in (CHUNK, PIECE)]
    if rows and [(Frame(r.offset, r.kind, r.sealed), r.tag) for r in rows] != [(f, bytes(data[f.offset + f.length:f.offset + f.length + 16])) for f in seen]:
        yield "the directory does not fit the frames"
    rows = {row.offset: row for row in rows}
    for frame in frames:
        try:
            if frame in seen:
                found, content = object.chunk(frame)
                if frame.offset in rows and (found, len(content)) != (rows[frame.offset].id, rows[frame.offset].plain):
                    yield f"the directory gives another id or length for the chunk at {frame.offset}"
            elif frame.kind in WITH_OBJECT_KEY | WITH_INDEX_KEY:
                object.open(frame)
        except Damage as problem:
            yield f"the chunk at {frame.offset}: {problem}"


def verify(medium):
    chunks = 0
    for object in medium.objects:
        for name, data in object.copies:
            try:
                for problem in check_copy(name, data, medium.keys, medium.single):
                    medium.report(f"{name}: {problem}")
            except Damage as problem:
                medium.report(f"{name}: {problem}")
        twins = [bytes(data) for _, data in object.copies]
        if len(twins) != (2 if object.type in (METADATA, ROOT, KEYS) else 1):
            medium.report(f"{object.name}: a {TYPES.get(object.type)} in {len(twins)} copies")
        if any(twin != twins[0] for twin in twins):
            medium.report(f"{object.name}: its copies differ")
        if (object.type in (BATCH, KEYS)) > medium.single or medium.single and object.type not in (BATCH, KEYS, ROOT):
            medium.report(f"{object.name}: a {TYPES.get(object.type)} does not belong here")
        chunks += len(object.chunks())
    verify_plain(medium)
    images = medium.images()
    for image in images:
        try:
            verify_image(image)
        except Damage as problem:
            medium.report(f"image {image.id}: {problem}")
    verify_verdicts(medium, images)
    verify_parcels(medium)
    print(json.dumps({"objects": len(medium.objects), "chunks": chunks, "images": len(images), "problems": len(medium.named)}))


def verify_parcels(medium):
    """Every parcel of every epoch, the revoked writers' too: each opens for its writer alone, so only what is signed can be checked."""
    known = {f"k/{r.epoch}-{hashlib.sha256(r.sealing).hexdigest()[:16]}": (r.epoch, r.root) for r in medium.keys.records}
    for name, data in medium.parcels:
        folder, _, writer = name.removesuffix(".2").rpartition("/")
        try:
            if folder not in known:
                raise Damage("the parcel of an epoch that no record confirms")
            if read_parcel(data, *known[folder]).writer.hex() != writer:
                raise Damage("another writer's parcel than its name says")
        except Damage as problem:
            medium.report(f"{name}: {problem}")


def verify_verdicts(medium, images):
    """What is stated about objects that are there is about these, and a seed's index objects are its own."""
    objects = {object.id: object for object in medium.objects}
    for verdict in medium.verdicts():
        writer, name, digest = verdict.target[:16], verdict.target[16:32], verdict.target[32:]
        object = objects.get(name)
        if object and (FOLDERS[object.type].encode(), object.header.writer, object.prove().digest) != (verdict.kind, writer, digest):
            medium.report(f"{object.name}: a verdict is about another object of this id")
        if object and verdict.result == 3 and verdict.indexes != read_volumes(object.part(VOLUMES)).indexes:
            medium.report(f"{object.name}: a seed of it names other index objects")


def verify_plain(medium):
    """The plain files of a store: what is there twice is the same. Of a file: the order of its objects."""
    if medium.single:
        order = bytes(read_header(medium.data, start).type for start, _ in split(medium.data) if read_header(medium.data, start))
        if not re.fullmatch(rb"\x06\x06\x05*\x03\x03", order):
            medium.report("not keys, keys, batches, root, root")
        return
    files = {name: data for name, data in sum(medium.gather_store()[1:4], [])}
    for name in {name.removesuffix(".2") for name in files} | {"HOLDFAST"}:
        if name not in files or files.get(name) != files.get(name + ".2"):
            medium.report(f"{name}: not there twice, or its copies differ")
        elif name == "HOLDFAST" and read_plain_text(files[name])[0] != medium.keys.store:
            medium.report(f"{name}: not the store of the keys")


def verify_image(image):
    medium, objects = image.medium, {object.id: object for object in image.medium.objects}
    if not image.counts:
        return
    body, named = read_body(image.root.part(BODY)), read_volumes(image.root.part(VOLUMES))
    listed = named.volumes
    for types, references in ((DATA, METADATA), listed), ((INDEX,), named.indexes):
        for wanted in references:
            object = objects.get(wanted.id)
            if not object or object.type not in types:
                medium.report(f"image {image.id}: the {TYPES[types[-1]]} {wanted.id.hex()} is missing")
            elif object.reference() != wanted or object.header.group != image.root.header.group:
                medium.report(f"image {image.id}: the {TYPES[object.type]} {wanted.id.hex()} is not the one that it names")
    verify_index(image, listed, [objects[i.id] for i in named.indexes if i.id in objects], objects)
    # A chunk may be cited where it lies in a volume that the root lists; in a file, where it lies in the piece's own batch.
    batches = [object for object in medium.objects if object.type == BATCH]
    volumes = batches if medium.single else [objects[v.id] for v in listed if v.id in objects]
    there = {(name, frame.kind) for volume in volumes for name, frame in volume.chunks()}
    if medium.single:
        verify_batches(image, batches, body.pieces, listed)
    entries = size = 0
    paths, sources = set(), []
    for event, names, entry in Manifest().events(image.pieces()):
        path = b"/".join(names) if isinstance(names, list) else names
        if event == "source":
            paths = set()
            sources.append(names)
        elif event in ("gap", "lost"):
            medium.report(f"image {image.id}: manifest: {event}: {path if event == 'gap' else show(path)}")
        if entry is None:
            continue
        entries += 1
        try:
            if any(tag >= 64 for tag in entry.unknown):
                raise Damage("it has tags that are a machine's own")
            if entry.type == HARD_LINK and entry.target not in paths:
                raise Damage("a hard link to what did not come before")
            if entry.type not in (FOLDER, HARD_LINK):
                paths.add(path)
            if entry.type == FILE:
                size += entry.size
                check_whole(entry)
                for slice in entry.slices:
                    if slice.chunk and (slice.chunk, CHUNK) not in there:
                        raise Damage(f"the chunk {slice.chunk.hex()} is in no volume that the image names")
                    if slice.chunk and slice.offset + slice.length > len(medium.chunk(slice.chunk, CHUNK)):
                        raise Damage("a slice is longer than its chunk")
            elif entry.slices or entry.streamed:
                raise Damage("content of what is no file")
        except Damage as problem:
            medium.report(f"image {image.id}: {show(path)}: {problem}")
    for what, counted in ("entries", entries), ("bytes", size):
        if {getattr(body, what), getattr(image.label, what)} != {counted}:
            medium.report(f"image {image.id}: {counted} {what}; body: {getattr(body, what)}, label: {getattr(image.label, what)}")
    if sources != image.label.sources:
        medium.report(f"image {image.id}: its label names other sources than its manifest")
    if any((name, PIECE) not in there for name, _ in body.pieces):
        medium.report(f"image {image.id}: a piece of the manifest is in no volume that it names")


def verify_index(image, listed, indexes, objects):
    """Index objects have the rows of each volume that the image names, and they are those of its directory."""
    said = {}
    for index in indexes:
        for part in index.parts(INDEX_ROWS):
            volume, rows = read_index_rows(part)
            said.setdefault(volume, rows)
    for volume in listed:
        if volume not in said:
            image.medium.report(f"image {image.id}: no index object has the volume {volume.id.hex()}")
        elif volume.id in objects and said[volume] != objects[volume.id].directory():
            image.medium.report(f"image {image.id}: an index object gives other rows for the volume {volume.id.hex()}")


def cited(piece):
    """The chunks that a piece of the manifest cites."""
    found = set()
    for kind, payload in records(piece):
        slices = read_slices(payload) if kind == CONTENT else (fields(payload, ENTRIES).slices or []) if kind == ENTRY else []
        found |= {slice.chunk for slice in slices if slice.chunk}
    return found


def verify_batches(image, batches, pieces, listed):
    if listed:
        image.medium.report(f"image {image.id}: volumes listed in a single-file image")
    for number, batch in enumerate(batches):
        names = [name for name, _ in batch.chunks()]
        inner = names[1:-1]
        if len(names) < 2 or names[0] != names[-1] or pieces[number:number + 1] != [(names[0], len(image.medium.chunk(names[0], PIECE)))]:
            image.medium.report(f"{batch.name}: not the piece {number} of the manifest, twice")
        elif len(inner) != len(set(inner)) or set(inner) != cited(image.medium.chunk(names[0], PIECE)):
            image.medium.report(f"{batch.name}: not exactly the chunks that its piece cites")
    if len(batches) != len(pieces) or read_body(image.root.part(BODY)).batches != len(batches):
        image.medium.report(f"image {image.id}: {len(batches)} batches for {len(pieces)} pieces of the manifest")


# -------------------------------------------------------------------------------------------------------------------------- Dump

def dump(path):
    data = view(parts(path))
    for start, end in split(data):
        print(f"{path}: object at {start}, {end - start} bytes")
        object = Object([(path, data[start:end])])
        h = object.header
        print(f"  {TYPES.get(h.type, h.type)}, version {h.version}, suite {h.suite}, epoch {h.epoch}, features {h.features:#x}, length {h.length}")
        for name in "id", "run", "store", "group", "writer", "salt", "sealed":
            print(f"  {name:9} {getattr(h, name).hex()}")
        for frame in object.frames():
            print(f"  {frame.offset:>10} {KINDS.get(frame.kind, frame.kind):9} {frame.length:>10} bytes")
            content = next(object.contents(frame))
            if frame.kind == PLAIN_TEXT:
                print(*("               | " + show(line) for line in content.splitlines()), sep="\n")
            elif frame.kind == AGE_FILE:
                print("               | " + show(content.partition(b"\0")[0]))
            elif frame.kind == SIGNATURE:
                both = fields(content, {1: ("certificate", raw), 2: ("signature", raw)})
                for name, value in vars(fields(both.certificate, CERTIFICATE)).items():
                    print(f"               | {name:9} {value.hex() if isinstance(value, bytes) else value}")
                print(f"               | signed    {both.signature.hex()}")


def main():
    parser = argparse.ArgumentParser(description="An independent reader of Holdfast's image format.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in "info", "list", "restore", "needs", "verify":
        command = commands.add_parser(name)
        command.add_argument("medium")
        command.add_argument("--identity", required=True)
        command.add_argument("--fingerprint")
        if name in ("restore", "needs"):
            command.add_argument("image", nargs="?", default="latest")
            command.add_argument("--series", type=os.fsencode)
        if name == "restore":
            command.add_argument("--to", required=True)
    commands.add_parser("dump").add_argument("files", nargs="+")
    asked = parser.parse_args()
    try:
        return act(asked)
    except Refused as problem:
        print(f"holdfast_reader: refused: {problem}", file=sys.stderr)
        return 4


def show_needs(image):
    manifest = Manifest()
    next((event for event in manifest.events(image.pieces()) if event[0] == "source"), None)
    if manifest.needs is None:
        sys.exit(f"holdfast_reader: the image {image.id} does not say what is needed to restore a machine")
    if len(manifest.needs) > 1 << 20:
        raise Damage("what is needed to restore the machine is longer than any can be")
    try:
        needs = json.loads(manifest.needs.decode())
    except ValueError as problem:
        raise Damage(f"what is needed to restore the machine is no JSON: {problem}")
    if not isinstance(needs, dict):
        raise Damage("what is needed to restore the machine is no object")
    print(json.dumps(needs, ensure_ascii=False))


def act(asked):
    if asked.command == "dump":
        return [dump(path) for path in asked.files] and 0
    medium = Medium(asked.medium, asked.identity, asked.fingerprint)
    if asked.command == "info":
        keys = medium.keys
        print(json.dumps({"store": keys.store.hex(), "fingerprint": fingerprint(keys.store, keys.root), "records": keys.newest.number,
                          "epoch": keys.newest.epoch, "governs": medium.governs, "recipients": dict(keys.newest.recipients),
                          "labels": dict(keys.newest.labels),
                          "revoked": [writer.hex() for writer, _ in keys.newest.revoked],
                          "writers": {card.writer.hex(): card.name for card in medium.writers()},
                          "seeds": sorted(v.target[16:32].hex() for v in medium.verdicts() if v.result == 3),
                          "damaged": sorted(name.hex() for name in medium.damaged()),
                          "condemned": sorted(name.hex() for name in medium.condemned()),
                          "removed": sorted(name.hex() for name in medium.removed()),
                          "pinned": sorted(name.hex() for name in medium.pinned())}))
    elif asked.command == "list":
        for image in medium.images():
            print(json.dumps({"id": image.id, "name": image.label.name, "host": image.label.host, "time": image.time(),
                              "series": show(image.label.series or b""), "sequence": image.label.sequence, "counts": image.counts,
                              "entries": image.label.entries, "sources": [show(source) for source in image.label.sources]}))
    elif asked.command == "verify":
        verify(medium)
    else:
        if medium.single:
            label = medium.first_label()
            image = next((image for image in medium.images() if image.counts), None) or Image(medium)
            image.label = label  # its sources are those that the batches were placed by
        elif asked.image == "latest":
            image = medium.latest(asked.series)
        else:
            image = next((image for image in medium.images() if asked.image == image.id and (image.counts or image.unfinished)), None)
        if not image:
            sys.exit(f"holdfast_reader: there is no image {asked.image}")
        if asked.command == "needs":
            return show_needs(image) or medium.status
        Restore(image, asked.to).run()
    return medium.status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Damage, OSError) as problem:
        sys.exit(f"holdfast_reader: {problem}")
