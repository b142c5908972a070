"""The first part of a run: records, listings, tombstones, what may be cited, and what earlier runs left
(Store/Opening.swift, Store/WriterIndex.swift, Backup/EndedRuns.swift)."""

from .client import Again, Refused, kinds
from .settings import CHUNK, INDEX_ROW, LABEL_BYTES, RECORD_BYTES, ROOT_BYTES, VERDICT_BYTES

GET_HOLDFAST, LIST_E, GET_E, LIST_K, GET_K, LIST_I, LIST_A, GET_A, LIST_D, GET_D, GET_I, GET_X, LIST_V, GET_V, GET_C = kinds(
    "GET HOLDFAST, LIST e, GET e, LIST k, GET k, LIST i, LIST a, GET a, LIST d, GET d, GET i, GET x, LIST v, GET v, GET c")
PUT_I, DELETE_X, DELETE_V, HEAD_V, DELETE_C = kinds("PUT i, DELETE x, DELETE v, HEAD v, DELETE c")


class Ended(Exception):
    """The newest record revokes this writer."""


class View:
    """What a run knows of the store since its start."""

    __slots__ = ("epoch", "ended", "listed")


def open_store(self):
    """HOLDFAST, records, keys; then the own roots, verdicts and tombstones. A generator; returns a view."""
    world, store, settings = self.world, self.world.store, self.world.settings
    lean = settings.client == "lean"
    yield self.ask(GET_HOLDFAST, LABEL_BYTES, 1 if lean else 4)
    count, size = world.shared.records(world.now)
    yield self.list(LIST_E, 2 * count)
    view = View()
    view.epoch = store.epoch
    view.ended = frozenset(store.ended_stewards)
    if self.writer in store.revoked:
        raise Ended
    if lean:
        # Records never change and are named by their digest: those that are known are not read again.
        count, size = count - self.records_read, size * (count - self.records_read) // count
        self.records_read += count
    if count:
        yield self.ask(GET_E, size, count)
    if view.epoch != self.epoch:
        self.epoch = view.epoch
        yield self.ask(GET_K, RECORD_BYTES)
    if not lean:
        # Whether a recipient's key file is missing: the folder has a parcel for each writer of the store, too.
        yield self.list(LIST_K, settings.machines + 8)
    listed = []
    for round in range(1 if lean else 2):
        for writer in self.writers:
            yield self.list(LIST_I, 2 * len(store.roots.get(writer, ())))
    listed = store.listed_roots(self.writers)
    view.listed = listed
    refuse_copied_key(self, listed)
    yield self.list(LIST_A, len(store.seeds))
    if store.seeds and (not lean or not self.has_image):
        yield self.ask(GET_A, VERDICT_BYTES * len(store.seeds), len(store.seeds))
    yield from look_at_tombstones(self)
    yield from update_index(self, view)
    return view


def refuse_copied_key(self, listed):
    """A root under one's own id that one did not write."""
    trusts = self.world.settings.weakness("derived-root-trusted")
    for root in listed:
        if root.writer == self.writer and root not in self.own and not (trusts and root.planted_for in self.ended):
            raise Refused


def look_at_tombstones(self):
    """Lists d/ of the own, the predecessors' and the seeds' volumes, and reads what is new there (as it is: all)."""
    store, settings = self.world.store, self.world.settings
    if settings.tombstones == "group":
        places = [None]
    else:
        places = self.writers + [seed.writer for seed in store.seeds]
    for place in places:
        count, size = store.tombs_of.get(place, (0, 0))
        yield self.list(LIST_D, count)
        if settings.client == "lean":
            read, known = self.tombs_read.get(place, (0, 0))
            self.tombs_read[place] = count, size
            count, size = count - read, size - known
        if count:
            yield self.ask(GET_D, size, count)


def is_usable(self, view, thing):
    """Whether the listing shows it and no tombstone condemns it."""
    if not thing.there:
        return False
    if not thing.tombs:
        return True
    store, settings = self.world.store, self.world.settings
    answer = store.condemned(thing, view.ended, view.epoch, settings.weakness("newer-epoch-passed-over"))
    return answer == 0


