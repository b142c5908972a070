"""Who prunes a group, as `Sources/Images/Prune` has it: say, remove images, condemn, wait, read all roots once more, remove.

A prune is one pass; whatever a pass does not get to, the next one does, also another pruner's. Order of a pass: records, tombstones,
a complete reading of the roots; a tombstone that names the images that retention ends; their roots, each first copy before its second; the
tombstones of what is condemned now; then what the tombstones of any steward in office condemned a grace ago and this reading shows as named
by nobody: volumes first, then index objects; checkpoints last. Where the times of a tombstone cannot be right nothing is removed in that
pass, and what it condemned is condemned anew.
"""

import random

from .client import Client, Crash, Failed, Power, kinds
from .settings import (CONDEMN_AGE, CONDEMNED_BYTES, DAY, GRACE_FENCED, GRACE_OTHER, HOUR, LABEL_BYTES, LONGEST_RUN, ROOT_BYTES,
                       TOMBSTONE_BYTES, TOMBSTONE_LIFE)
from .store import Stale, Tomb

GET_HOLDFAST, LIST_E, GET_E, LIST_D, GET_D, LIST_I, GET_I, LIST_V, LIST_X, LIST_C, PUT_D, DELETE_I, DELETE_V, DELETE_X, DELETE_C = kinds(
    "GET HOLDFAST, LIST e, GET e, LIST d, GET d, LIST i, GET i, LIST v, LIST x, LIST c, PUT d, DELETE i, DELETE v, DELETE x, DELETE c")
BATCH = 1000
SLACK = 300.0


class Stopped(Exception):
    """The group's prune stops, exit 3."""


