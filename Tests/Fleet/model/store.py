"""A group's part of a store: objects, roots, tombstones, what a listing shows, what a server refuses – and the oracle, which sees all."""

from .settings import SIGNING_WINDOW


class Thing:
    """A volume or an index object: what it says that it holds, and what is true."""

    __slots__ = ("id", "kind", "writer", "born", "content", "bytes", "units", "poison", "there", "removed", "names", "held", "held_since", "unnamed",
                 "tombs", "index")

    def __init__(self, id, kind, writer, born, content, bytes, units=1):
        self.id, self.kind, self.writer, self.born = id, kind, writer, born
        self.content, self.bytes, self.units = content, bytes, units
        self.poison = False
        self.there = self.removed = False
        self.names = 0  # listed images that name it: the oracle's
        self.held = 0  # roots of any kind that name it: what a complete reading finds
        self.held_since = 0.0
        self.unnamed = born
        self.tombs = ()
        self.index = None

    def __repr__(self):
        return f"{self.kind}/{self.writer}/{self.id}"


class Root:
    __slots__ = ("id", "writer", "series", "sequence", "things", "first", "second", "born", "taken", "counts", "ours", "planted_for", "covers", "began", "said")

    def __init__(self, id, writer, series, sequence, things, began):
        self.id, self.writer, self.series, self.sequence, self.things, self.began = id, writer, series, sequence, things, began
        self.first = self.second = False
        self.born = 0.0  # of its first object
        self.taken = 0.0
        self.counts = True  # valid, of a writer that counts
        self.ours = True  # written by whom it says; an attacker's image is his own affair
        self.covers = None  # its run's own index object, and the volumes that it has the rows of
        self.said = False  # a tombstone names it as removed
        self.planted_for = None  # a forgery under the name that this run's root would have

    @property
    def there(self):
        return self.first or self.second

    def __repr__(self):
        return f"i/{self.writer}/{self.id}"


class Tomb:
    __slots__ = ("steward", "place", "epoch", "signed", "born", "things", "bytes", "done", "images")

    def __init__(self, steward, place, epoch, signed, things, bytes, images=()):
        self.steward, self.place, self.epoch, self.signed, self.things, self.bytes = steward, place, epoch, signed, things, bytes
        self.images = images  # roots that go
        self.born = None
        self.done = False


class Stale(Exception):
    """The server's 403: the date of a request is older than 15 minutes, or as far ahead."""


