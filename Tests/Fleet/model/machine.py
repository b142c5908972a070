"""A machine: what it remembers, when it starts, and what a run of it leaves. What a run does is in backup.py."""

import random

from . import backup
from .client import Again, Client, Crash, Failed, Power, Refused
from .settings import DAY, HOUR, MINUTE, SLOTS

WINDOW = 4 * HOUR


class Machine(Client):
    def __init__(self, world, number, predecessor=None):
        super().__init__(world, f"machine {number}", random.Random(f"{world.settings.seed} machine {number}"))
        self.number = number
        self.writer = number
        self.writers = [number]
        rng, store, settings = self.rng, world.store, world.settings
        self.jitter = rng.uniform(0, WINDOW)
        self.known = {}  # content -> volume: the index, a cache
        self.index_roots = set()
        self.own = set()  # roots that this machine has written
        self.sequence = 0
        self.ended = []
        self.run = None
        self.tombs_read = {}
        self.records_read = 0
        self.epoch = 1
        self.is_replaced = False
        self.has_image = False
        self.manifest = 0
        self.requests = 40  # of the last run that got to its end
        self.is_cached = False  # the cache has what the index lacks: an unfinished run's additions were never saved
        if predecessor:
            self.writers += predecessor.writers
            self.series, self.tree = predecessor.series, list(predecessor.tree)
            self.sequence, self.jitter = predecessor.sequence, predecessor.jitter
        else:
            self.series = number
            seed = store.seeds[0].content if store.seeds else ()
            self.tree = [seed[slot] if slot < len(seed) else store.next() for slot in range(SLOTS)]
        self.off_from = rng.uniform(2 * DAY, 20 * DAY) if rng.random() < settings.off_for_weeks else float("inf")
        self.off_to = self.off_from + rng.uniform(7, 25) * DAY

    def life(self):
        """Starts once a day in a slot of its own; after a crash or a failure sometimes again soon."""
        world = self.world
        due = world.now + self.jitter
        while True:
            try:
                while world.now < due:
                    yield max(0.001, min(due, self.cut) - world.now)
                if self.off_from <= world.now < self.off_to:
                    due = self.off_to + self.jitter
                    continue
                soon = yield from self.start()
                if soon is None:
                    return
                due = (world.now // DAY) * DAY + self.jitter
                if due <= world.now:
                    due += DAY
                if soon and self.rng.random() < 0.5:
                    due = world.now + self.rng.uniform(0.1, 15) * MINUTE
            except Power:
                self.leave()
                due = world.shared.power + self.jitter

    def leave(self):
        """The process is gone; the record of its run stays."""
        self.forget_index()
        if self.run:
            self.ended.append(self.run)
            self.run = None

    def start(self):
        """A backup, made again where it has to be. Returns whether to try again soon; nothing where the writer has been ended."""
        world, settings, events = self.world, self.world.settings, self.world.measures.events
        world.measures.starts[int(world.now)] += 1
        self.counts = [0] * len(world.measures.writers)
        self.up = self.down = 0
        self.asleep = self.dead = False
        self.gap = 0
        self.draw_plan(settings)
        first, began, before = not self.has_image, world.now, self.retries
        soon, done = True, False
        if world.trace is not None:
            world.tell(self.name, "a run starts")
        try:
            for attempt in range(3):
                try:
                    yield from backup.run(self)
                    done, soon = True, False
                    break
                except Again:
                    events["runs made again"] += 1
                    yield from backup.abandon(self)
            else:
                events["failed: pruned under it"] += 1
        except Failed:
            events["failed: no answer"] += 1
            yield from backup.abandon(self)
        except Refused:
            events["refused: a copied key"] += 1
            self.leave()
            return None
        except backup.Ended:
            events["refused: revoked"] += 1
            return None
        except Power:
            events["crashes"] += 1
            raise
        except Crash:
            events["crashes"] += 1
            self.leave()
        finally:
            if done:
                events["successes"] += 1
                self.has_image = True
                self.requests = sum(self.counts)
            events["retries"] += self.retries - before
            world.measures.run_ended(
                self.counts, self.up, self.down, world.now - began if done and not self.asleep else None, first)
        return soon

    def forget_index(self):
        """What a run added to the index goes with it; the cache has what was before, and gives it back without a request."""
        self.known, self.index_roots, self.is_cached = {}, set(), True

    def plan_at_root(self, second):
        """A sleep between the last check and the request itself, which no check sees."""
        if self.gap == (3 if second else 4):
            self.gap = 0
            return True
        return False

    def draw_plan(self, settings):
        rng, draw = self.rng, self.rng.random()
        self.plan, self.plan_left = None, 1 << 60
        for chance, plan in ((settings.crash, "crash"), (settings.suspend, "sleep"), (settings.step, "step")):
            if draw < chance:
                self.plan = plan
                if plan == "sleep" and rng.random() < 0.4:
                    self.gap = rng.randint(1, 4)  # around the two copies of the root
                else:
                    self.plan_left = rng.randint(1, self.requests)
                return
            draw -= chance
