"""A run: content into volumes, checkpoints, the index object, and the commit with its looks
(Backup/ImageWriter.swift, Backup/CommitLooks.swift; FORMAT.md 13 and 16)."""

from . import opening
from .client import Again, LookAgain, kinds
from .machine_run import Run
from .opening import Ended, look_at_tombstones
from .settings import (CHUNK, DAILY_BYTES, INDEX_ROW, LABEL_BYTES, LOOK_VALIDITY, METADATA_BYTES, MINUTE, ROOT_BYTES, SLOTS)
from .store import Root, Stale, Thing

PUT_V, PUT_X, PUT_C, PUT_I, LIST_V, DELETE_C, DELETE_V, DELETE_X = kinds(
    "PUT v, PUT x, PUT c, PUT i, LIST v, DELETE c, DELETE v, DELETE x")

__all__ = ["run", "abandon", "Ended", "commit_copies"]


def run(self):
    """One try at an image; a generator."""
    world, store, settings, rng = self.world, self.world.store, self.world.settings, self.rng
    view = yield from opening.open_store(self)
    record = self.run = Run(world.now)
    if self.ended:
        yield from opening.take_over(self, view)

    # The tree: a few of its parts change from day to day; sometimes none.
    if not self.has_image or rng.random() < 0.85:
        if self.has_image:
            for slot in rng.sample(range(SLOTS), rng.randint(1, 3)):
                # Now and then something old comes back.
                self.tree[slot] = store.next() if rng.random() < 0.85 else rng.choice(list(self.known) or [store.next()])
        self.manifest = store.next()
    changed = [content for content in self.tree if content not in self.known]
    yield rng.uniform(10, 90)
    whole = settings.first_bytes // SLOTS
    if len(changed) > 4:
        parts = [((content,), whole, 1 + whole // (64 << 20)) for content in changed]
    elif changed:
        parts = [(tuple(changed), DAILY_BYTES, 1)]
    else:
        parts = []
    made, last = [], world.now
    for content, size, units in parts:
        made.append((yield from create(self, record, content, size, units)))
        if world.now - last >= 10 or len(parts) == 1 and rng.random() < 0.7:
            yield from checkpoint(self, record, [thing for thing in made if thing not in record.saved])
            last = world.now
    if self.manifest not in self.known:
        yield from create(self, record, (self.manifest,), METADATA_BYTES, 2)
    yield from commit(self, view, record)


def create(self, record, content, size, units):
    """A volume: written, durable, known to this run."""
    store, world = self.world.store, self.world
    thing = Thing(store.next(), "v", self.writer, world.now, content, size, units)
    record.things.append(thing)
    if units > 1:
        self.counts[PUT_V] += units - 1
    yield from self.put(PUT_V, size, lambda: store.add(thing))
    for part in content:
        self.known[part] = thing
    if world.trace is not None:
        world.tell(self.name, f"PUT {thing}", thing)
    return thing


def checkpoint(self, record, things):
    store, world = self.world.store, self.world

    def effect():
        record.checkpoints += 1
        record.saved.extend(things)
        held = store.checkpoints.setdefault(self.writer, [0.0, set()])
        held[0] = world.now
        held[1].update(things)
    yield from self.put(PUT_C, LABEL_BYTES, effect)


def commit(self, view, record):
    world, store = self.world, self.world.store
    needed = self.tree + [self.manifest]
    volumes = sorted({self.known[content] for content in needed}, key=lambda thing: thing.id)
    bare = [thing for thing in volumes if thing.index is None or not opening.is_usable(self, view, thing.index)]
    indexes = {thing.index for thing in volumes if thing not in bare}
    covers = None
    if bare:
        rows = sum(t.bytes for t in bare) // CHUNK + 1
        index = Thing(store.next(), "x", self.writer, world.now, (), INDEX_ROW * rows)
        record.things.append(index)
        yield from self.put(PUT_X, index.bytes, lambda: store.add(index))
        indexes.add(index)
        covers = index, bare
    indexes = sorted(indexes, key=lambda thing: thing.id)
    self.sequence = max([self.sequence] + [r.sequence for r in view.listed if r.series == self.series and r.ours]) + 1
    root = Root(store.next(), self.writer, self.series, self.sequence, tuple(volumes + indexes), record.began)
    root.covers = covers
    # Noted with its digest before anything of it is sent: what is listed under its name later is this one or a forgery.
    record.root = root
    self.own.add(root)
    yield from commit_copies(self, view, root, record)
    if world.trace is not None:
        world.tell(self.name, f"the root {root} is there", *root.things)
    self.index_roots.add(root)
    yield from after_root(self, view, root)
    # What follows only saves time and space. Where nothing can be removed checkpoints stay until a pruner takes them.
    if store.may_delete:
        store.checkpoints.pop(self.writer, None)
    if record.checkpoints:
        yield self.ask(DELETE_C, times=record.checkpoints)
    yield from opening.clear(self, root)
    self.run = None
    spread = world.measures.spreads["writer's index rows"]
    spread.add(sum(t.bytes for t in set(self.known.values())) // CHUNK)


def commit_copies(self, view, root, record, only_first=False):
    """The two copies of the root, each behind the fence."""
    world, store, settings = self.world, self.world.store, self.world.settings
    fenced = not settings.weakness("no-fence")
    looked = signed = None
    while not (root.first and (root.second or only_first)):
        if store.dated and fenced:
            # Signed first. The time is the store's, carried on by CLOCK_BOOTTIME, whatever the clock is set to.
            signed = world.now
        if looked is None or fenced and (store.dated or self.boot - looked > LOOK_VALIDITY):
            looked = self.boot
            if world.trace is not None:
                world.tell(self.name, f"looks at d/ for {root}", *root.things)
            yield from look_at_tombstones(self)
            if is_condemned(self, view, root):
                raise Again
        try:
            for second in (True, False):
                if second and (root.second or only_first):
                    continue
                if self.gap == (1 if second else 2):
                    self.gap = 0
                    yield self.sleep()
                if fenced and not store.dated and self.boot - looked > LOOK_VALIDITY:
                    raise LookAgain
                if self.plan_at_root(second):
                    yield self.sleep()
                record.root_begun = True
                # A copy that a lost answer or an earlier try has brought is there; the server says so.
                yield from self.put(PUT_I, ROOT_BYTES, lambda second=second: store.put_root(root, second), signed, is_root=True)
        except (Stale, LookAgain):
            world.measures.events["looked again before a root"] += 1
            looked = None if fenced else looked


def is_condemned(self, view, root):
    store, settings = self.world.store, self.world.settings
    skips = settings.weakness("newer-epoch-passed-over")
    return any(thing.tombs and store.condemned(thing, view.ended, view.epoch, skips) for thing in root.things)


def after_root(self, view, root):
    """The tombstones and all that the image names, again. What a listing cannot show yet is waited for."""
    world, store, settings = self.world, self.world.store, self.world.settings
    yield from look_at_tombstones(self)
    for tries in range(5):
        for writer in sorted({thing.writer for thing in root.things}):
            yield self.list(LIST_V, sum(1 for t in store.things.get(writer, ()) if t.kind == "v"))
        before = world.now - store.delay
        if settings.weakness("clear-by-listing") or all(thing.born <= before for thing in root.things if thing.there):
            break
        world.measures.events["waited for a listing"] += 1
        yield MINUTE
    if is_condemned(self, view, root) or not all(thing.there for thing in root.things):
        world.measures.events["seen after the root"] += 1
        raise Again


def abandon(self):
    """Ends without an image. What checkpoints name stays, and everything once a root was begun."""
    record, store = self.run, self.world.store
    self.forget_index()
    if record is None:
        return
    self.run = None
    if not record.saved and not record.root_begun and store.may_delete:
        for thing in record.things:
            yield self.ask(DELETE_V if thing.kind == "v" else DELETE_X)
            store.remove(thing, self.name)
        if not self.ended:
            return
    self.ended.append(record)
