"""One group and its time: a heap of what comes next. Groups share nothing but the server's bad hours and one power cut, so each is
run by itself, and a fleet needs the memory of its largest group."""

import heapq
import random

from .client import Crash, Power
from .measure import Measures
from .settings import DAY, HOUR, MINUTE
from .store import Stale, Store


class Shared:
    """What hits all machines at once; the same for every group."""

    def __init__(self, settings):
        rng = random.Random(f"{settings.seed} fleet")
        end = settings.days * DAY
        self.storms = [] if settings.quiet else sorted(
            (start, start + rng.uniform(5, 20) * MINUTE) for start in (rng.uniform(0, end) for _ in range(max(1, settings.days // 10))))
        self.cut = float("inf") if settings.quiet else (settings.days // 2) * DAY + rng.uniform(0, 4) * HOUR
        self.power = self.cut + 2 * HOUR
        self.settings = settings

    def records(self, now):
        """How many records the store has, and their bytes: one for each machine that was replaced, and each repeats all of before."""
        count = int(self.settings.machines * self.settings.replaced * now / (30 * DAY))
        return 1 + count, 700 * (1 + count) + (16 + 48 * 11) * count * (count + 1) // 2


class World:
    def __init__(self, settings, shared, number, trace=None):
        self.settings, self.shared, self.number = settings, shared, number
        self.rng = random.Random(f"{settings.seed} group {number}")
        self.now = 0.0
        self.heap = []
        self.order = 0
        self.measures = Measures()
        self.trace = trace
        self.storms = iter(shared.storms)
        self.next_storm()
        draw = self.rng.random
        dated = settings.store == "s3" or settings.store == "mixed" and draw() < 0.6
        self.store = Store(
            self, dated, draw() < settings.weak_listing, draw() < settings.may_delete, draw() < settings.reads_volumes)
        self.grace_spans = self.measures.spreads["days from unnamed to removed"]

    def next_storm(self):
        self.storm_from, self.storm_to = next(self.storms, (float("inf"), float("inf")))

    def tell(self, who, what, *about):
        """One line of a story, where one is wanted."""
        self.trace.append((self.now, who, what, about))

    def push(self, at, what):
        self.order += 1
        heapq.heappush(self.heap, (at, self.order, what))

    def begin(self, process, at):
        process.gen = process.life()
        if process.cut <= at:
            process.cut = float("inf")
        self.push(at, process)

    def late(self, delay, effect, date):
        """A request that arrives after its sender has given up."""
        def arrive():
            try:
                self.store.check_date(date)
                effect()
            except Stale:
                pass
        self.push(self.now + delay, arrive)

    def freed(self, thing):
        spent = (self.now - thing.unnamed) / DAY
        self.grace_spans.add(spent)
        self.measures.events["GB freed"] += thing.bytes / 1e9
        self.measures.events["GB-days kept unnamed"] += thing.bytes / 1e9 * spent

    def run(self):
        end = self.settings.days * DAY
        heap, pop, push = self.heap, heapq.heappop, heapq.heappush
        while heap:
            at, _, what = pop(heap)
            if at > end:
                break
            self.now = at
            gen = getattr(what, "gen", None)
            if gen is None:
                what()
                continue
            try:
                if what.cut <= at:
                    what.cut = float("inf")
                    delay = gen.throw(Power())
                else:
                    delay = gen.send(None)
            except StopIteration:
                continue
            self.order += 1
            push(heap, (at + delay, self.order, what))
        self.now = end
        return self


__all__ = ["World", "Shared", "Crash"]