class Store:
    """Of one group. Whoever creates gives the moment; nothing is ever changed."""

    def __init__(self, world, dated, weak_listing, may_delete, reads_volumes):
        self.world = world
        self.dated = dated  # checks signing dates
        self.delay = 60.0 if weak_listing else 0.0
        self.may_delete = may_delete
        self.reads_volumes = reads_volumes
        self.things = {}  # writer -> things there
        self.roots = {}  # writer -> {root: None} there
        self.unnamed = {}  # things there that no root names, oldest first
        self.tombs = []
        self.checkpoints = {}  # writer -> [when the newest came, what all of them name]
        self.epoch = 1
        self.records = 1
        self.record_bytes = 700
        self.revoked = {}  # writer -> roots that count
        self.ended_stewards = set()
        self.invalid = {}  # writer -> invalid roots there
        self.seeds = []  # golden images: roots with what they hold
        self.seed_volumes = []
        self.number = 0
        self.losses = []
        self.tombs_of = {}  # condemned writer -> [count, bytes] of its tombstones; None: of the whole group

    def next(self):
        self.number += 1
        return self.number

    # What a server does.

    def check_date(self, date):
        if self.dated and date is not None and abs(self.world.now - date) > SIGNING_WINDOW:
            raise Stale

    def add(self, thing):
        """It appears; the same request may come twice."""
        if thing.there or thing.removed:
            return
        thing.there = True
        thing.born = thing.unnamed = self.world.now
        self.things.setdefault(thing.writer, {})[thing] = None
        self.unnamed[thing] = None
        self.world.measures.objects += thing.units

    def remove(self, thing, who):
        if not thing.there:
            return
        thing.there, thing.removed = False, True
        self.things[thing.writer].pop(thing, None)
        self.unnamed.pop(thing, None)
        self.world.freed(thing)
        if self.world.trace is not None:
            self.world.tell(who, f"DELETE {thing}", thing)
        if thing.names:
            self.lose(thing, f"{who} deleted {thing}, which {thing.names} listed images name")

    def put_root(self, root, second):
        """A copy of a root appears."""
        now = self.world.now
        if root.first if not second else root.second:
            return
        if not root.there:
            root.born = now
            self.roots.setdefault(root.writer, {})[root] = None
            for thing in root.things:
                if thing.held == 0:
                    thing.held_since = now
                    self.unnamed.pop(thing, None)
                thing.held += 1
            if root.covers:
                for thing in root.covers[1]:
                    thing.index = root.covers[0]
            if root.writer in self.revoked:
                root.counts = False
                self.invalid.setdefault(root.writer, set()).add(root)
        if second:
            root.second = True
            return
        root.first = True
        root.taken = now
        if root.counts and root.ours:
            self.list_image(root)

    def list_image(self, root):
        """The oracle's word on an image that appears: all that it names is there, with the content that it was made with."""
        for thing in root.things:
            thing.names += 1
            if not thing.there:
                self.lose(thing, f"the root {root} appeared, and {thing} was gone", root)
            elif thing.poison:
                self.lose(thing, f"the root {root} rests on {thing}, which does not hold what it says", root)

    def unlist(self, root):
        if root.first and root.counts and root.ours:
            for thing in root.things:
                thing.names -= 1

    def remove_root(self, root, second):
        if second:
            if not root.second:
                return
            root.second = False
        else:
            if not root.first:
                return
            self.unlist(root)
            root.first = False
        if not root.there:
            self.roots[root.writer].pop(root, None)
            self.invalid.get(root.writer, set()).discard(root)
            for thing in root.things:
                thing.held -= 1
                if thing.held == 0 and thing.there:
                    thing.unnamed = self.world.now
                    self.unnamed[thing] = None

    def revoke(self, writer, roots):
        """A record ends a writer; of its roots these count."""
        self.revoked[writer] = roots
        self.new_record(len(roots))
        for root in self.roots.get(writer, {}):
            if root not in roots and root.counts:
                self.unlist(root)
                root.counts = False
                self.invalid.setdefault(writer, set()).add(root)
                if root.first:
                    self.world.measures.events["images that a record just missed"] += 1

    def new_record(self, roots=0):
        """Each record repeats all revocations of the one before."""
        self.records += 1
        revoked = sum(16 + 48 * len(kept) for kept in self.revoked.values())
        self.record_bytes += 700 + revoked

    def put_tomb(self, tomb):
        if tomb.born is not None:
            return
        tomb.born = self.world.now
        self.tombs.append(tomb)
        place = tomb.place
        count, size = self.tombs_of.get(place, (0, 0))
        self.tombs_of[place] = count + 1, size + tomb.bytes
        for thing in tomb.things:
            thing.tombs += (tomb,)
        for root in tomb.images:
            root.said = True

    # What a listing shows.

    def listed_roots(self, writers):
        before = self.world.now - self.delay
        return [root for writer in writers for root in self.roots.get(writer, ()) if root.born <= before]

    def condemned(self, thing, ended, epoch, skips_newer):
        """Whether a look at d/ shows a tombstone for this: 0 no, 1 yes, 2 one that the run cannot open."""
        answer = 0
        before = self.world.now - self.delay
        for tomb in thing.tombs:
            if tomb.born <= before and tomb.steward not in ended:
                if tomb.epoch <= epoch:
                    return 1
                if not skips_newer:
                    answer = 2
        return answer

    def lose(self, thing, what, root=None):
        self.losses.append((self.world.now, thing, root, what))