def update_index(self, view):
    """Takes in roots that the index does not have; one that is gone throws all of it away."""
    world, store, settings = self.world, self.world.store, self.world.settings
    lean = settings.client == "lean"
    roots = {root for root in view.listed if root.counts or root.writer == self.writer}
    rebuilds = not self.index_roots <= roots
    if rebuilds:
        self.known, self.index_roots = {}, set()
    new = roots - self.index_roots
    if new:
        # As it is both copies are read, and the own last one although this machine wrote it.
        if not lean and not self.is_cached:
            count = len(new) if rebuilds else sum(1 for root in new if root not in self.own) + 1
            yield self.ask(GET_I, 2 * ROOT_BYTES * count, 2 * count)
        elif not self.has_image:
            yield self.ask(GET_I, ROOT_BYTES * len(new), len(new))
        own = set(self.writers)
        things = set()
        for root in new:
            things.update(root.things)
        volumes = sorted((t for t in things if t.kind == "v" and t.writer in own and is_usable(self, view, t)), key=lambda t: t.id)
        if rebuilds and not lean:
            indexes = {t.index for t in volumes if t.index}
            if indexes:
                yield self.ask(GET_X, sum(x.bytes for x in indexes), len(indexes))
        for thing in volumes:
            for content in thing.content:
                self.known.setdefault(content, thing)
        self.index_roots |= new
    is_fresh, self.is_cached = not self.is_cached and (rebuilds or not self.has_image), False
    writers = set(self.writers)
    for seed in store.seeds:
        writers.add(seed.writer)
        if is_fresh:
            yield self.ask(GET_I, ROOT_BYTES * 2)
            yield self.ask(GET_X, seed.bytes // CHUNK * INDEX_ROW)
        for thing in store.seed_volumes:
            for content in thing.content:
                self.known.setdefault(content, thing)
    for writer in sorted(writers):
        yield self.list(LIST_V, sum(1 for t in store.things.get(writer, ()) if t.kind == "v"))
    gone = [content for content, thing in self.known.items() if (not thing.there or thing.tombs) and not is_usable(self, view, thing)]
    for content in gone:
        del self.known[content]


def take_over(self, view):
    """What ended runs left: a root of which only the second copy is there is finished, what checkpoints name is cited, the rest goes."""
    world, store, settings = self.world, self.world.store, self.world.settings
    if settings.client == "as-is":
        # All roots of the group are listed and read, so that nothing goes that one of them names.
        roots = sum(len(r) for r in store.roots.values())
        if store.may_delete:
            yield self.list(LIST_I, 2 * roots)
            yield self.ask(GET_I, 2 * ROOT_BYTES * roots, 2 * roots)
        else:
            yield self.ask(LIST_I)
    for run in self.ended:
        yield self.ask(GET_C, 2 * LABEL_BYTES, 2 * (run.checkpoints + 1))
        if store.reads_volumes:
            for thing in run.saved:
                if thing.kind == "v" and is_usable(self, view, thing):
                    yield self.ask(GET_V, INDEX_ROW * thing.bytes // CHUNK)
                    if thing.there:
                        for content in thing.content:
                            self.known.setdefault(content, thing)
        yield self.ask(GET_I, times=2)  # Both names are opened: no listing is asked.
        if run.root is not None and run.root.there:
            if run.root.second and not run.root.first:
                yield from finish_root(self, view, run)
        elif store.may_delete:
            yield from remove_things(self, run, set(run.saved) | named(self, None))


def finish_root(self, view, run):
    """Writes the first copy; the fence holds for this one, too."""
    from .backup import commit_copies
    root = run.root
    last = max((r.sequence for r in view.listed if r.first and r.series == root.series), default=0)
    if last >= root.sequence or not all(is_usable(self, view, thing) for thing in root.things):
        return
    if self.world.trace is not None:
        self.world.tell(self.name, f"finishes {root} of an earlier run", *root.things)
    try:
        yield from commit_copies(self, view, root, run, only_first=True)
    except Again:
        return  # It stays unfinished.


def named(self, new_root):
    """What the own roots name, as a listing shows them, and what the new one does."""
    result = set()
    for root in self.world.store.listed_roots(self.writers):
        result.update(root.things)
    if new_root is not None and not self.world.settings.weakness("clear-by-listing"):
        result.update(new_root.things)
    return result


def remove_things(self, run, kept):
    """Leftovers of an ended run of which no copy of a root is there, where this machine may remove anything."""
    yield self.ask(HEAD_V, times=2 * (len(run.things) + 8))
    for thing in run.things:
        if thing.there and thing not in kept:
            yield self.ask(DELETE_V if thing.kind == "v" else DELETE_X)
            self.world.store.remove(thing, self.name)


def clear(self, new_root):
    """After the root: checkpoints have served, and so has what nothing names."""
    store = self.world.store
    for run in list(self.ended):
        if run.checkpoints:
            yield self.ask(DELETE_C, times=run.checkpoints)
        if run.root is not None and run.root.there:
            self.own.add(run.root)
        elif store.may_delete:
            yield from remove_things(self, run, named(self, new_root))
        self.ended.remove(run)
