#!/usr/bin/python3
"""Tests of the independent reader and of the vectors in Testdata/vectors. Run as root (devices, owners):

    /usr/bin/python3 -B Tests/Reader/test_vectors.py
"""
import contextlib, io, json, os, random, re, shutil, subprocess, sys, tempfile, unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import holdfast_reader as reader
import holdfast_writer as writer

VECTORS = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../Testdata/vectors"))
with open(f"{VECTORS}/keys.json") as file:
    KEYS = json.load(file)
FIRST, SEED, SECOND = KEYS["images"]
PROGRAM = os.path.abspath(os.environ.get("HOLDFAST", os.path.join(os.path.dirname(__file__), "../../.build/debug/holdfast")))


def run(command, medium, *more, identity=os.path.join(VECTORS, "identity.txt")):
    """(exit status, stdout, stderr) of the reader."""
    out, err, old = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["holdfast_reader.py", command, medium, *more, "--identity", identity]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = reader.main()
            except SystemExit as end:
                status = 1
                print(end.code, file=sys.stderr)
            except (reader.Damage, OSError) as problem:
                status = 1
                print(problem, file=sys.stderr)
    finally:
        sys.argv = old
    return status, out.getvalue(), err.getvalue()


class Standards(unittest.TestCase):
    def test_hpke_is_that_of_rfc_9180(self):  # appendix A.1.1; it has AES-128-GCM, so the AEAD's number and key length differ
        private = reader.X25519PrivateKey.from_private_bytes(bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8"))
        enc = bytes.fromhex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431")
        shared = private.exchange(reader.X25519PublicKey.from_public_bytes(enc))
        info = bytes.fromhex("4f6465206f6e2061204772656369616e2055726e")
        key, nonce = reader.hpke_schedule(shared, enc, reader.public(private), info, aead=1, key_length=16)
        self.assertEqual((key.hex(), nonce.hex()), ("4531685d41d65f03dc48f6b8302c05b0", "56d890e5accaaf011cff4b7d"))

    def test_hkdf_is_that_of_rfc_5869(self):  # appendix A.1
        out = reader.hkdf(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)), 42)
        self.assertEqual(out.hex(), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")

    def test_padme_rounds_as_its_definition_says(self):
        from math import floor, log2
        for length in [*range(2, 5000), 4194345]:
            e = floor(log2(length))
            unit = 2 ** (e - (floor(log2(e)) + 1)) if e else 1
            self.assertEqual(reader.padme(length), -(-length // max(1, int(unit))) * max(1, int(unit)), length)

    def test_a_chunk_that_is_not_what_its_id_padding_or_length_says_is_refused(self):
        import hashlib, struct, zstandard
        key, content = bytes(range(32)), b"content " * 100
        name = hashlib.blake2b(content, digest_size=32, key=key).digest()

        def chunk(name, codec, stored, length, more=0, fill=b"\0"):
            plain = struct.pack("<32sBII", name, codec, len(stored), length) + stored
            return plain + fill * (reader.padme(len(plain)) - len(plain) + more)

        packed = zstandard.compress(content)
        self.assertEqual(reader.read_chunk(chunk(name, 1, packed, 800), key), (name, content))
        self.assertEqual(reader.read_chunk(chunk(name, 0, content, 800), key), (name, content))
        bomb = zstandard.compress(bytes(64 << 20))
        for wrong in (chunk(bytes(32), 0, content, 800), chunk(name, 1, packed, 801), chunk(name, 1, packed, 799), chunk(name, 2, content, 800),
                      chunk(name, 0, content, 800, more=1), chunk(name, 0, content, 800, fill=b"x"), chunk(name, 1, bomb, 800),
                      chunk(name, 1, bomb, 64 << 20), chunk(name, 1, packed[:-3], 800), b"short"):
            self.assertRaises(reader.Damage, reader.read_chunk, wrong, key)
        self.assertRaises(reader.Damage, reader.read_chunk, chunk(name, 0, content, 800), bytes(32))

    def test_labels_of_recipients_are_short_text_without_control_characters(self):
        with open(f"{VECTORS}/labels.record", "rb") as file:
            record = reader.read_record(file.read())
        self.assertEqual((dict(record.labels), dict(record.recipients)), (writer.LABELS, {writer.RECIPIENT: True, writer.READER: False}))
        for label in "x" * 129, "a\x1b[2Jb", "a\u0085b":
            record = writer.StoreKeys(writer.Seeded("labels"), labels={writer.READER: label}).records[0]
            self.assertRaises(reader.Damage, reader.read_record, record)

    def test_the_age_file_opens_with_age_and_the_identity_is_its_recipients(self):
        with open(f"{VECTORS}/store/{KEYS['epochs'][0]['folder']}/{writer.RECIPIENT}.age", "rb") as file:
            self.assertIn(b"holdfast store key 2", reader.open_age(file.read(), f"{VECTORS}/identity.txt"))
        self.assertEqual(subprocess.run(["age-keygen", "-y", f"{VECTORS}/identity.txt"], capture_output=True, text=True).stdout.strip(), writer.RECIPIENT)


class Scratch(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.scratch)
        self.count = 0
        with open(f"{VECTORS}/tree.txt") as file:
            self.tree = file.read()
        with open(f"{VECTORS}/image.holdfast", "rb") as file:
            self.file = file.read()
        self.starts = [start for start, _ in reader.split(memoryview(self.file))] + [len(self.file)]

    def path(self, name="out"):
        self.count += 1
        return f"{self.scratch}/{name}{self.count}"

    def put(self, data, name="image"):
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def restore(self, medium, image="latest"):
        to = self.path()
        status, _, messages = run("restore", medium, image, "--to", to)
        return status, messages, writer.listing(to) if os.path.lexists(to) else ""

    def assertRestores(self, medium, image="latest", status=0):
        got, messages, listing = self.restore(medium, image)
        self.assertEqual((got, listing), (status, self.tree), messages)
        return messages

    def assertRestoresAll(self, medium, image="latest"):
        """Whether the damage was worth a message or not: everything is there."""
        _, messages, listing = self.restore(medium, image)
        self.assertEqual(listing, self.tree, messages)
        self.assertNotIn("lost:", messages)

    def assertHonest(self, medium, image="latest"):
        """What is there is right, what is not was named, and the status says so."""
        status, messages, listing = self.restore(medium, image)
        if not listing:
            self.assertIn(status, (1, 3), messages)
            return 0
        files = lambda text: {l.split("\t")[0]: (l.split("\t")[1], l.split("\t")[8]) for l in text.splitlines()[1:]}
        want, got = files(self.tree), files(listing)
        for name, what in got.items():
            self.assertEqual(what, want.get(name), messages)
        if set(want) - set(got):
            self.assertEqual(status, 3, messages)
            if "entries are missing after" not in messages:
                for name in set(want) - set(got):
                    plain = reader.show(re.sub(rb"\\x(..)", lambda m: bytes([int(m[1], 16)]), name.encode()))
                    self.assertIn("/srv/tree/" + plain, messages)
        return len(got)


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class Vectors(Scratch):
    def test_the_store_and_the_file_restore_as_the_tree_they_were_made_from(self):
        self.assertRestores(f"{VECTORS}/store", FIRST)
        self.assertRestores(f"{VECTORS}/image.holdfast")

    def test_an_image_of_several_sources_restores_them_under_their_paths(self):
        to = self.path()
        self.assertEqual(run("restore", f"{VECTORS}/store", "--series", "host.example/vectors", "--to", to)[0], 0)
        with open(f"{VECTORS}/more.txt") as file:
            self.assertEqual(writer.listing(f"{to}/srv/more"), file.read())
        with open(f"{to}/etc/one file") as file:
            self.assertEqual(file.read(), "second" * 20)

    def test_who_only_reads_restores_the_same_through_every_epoch_and_has_no_root_key(self):
        to, reads = self.path(), f"{VECTORS}/reader.txt"
        self.assertEqual(run("restore", f"{VECTORS}/store", SECOND, "--to", to, identity=reads)[0], 0)
        with open(f"{VECTORS}/more.txt") as file:
            self.assertEqual(writer.listing(f"{to}/srv/more"), file.read())
        self.assertFalse(json.loads(run("info", f"{VECTORS}/store", identity=reads)[1])["governs"])

    def test_records_fingerprint_writers_and_verdicts_are_those_that_were_written(self):
        info = json.loads(run("info", f"{VECTORS}/store")[1])
        self.assertEqual((info["records"], info["epoch"], info["fingerprint"]), (3, 3, KEYS["fingerprint"]))
        self.assertEqual(info["recipients"], {writer.RECIPIENT: True, writer.READER: False})
        self.assertEqual(info["writers"], {KEYS["writer"]: "host.example", KEYS["steward"]: "steward"})
        for name in ("seeds", "damaged", "condemned", "removed", "pinned"):
            self.assertEqual(info[name], KEYS[name], name)

    def test_several_series_have_no_latest(self):
        self.assertEqual(run("restore", f"{VECTORS}/store", "--to", self.path())[0], 4)

    def test_a_parcel_opens_for_its_writer_with_the_key_of_its_epoch(self):
        for number, epoch in enumerate(KEYS["epochs"], 1):
            with open(f"{VECTORS}/store/{epoch['folder']}/{KEYS['writer']}", "rb") as file:
                card = reader.read_parcel(file.read(), number, bytes.fromhex(KEYS["root public"]))
            private = reader.X25519PrivateKey.from_private_bytes(bytes.fromhex(KEYS["unsealing private"]))
            opened = reader.hpke_open(private, card.sealed_key, b"holdfast/1/parcel", card.place)
            self.assertEqual((card.encoded.hex(), opened.hex()), (KEYS["certificate"], epoch["index key"]))

    def test_verify_finds_nothing_wrong_with_either(self):
        for name in "store", "image.holdfast":
            self.assertEqual(run("verify", f"{VECTORS}/{name}")[0::2], (0, ""))

    def test_the_writer_makes_the_same_vectors_again(self):
        again = self.path()
        writer.write_vectors(again)
        self.assertEqual(subprocess.run(["diff", "-r", again, VECTORS]).returncode, 0)

    def test_a_file_cut_into_parts_is_joined_again(self):
        first = self.put(self.file[:5001])
        for number, part in (2, self.file[5001:5002]), (3, self.file[5002:]):
            with open(f"{first}.{number}", "wb") as file:
                file.write(part)
        self.assertRestores(first)

    def test_holes_stay_holes(self):
        to = self.path()
        run("restore", f"{VECTORS}/image.holdfast", "--to", to)
        info = os.stat(f"{to}/sparse")
        self.assertLess(info.st_blocks * 512, info.st_size // 4)


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class Attacks(Scratch):
    """What must not be believed: Testdata/vectors/hostile and files/."""

    def restore_more(self, medium, *more):
        to = self.path()
        status, _, messages = run("restore", medium, *more, "--to", to)
        with open(f"{VECTORS}/more.txt") as file:
            return status, os.path.exists(to) and writer.listing(to) == file.read(), messages

    def test_only_what_its_writer_may_write_counts(self):
        status, out, messages = run("list", f"{VECTORS}/hostile")
        counting = {image["id"] for image in map(json.loads, out.splitlines()) if image["counts"]}
        self.assertEqual((status, counting), (3, {KEYS["hostile"]["true"], KEYS["hostile"]["kept"]}))
        for name, words in {"revoked": "was revoked", "planted": "may not write the series", "unfinished": "ended before", "foreign": "did not sign"}.items():
            self.assertRegex(messages, f"image {KEYS['hostile'][name]}: .*{words}")
        self.assertRegex(messages, f"{KEYS['hostile']['feature']}: refused: it requires the features 0x8000000000000000")
        self.assertIn("another object than its name says", messages)

    def test_latest_is_the_true_one_and_an_unfinished_one_restores_by_its_id_alone(self):
        store = f"{VECTORS}/hostile"
        self.assertEqual(self.restore_more(store, "--series", "host.example/vectors")[1], True)
        self.assertEqual(self.restore_more(store, KEYS["hostile"]["unfinished"])[:2], (3, True))
        for name in "revoked", "planted", "feature", "foreign":
            self.assertEqual(self.restore_more(store, KEYS["hostile"][name])[:2], (1, False))

    def test_another_fingerprint_than_the_pinned_one_is_refused(self):
        for medium in f"{VECTORS}/hostile", f"{VECTORS}/image.holdfast":
            self.assertEqual(self.restore_more(medium, "--fingerprint", KEYS["fingerprint"])[:2], (4, False))
        self.assertEqual(run("list", f"{VECTORS}/store", "--fingerprint", KEYS["fingerprint"])[0], 0)

    def test_under_a_new_root_key_counts_what_it_lists_and_what_the_old_one_signs_beside_it_does_not(self):
        store, known = f"{VECTORS}/rekeyed", KEYS["rekeyed"]
        for pin in [], ["--fingerprint", known["fingerprint"]]:
            status, out, messages = run("list", store, *pin)
            counting = {image["id"] for image in map(json.loads, out.splitlines()) if image["counts"]}
            self.assertEqual((status, counting), (3, {known["before"], known["kept"], known["after"]}))
            self.assertRegex(messages, f"image {known['minted']}: .*did not sign")
            self.assertRegex(messages, "e/00000002-.*whose place another has taken")
        info = json.loads(run("info", store)[1])
        self.assertEqual((info["records"], info["epoch"], info["fingerprint"], info["governs"]), (2, 2, known["fingerprint"], True))
        self.assertEqual((info["recipients"], list(info["writers"])), ({writer.RECIPIENT: True, writer.READER: False}, [known["writer"]]))
        self.assertEqual((info["seeds"], info["damaged"]), ([], [known["damaged"]]))
        self.assertFalse(json.loads(run("info", store, identity=f"{VECTORS}/reader.txt")[1])["governs"])
        for image in "before", "kept", "after":
            self.assertEqual(self.restore_more(store, known[image])[1], True)
        self.assertEqual(self.restore_more(store, known["minted"])[:2], (1, False))

    def test_who_has_pinned_the_old_root_key_or_meets_two_new_ones_is_refused(self):
        store, known = self.path(), KEYS["rekeyed"]
        self.assertEqual(self.restore_more(f"{VECTORS}/rekeyed", "--fingerprint", known["fingerprint before"])[:2], (4, False))
        shutil.copytree(f"{VECTORS}/rekeyed", store)
        # Who has the old seed makes a new root key of his own.
        other = writer.StoreKeys(writer.Seeded("rekeyed keys"), {writer.RECIPIENT: True, writer.READER: True})
        other.seeded = writer.Seeded("a new root key of his own")
        other.rekey([])
        with open(f"{store}/e/00000002-{writer.hashlib.sha256(other.records[1]).hexdigest()[:32]}", "wb") as file:
            file.write(other.records[1])
        self.assertEqual(run("list", store)[0], 4)
        self.assertEqual(self.restore_more(store, known["after"], "--fingerprint", known["fingerprint"])[1], True)

    def test_a_record_that_is_missing_or_contradicts_another_ends_all(self):
        store = self.path()
        shutil.copytree(f"{VECTORS}/store", store)
        other = writer.StoreKeys(writer.Seeded("keys"))
        other.turn(), other.turn()  # the third epoch without the revocation
        name = f"{store}/e/00000003-{writer.hashlib.sha256(other.records[2]).hexdigest()[:32]}"
        with open(name, "wb") as file:
            file.write(other.records[2])
        self.assertEqual(run("list", store)[0], 4)
        os.remove(name)
        for name in os.listdir(f"{store}/e"):
            if name.startswith("00000002"):
                os.remove(f"{store}/e/{name}")
        self.assertEqual(run("list", store)[0], 1)

    def test_a_file_whose_batches_are_not_its_own_or_whose_label_is_lost_is_not_gone_on_with(self):
        self.assertEqual(self.restore_more(f"{VECTORS}/files/whole.holdfast")[:2], (0, True))
        for name, words in {"missing-batch": "missing or out of place", "foreign-batch": "of another image"}.items():
            status, _, messages = self.restore_more(f"{VECTORS}/files/{name}.holdfast")
            self.assertEqual(status, 3)
            self.assertIn(words, messages)
        status, placed, messages = self.restore_more(f"{VECTORS}/files/lost-label.holdfast")
        self.assertEqual((status, placed), (1, False))
        self.assertIn("nothing is placed", messages)


@unittest.skipUnless(os.geteuid() == 0 and os.path.exists(PROGRAM), "needs root, and a build of holdfast")
class Program(Scratch):
    """Both ways: holdfast reads what the independent writer wrote, and the independent reader what holdfast wrote."""

    def setUp(self):
        super().setUp()
        self.home = self.path("home")
        self.identity = f"{self.home}/identity.txt"
        os.mkdir(self.home)
        shutil.copy(f"{VECTORS}/identity.txt", self.identity)
        os.chmod(self.identity, 0o600)

    def holdfast(self, *arguments, status=0):
        environment = {**os.environ, "HOME": self.home, "XDG_STATE_HOME": f"{self.home}/state", "XDG_CACHE_HOME": f"{self.home}/cache",
                       "XDG_CONFIG_HOME": f"{self.home}/config"}
        done = subprocess.run([PROGRAM, *arguments, "--identity", self.identity], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout + done.stderr

    def test_holdfast_restores_and_verifies_the_vectors(self):
        for medium in ["--from", f"{VECTORS}/store"], ["--input", f"{VECTORS}/image.holdfast"]:
            to = self.path()
            self.holdfast("restore", *([FIRST] if "--from" in medium else []), *medium, "--to", to, "--devices")
            self.assertEqual(writer.listing(to), self.tree)
            if "--from" in medium:
                # A verdict marks one of its volumes, as a vector of verdicts. Who reads it finds it whole.
                self.assertIn("marked as damaged", self.holdfast("verify", *medium, status=3))
            self.holdfast("verify", *medium, "--read-data")

    def test_holdfast_believes_no_more_than_the_independent_reader(self):
        store = ["--from", f"{VECTORS}/hostile"]
        to = self.path()
        self.holdfast("restore", "latest", "--series", "host.example/vectors", *store, "--to", to)
        with open(f"{VECTORS}/more.txt") as file:
            self.assertEqual(writer.listing(to), file.read())
        self.holdfast("restore", KEYS["hostile"]["unfinished"], *store, "--to", self.path(), status=3)
        for name in "revoked", "planted", "feature", "foreign":
            to = self.path()
            with self.assertRaises(AssertionError):
                self.holdfast("restore", KEYS["hostile"][name], *store, "--to", to)
            self.assertFalse(os.path.exists(to))
        rekeyed = KEYS["rekeyed"]
        for name in "before", "kept", "after":
            to = self.path()
            self.holdfast("restore", rekeyed[name], "--from", f"{VECTORS}/rekeyed", "--to", to)
            with open(f"{VECTORS}/more.txt") as file:
                self.assertEqual(writer.listing(to), file.read())
        self.holdfast("restore", rekeyed["minted"], "--from", f"{VECTORS}/rekeyed", "--to", self.path(), status=3)
        for name in "missing-batch", "foreign-batch", "lost-label":
            self.holdfast("restore", "--input", f"{VECTORS}/files/{name}.holdfast", "--to", self.path(), status=3)

    def test_the_independent_reader_restores_what_holdfast_wrote(self):
        tree, store = self.path("tree"), self.path("store")
        writer.make_tree(tree)
        self.holdfast("store", "init", store, "--recipient", writer.RECIPIENT, "--yes")
        self.holdfast("backup", tree, "--to", store, "--name", "one")
        with open(f"{tree}/large", "a") as file:
            file.write("and a line more\n")
        self.holdfast("key", "add", writer.READER, "--reader", "--to", store, "--label", writer.LABELS[writer.READER])
        self.holdfast("key", "add", "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z", "--to", store)
        self.holdfast("key", "remove", "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z", "--from", store, "--yes")
        self.holdfast("backup", tree, "--to", store, "--name", "two")
        self.holdfast("verify", "--from", store, "--read-data", "--share")
        single = self.path("image")
        self.holdfast("backup", tree, "--output", single, "--recipient", writer.RECIPIENT)
        copied = self.path("copy")
        self.holdfast("copy", "two", "--from", store, "--output", copied)
        for medium in store, single, copied:
            for identity in [f"{VECTORS}/identity.txt"] + [f"{VECTORS}/reader.txt"] * (medium == store):
                with self.subTest(medium=medium, identity=identity):
                    self.assertEqual(run("verify", medium, identity=identity)[0::2], (0, ""))
                    to = self.path()
                    series = ["--series", next(iter({json.loads(l)["series"] for l in run("list", medium)[1].splitlines() if json.loads(l)["name"] == "two"}))] if medium == store else []
                    self.assertEqual(run("restore", medium, *series, "--to", to, identity=identity)[0], 0)
                    self.assertEqual(writer.listing(to), writer.listing(tree))
        info = json.loads(run("info", store)[1])
        self.assertEqual((info["records"], info["epoch"], len(info["writers"]), len(info["seeds"])), (4, 2, 1, 2))
        self.holdfast("store", "rekey", store, "--yes")
        self.holdfast("backup", tree, "--to", store, "--name", "three")
        self.holdfast("copy", "three", "--from", store, "--output", f"{copied} again")
        for medium in store, f"{copied} again":
            self.assertEqual(run("verify", medium)[0::2], (0, ""))
        again = json.loads(run("info", store)[1])
        self.assertEqual((again["records"], again["epoch"], len(again["writers"])), (5, 3, 1))
        self.assertNotEqual(again["fingerprint"], info["fingerprint"])
        self.assertEqual(run("list", store, "--fingerprint", info["fingerprint"])[0], 4)
        self.assertEqual(info["recipients"], {writer.RECIPIENT: True, writer.READER: False})
        self.assertEqual(info["labels"], {writer.READER: writer.LABELS[writer.READER]})


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class Damages(Scratch):
    def flip(self, data, *places):
        data = bytearray(data)
        for place in places:
            data[place] ^= 0x40
        return bytes(data)

    def test_a_flipped_bit_anywhere_in_a_file_never_restores_wrong_and_verify_sees_it(self):
        rolls = random.Random(1)
        for place in [*rolls.sample(range(len(self.file)), 120), *self.starts[:-1], *(s - 1 for s in self.starts[1:])]:
            with self.subTest(place=place):
                damaged = self.put(self.flip(self.file, place))
                self.assertEqual(run("verify", damaged)[0], 3)
                self.assertHonest(damaged)

    def test_a_flipped_bit_in_what_is_there_twice_loses_nothing(self):
        rolls = random.Random(2)
        keys, root = range(0, self.starts[2]), range(self.starts[-3], len(self.file))
        for place in rolls.sample(keys, 15) + rolls.sample(root, 15):
            with self.subTest(place=place):
                self.assertRestoresAll(self.put(self.flip(self.file, place)))

    def test_both_roots_damaged_in_different_parts_make_a_whole_one(self):
        frames = list(reader.frames_of(memoryview(self.file)[self.starts[-3]:self.starts[-2]]))
        first, second = self.starts[-3], self.starts[-2]
        label, volumes, body, signature = (frame.offset for frame in frames)
        damaged = self.flip(self.file, first, first + label + 20, first + body + 2, second + volumes + 18, second + body + 30, second + signature + 40, len(self.file) - 300)
        self.assertRestoresAll(self.put(damaged))

    def test_a_lost_directory_or_header_loses_no_file(self):
        for start, end in zip(self.starts[2:-3], self.starts[3:-2]):
            directory = next(f.offset for f in reader.frames_of(memoryview(self.file)[start:end]) if f.kind == reader.DIRECTORY)
            self.assertRestores(self.put(self.flip(self.file, start + directory + 30)), status=3)  # its signature is lost with it
            self.assertRestores(self.put(self.flip(self.file, start + directory + 3)), status=3)
            self.assertRestores(self.put(self.flip(self.file, start + 9)))
            self.assertRestores(self.put(self.flip(self.file, start + 257)))

    def test_one_lost_chunk_loses_only_its_files_and_names_them(self):
        store = self.path()
        shutil.copytree(f"{VECTORS}/store", store)
        name = os.path.join(store, KEYS["object"]["file"].removeprefix("store/"))
        with open(name, "rb") as file:
            data = file.read()
        with open(name, "wb") as file:
            file.write(self.flip(data, list(reader.frames_of(memoryview(data)))[1].offset + 60))  # the second chunk
        status, messages, listing = self.restore(store, FIRST)
        missing = set(self.tree.splitlines()) - set(listing.splitlines())
        self.assertEqual((status, sorted(line.split("\t")[0] for line in missing)), (3, ["large", "links/hard"]), messages)
        self.assertIn("lost: /srv/tree/large", messages)
        self.assertIn("lost: /srv/tree/links/hard", messages)

    def test_a_store_survives_the_loss_of_every_first_copy_and_of_every_second_one(self):
        for lose in (lambda name: not name.endswith(".2") and os.path.exists(name + ".2")), (lambda name: name.endswith(".2")):
            store = self.path()
            shutil.copytree(f"{VECTORS}/store", store)
            gone = [os.path.join(f, n) for f, _, names in os.walk(store) for n in names if lose(os.path.join(f, n))]
            for name in gone:
                os.remove(name)
            self.assertGreater(len(gone), 4)
            status, messages, listing = self.restore(store, FIRST)
            self.assertEqual(listing, self.tree, messages)
            self.assertEqual("ended before it was finished" in messages, status == 3)  # a root's second copy alone is said
            self.assertEqual(run("verify", store)[0], 3)

    def test_a_flipped_bit_anywhere_in_a_store_never_restores_wrong_and_verify_sees_it(self):
        store, rolls = self.path(), random.Random(3)
        shutil.copytree(f"{VECTORS}/store", store)
        names = sorted(os.path.join(f, n) for f, _, names in os.walk(store) for n in names)
        for name in names:
            with open(name, "rb") as file:
                data = file.read()
            place = rolls.randrange(len(data) if "HOLDFAST" not in name else 150)
            with self.subTest(name=name[len(store):], place=place):
                with open(name, "wb") as file:
                    file.write(self.flip(data, place))
                self.assertEqual(run("verify", store)[0], 3)
                self.assertGreater(self.assertHonest(store, FIRST), 0)
                with open(name, "wb") as file:
                    file.write(data)

    def test_what_came_of_a_truncated_file_is_used_and_the_rest_is_missed_aloud(self):
        last = -1
        for end in sorted(random.Random(4).sample(range(len(self.file)), 40)) + self.starts[1:-2]:
            with self.subTest(end=end):
                self.assertHonest(self.put(self.file[:end]))
        for end in self.starts[3:-2]:  # the more came, the more is there
            status, messages, _ = self.restore(self.put(self.file[:end]))
            self.assertEqual(status, 3)
            self.assertIn("truncated", messages)
            count = self.assertHonest(self.put(self.file[:end]))
            self.assertGreater(count, last)
            last = count

    def test_a_damaged_batch_costs_its_own_entries_only(self):
        for start, end in zip(self.starts[2:-3], self.starts[3:-2]):
            count = self.assertHonest(self.put(self.file[:start] + bytes(end - start) + self.file[end:]))
            self.assertGreater(count, 15)

    def test_batches_that_are_missing_twice_there_or_in_another_order_end_the_placing(self):
        a, b, c = self.starts[2:5]
        for wrong in self.file[:a] + self.file[b:], self.file[:b] + self.file[a:], self.file[:a] + self.file[b:c] + self.file[a:b] + self.file[c:]:
            wrong = self.put(wrong)
            self.assertHonest(wrong)
            self.assertIn("a batch is missing or out of place", self.restore(wrong)[1])

    def test_a_foreign_identity_opens_nothing(self):
        other = self.path("identity")
        subprocess.run(["age-keygen", "-o", other], check=True, capture_output=True)
        self.assertEqual(run("list", f"{VECTORS}/store", identity=other)[0], 1)


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class Trees(Scratch):
    """Other trees than the vectors', through writer and reader."""

    def image(self, sources, piece=2048, keys=None, **more):
        keys, old = keys or writer.WriterKeys(writer.Seeded("keys")), writer.PIECE_SIZE
        writer.PIECE_SIZE = piece
        try:
            return self.put(writer.single_file(keys, writer.Seeded("test"), sources, 1_700_000_000, **more)[0])
        finally:
            writer.PIECE_SIZE = old

    def test_a_piece_for_every_record_restores_the_same_and_a_lost_one_costs_little(self):
        tree = self.path("tree")
        writer.make_tree(tree)
        image = self.image({tree: "/srv/tree"}, piece=1)
        self.assertEqual(run("verify", image)[0::2], (0, ""))
        self.assertRestores(image)
        with open(image, "rb") as file:
            data = file.read()
        starts = [start for start, _ in reader.split(memoryview(data))]
        for start, end in zip(starts[2:-2], starts[3:-1]):
            with self.subTest(start=start):
                self.assertGreater(self.assertHonest(self.put(data[:start] + bytes(end - start) + data[end:])), 25)

    def test_paths_longer_than_the_system_takes_restore(self):
        top = self.path("deep")
        os.mkdir(top)
        fd = os.open(top, os.O_RDONLY)
        for level in range(40):
            name = b"%03d-" % level + b"d" * 200
            os.mkdir(name, dir_fd=fd)
            fd, old = os.open(name, os.O_RDONLY, dir_fd=fd), fd
            os.close(old)
        for name in b"bottom", b"other":
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT, dir_fd=fd))
        os.link(b"bottom", b"third", src_dir_fd=fd, dst_dir_fd=fd)
        os.close(fd)
        to = self.path()
        self.assertEqual(run("restore", self.image({top: "/deep"}), "--to", to)[0], 0)
        self.assertEqual(writer.listing(to), writer.listing(top))
        self.assertEqual(len(writer.listing(to).splitlines()), 45)

    def test_immutable_files_and_directories_restore_and_are_linked_before_they_freeze(self):
        top = self.path("frozen")
        os.makedirs(f"{top}/folder")
        with open(f"{top}/folder/file", "w") as file:
            file.write("frozen")
        os.link(f"{top}/folder/file", f"{top}/later")
        names = f"{top}/folder", f"{top}/folder/file"
        to = self.path()
        melt = lambda: subprocess.run(["chattr", "-R", "-i", top, *[to] * os.path.exists(to)])
        self.addCleanup(melt)
        subprocess.run(["chattr", "+i", *names], check=True)
        status, _, messages = run("restore", self.image({top: "/frozen"}), "--to", to)
        got, want = writer.listing(to), writer.listing(top)
        melt()
        self.assertEqual((status, got), (0, want), messages)

    def test_the_root_of_all_is_a_source_and_a_single_file_is_one(self):
        top = self.put(b"single " * 50_000, "one")
        for piece in 1, 2048:
            to = self.path()
            image = self.image({top: "/etc/one"}, piece=piece)
            self.assertEqual(run("verify", image)[0::2], (0, ""))
            self.assertEqual(run("restore", image, "--to", to)[0], 0)
            self.assertEqual(writer.listing(to), writer.listing(top))
        to = self.path()
        self.assertEqual(run("restore", self.image({VECTORS: "/"}), "--to", to)[0], 0)
        self.assertEqual(writer.listing(to), writer.listing(VECTORS))

    def test_a_hostile_manifest_writes_nothing_outside(self):
        outside = self.path("outside")
        os.mkdir(outside)
        folder = writer.field(2, 2) + writer.field(3, 0o755)
        file = writer.field(2, 1) + writer.field(3, 0o644) + writer.field(10, 0)
        link = writer.field(1, b"x") + writer.field(2, 3) + writer.field(13, outside.encode())
        attacks = {
            "dots": [(3, folder), (5, writer.field(1, b"..") + file)],
            "slash": [(3, folder), (5, writer.field(1, b"../x") + file)],
            "absolute": [(3, folder), (5, writer.field(1, outside.encode() + b"/x") + file)],
            "planted": [(3, folder), (5, link), (3, writer.field(1, b"x") + folder), (5, writer.field(1, b"y") + file), (4, b"")],
            "link as source": [(5, link), (2, writer.field(1, b"/h/y")), (3, folder), (5, writer.field(1, b"y") + file)],
            "hard link": [(3, folder), (5, writer.field(1, b"y") + writer.field(2, 4) + writer.field(13, b"../identity.txt"))],
        }
        for name, records in attacks.items():
            with self.subTest(name=name):
                keys, scan = writer.WriterKeys(writer.Seeded("keys")), writer.Scan(writer.WriterKeys(writer.Seeded("keys")), {}, {})
                scan.pieces.emit(2, writer.field(1, b"/h"))
                for kind, payload in records:
                    scan.pieces.emit(kind, payload)
                scan.pieces.cut()
                old, writer.Scan = writer.Scan, lambda *_: scan
                try:
                    image = self.image({"": "/h"}, keys=keys)
                finally:
                    writer.Scan = old
                self.assertEqual(run("verify", image)[0], 3)
                self.assertEqual(run("restore", image, "--to", self.path())[0], 3)
                self.assertEqual(os.listdir(outside), [])

    def test_a_hostile_source_writes_nothing_outside(self):
        one, box = self.put(b"one", "one"), self.path("box")
        os.mkdir(box)
        for hostile in "/..", "/a/../../x", "/.":
            with self.subTest(source=hostile):
                image = self.image({one: "/fine", VECTORS: hostile})
                status, _, messages = run("restore", image, "--to", f"{box}/to")
                self.assertEqual((status, os.listdir(box), os.listdir(f"{box}/to")), (3, ["to"], ["fine"]), messages)
                shutil.rmtree(f"{box}/to")

    def test_an_image_by_a_writer_that_the_store_never_certified_is_called_unproven(self):
        keys = writer.WriterKeys(writer.Seeded("keys"))
        keys.writer = writer.Ed25519PrivateKey.from_private_bytes(bytes(32))
        image = self.image({VECTORS: "/v"}, keys=keys)
        for command in "list", "verify":
            status, _, messages = run(command, image)
            self.assertEqual(status, 3)
            self.assertIn("the signature does not fit", messages)


if __name__ == "__main__":
    unittest.main()