class Pruner(Client):
    def __init__(self, world, number):
        super().__init__(world, f"pruner {number}", random.Random(f"{world.settings.seed} pruner {world.number} {number}"))
        self.number = number
        self.steward = (number, 0)
        self.naps = 1 - world.settings.long
        self.requests = 60  # of the last pass that got to its end
        self.every = DAY if number == 1 else self.rng.choice((1, 2, 3)) * DAY
        self.at = self.rng.uniform(0, 24) * HOUR
        if self.rng.random() < 0.5:
            self.at /= 6  # while the machines are at work
        self.records = 0
        self.tombs_read = 0
        self.roots_read = set()

    def life(self):
        world, settings = self.world, self.world.settings
        due = world.now + self.at
        while True:
            try:
                while world.now < due:
                    yield max(0.001, min(due, self.cut) - world.now)
                if (yield from self.start(settings)):
                    due = world.now + HOUR
                    continue
                due += self.every
                while due <= world.now:
                    due += DAY
            except Power:
                due = world.shared.power + self.rng.uniform(0, DAY)

    def start(self, settings):
        """One pass. Returns whether it was cut, and is to be begun again soon."""
        world, events, rng = self.world, self.world.measures.events, self.rng
        self.counts, self.up, self.down = [0] * len(world.measures.pruners), 0, 0
        self.dead = self.asleep = False
        draw, self.plan, self.plan_left, self.gap = rng.random(), None, 1 << 60, False
        for chance, plan in ((settings.prune_crash, "crash"), (settings.prune_suspend, "sleep"), (settings.prune_step, "step")):
            if draw < chance:
                self.plan, self.plan_left = plan, rng.randint(1, self.requests)
                self.gap = plan == "sleep" and rng.random() < 0.3
                if self.gap:
                    self.plan_left = 1 << 60
                break
            draw -= chance
        if self.steward in world.store.ended_stewards:
            self.steward = (self.steward[0], self.steward[1] + 1)
        events["prunes"] += 1
        began = world.now
        try:
            yield from self.prune(self.steward)
            self.requests = sum(self.counts)
            if not self.asleep:
                world.measures.spreads["prune seconds"].add(world.now - began)
        except Stopped as why:
            events[f"prunes stopped: {why}"] += 1
        except Failed:
            events["prunes stopped: no answer"] += 1
        except Power:
            raise
        except Crash:
            events["prunes cut"] += 1
            return True
        finally:
            measures = world.measures
            measures.pruners = [a + b for a, b in zip(measures.pruners, self.counts)]
            measures.bytes["pruners"][0] += self.up
            measures.bytes["pruners"][1] += self.down

    def prune(self, steward):
        world, store, settings = self.world, self.world.store, self.world.settings
        yield self.ask(GET_HOLDFAST, LABEL_BYTES)
        count, size = world.shared.records(world.now)
        yield self.list(LIST_E, 2 * count)
        if count > self.records:
            yield self.ask(GET_E, size * (count - self.records) // count, count - self.records)
            self.records = count
        if steward in store.ended_stewards:
            raise Stopped("steward ended")
        epoch = store.epoch
        yield self.list(LIST_D, len(store.tombs))
        if len(store.tombs) > self.tombs_read:
            new = store.tombs[self.tombs_read:]
            self.tombs_read = len(store.tombs)
            yield self.ask(GET_D, sum(tomb.bytes for tomb in new), len(new))

        # The reading. A root that appears while it goes on may be missed; so what counts is its beginning.
        began = world.now
        before = began - store.delay
        unnamed = [thing for thing in store.unnamed]
        unnamed += [thing for thing in self.fresh(before)]
        hasty = world.settings.weakness("no-grace")
        ended = frozenset(store.ended_stewards)
        old, covered, doubtful = self.weigh(ended)
        roots = {root for own in store.roots.values() for root in own if root.born <= before}
        yield self.list(LIST_I, 2 * len(roots))
        new = roots - self.roots_read
        self.roots_read = roots
        if new:
            yield self.ask(GET_I, ROOT_BYTES * len(new), len(new))
        there = [thing for own in store.things.values() for thing in own]
        yield self.list(LIST_V, sum(thing.units for thing in there if thing.kind == "v"))
        yield self.list(LIST_X, sum(1 for thing in there if thing.kind == "x"))
        yield from self.read_checkpoints()
        world.measures.spreads["pruner's rows"].add(len(there) + len(roots))

        nobodys = set(unnamed)
        if any(thing.there and thing in nobodys and thing not in covered for tomb in doubtful for thing in tomb.things):
            world.measures.events["prunes that trusted no clock"] += 1
            yield from self.condemn(self.to_condemn(unnamed, [], covered), steward, epoch)
            return
        ending = self.retention(roots)
        # What is known of all this is what the reading has seen.
        going = self.to_condemn(unnamed, ending, covered)
        # Said first, then removed; what they alone named is condemned once they are gone.
        if ending:
            yield from self.say(Tomb(steward, None, epoch, self.clock, [], TOMBSTONE_BYTES + CONDEMNED_BYTES * len(ending), ending))
        for root in ending:
            for second in (False, True):
                yield self.ask(DELETE_I)
                store.remove_root(root, second)
            world.measures.events["images ended by retention"] += 1
        condemned = [thing for thing in going if thing.there]
        yield from self.condemn(condemned, steward, epoch)
        if hasty:
            old = [tomb for tomb in store.tombs if tomb.steward not in ended and not tomb.done]
            nobodys = set(condemned)
        yield from self.remove(old, nobodys, steward)

    def read_checkpoints(self):
        """Of a writer whose newest checkpoint is young a run is under way, however long: what its checkpoints name is not condemned."""
        store, limit = self.world.store, self.world.now - CONDEMN_AGE - LONGEST_RUN
        self.under_way = set()
        if self.world.settings.weakness("checkpoints-passed-over"):
            return
        yield self.list(LIST_C, sum(len(things) for _, things in store.checkpoints.values()))
        for writer, (newest, things) in list(store.checkpoints.items()):
            if newest >= limit:
                self.under_way.update(things)
            else:
                yield self.ask(DELETE_C)
                del store.checkpoints[writer]

    def fresh(self, before):
        """What roots name that the listing did not show yet."""
        if self.world.store.delay == 0:
            return
        for own in self.world.store.things.values():
            for thing in own:
                if thing.held and thing.held_since > before:
                    yield thing

    def weigh(self, ended):
        """By the objects' times and by the signed ones, whichever is shorter: the tombstones whose grace is over, all that one with times
        that can be right condemns, and those whose times cannot be."""
        world, store = self.world, self.world.store
        grace = GRACE_FENCED if store.dated else GRACE_OTHER
        old, covered, doubtful = [], set(), []
        for tomb in store.tombs:
            if tomb.done or tomb.steward in ended:
                continue
            spans = world.now - tomb.born, self.clock - tomb.signed
            if min(spans) > TOMBSTONE_LIFE:
                continue
            if min(spans) < -SLACK or max(spans) > TOMBSTONE_LIFE:
                doubtful.append(tomb)
                continue
            covered.update(tomb.things)
            if min(spans) >= grace:
                old.append(tomb)
        return old, covered, doubtful

    def retention(self, roots):
        """Images that go: of each series all but the newest seven, one a week, and what a verdict names as a seed."""
        series = {}
        for root in roots:
            if root.first and root.counts and root.ours:
                series.setdefault(root.series, []).append(root)
        # What another pass has said, and of which it got no further than the first copy.
        ending = sorted((root for root in roots if root.said and not root.first), key=lambda root: root.id)
        seeds = {seed.root for seed in self.world.store.seeds}
        for name in sorted(series):
            images = sorted(series[name], key=lambda root: (-root.sequence, root.id))
            weeks = set()
            for root in images[7:]:
                week = root.taken // (7 * DAY)
                if root in seeds or week not in weeks and len(weeks) < 4:
                    weeks.add(week)
                else:
                    ending.append(root)
        # A plan names invalid roots once they are a week old; until then they hold back what they name.
        for root in sorted((root for own in self.world.store.invalid.values() for root in own), key=lambda root: root.id):
            if root in roots and root.ours and self.world.now - root.born > 7 * DAY:
                ending.append(root)
        return ending

    def to_condemn(self, unnamed, ending, covered):
        """Unnamed, or named by nothing but what ends now, and older than any run."""
        counts = {}
        for root in ending:
            for thing in root.things:
                counts[thing] = counts.get(thing, 0) + 1
        last = [thing for thing, count in counts.items() if count == thing.held]
        limit = self.world.now - CONDEMN_AGE - LONGEST_RUN
        held_back = self.world.store.invalid
        result = []
        for thing in sorted(set(unnamed).union(last), key=lambda thing: thing.id):
            if thing.there and thing.born < limit and thing not in self.under_way and not held_back.get(thing.writer):
                if thing not in covered:
                    result.append(thing)
        return result

    def condemn(self, things, steward, epoch):
        places = {}
        for thing in things:
            places.setdefault(thing.writer if self.world.settings.tombstones == "writer" else None, []).append(thing)
        for place, part in places.items():
            yield from self.say(Tomb(steward, place, epoch, self.clock, part, TOMBSTONE_BYTES + CONDEMNED_BYTES * len(part)))

    def say(self, tomb):
        world, store = self.world, self.world.store

        def effect():
            store.put_tomb(tomb)
            if world.trace is not None:
                world.tell(self.name, f"PUT a tombstone that condemns {len(tomb.things)} and ends {len(tomb.images)} images", *tomb.things)
        try:
            yield from self.put(PUT_D, tomb.bytes, effect, world.now if store.dated else None)
        except Stale:
            raise Failed

    def remove(self, tombs, unnamed, steward):
        """What was condemned a grace ago and the reading shows as unnamed."""
        world, store = self.world, self.world.store
        going = []
        for tomb in tombs:
            if world.settings.weakness("no-second-reading"):
                going += [thing for thing in tomb.things if thing.there]
            else:
                going += [thing for thing in tomb.things if thing.there and thing in unnamed]
            tomb.done = not any(thing.there for thing in tomb.things)
        going = sorted(set(going), key=lambda thing: (thing.kind != "v", thing.id))
        if world.trace is not None and going:
            world.tell(self.name, "has read all roots again, and removes what none named", *going)
        if self.gap and going:
            yield self.sleep()
        size = BATCH if store.dated else 1
        for start in range(0, len(going), size):
            part = going[start:start + size]
            yield self.ask(DELETE_V if part[0].kind == "v" else DELETE_X)
            for thing in part:
                store.remove(thing, self.name)
                if thing.kind == "v" and thing.units:
                    world.measures.events["volumes removed"] += thing.units
