"""What is counted: requests by kind and place, bytes, durations, starts, memory, and how long space stays taken."""

from collections import Counter, defaultdict

from .settings import PRICES

VERBS = ("PUT", "LIST", "GET", "HEAD", "DELETE")
PLACES = ("HOLDFAST", "e", "k", "v", "x", "i", "c", "a", "d")
KIND = {f"{verb} {place}": number for number, (verb, place) in enumerate((v, p) for v in VERBS for p in PLACES)}
KINDS = list(KIND)


class Spread:
    """How often each value was seen, rounded to about 3 %, so that a fleet's months fit."""

    def __init__(self):
        self.seen = Counter()
        self.highest = 0
        self.total = 0.0
        self.count = 0

    def add(self, value):
        if value > self.highest:
            self.highest = value
        self.total += value
        self.count += 1
        if value > 100:
            shift = max(0, int(value).bit_length() - 6)
            value = int(value) >> shift << shift
        else:
            value = round(value, 1)
        self.seen[value] += 1

    def merge(self, other):
        self.seen.update(other.seen)
        self.highest = max(self.highest, other.highest)
        self.total += other.total
        self.count += other.count

    def at(self, share):
        wanted = share * self.count
        for value in sorted(self.seen):
            wanted -= self.seen[value]
            if wanted <= 0:
                return value
        return self.highest

    def summary(self):
        if not self.count:
            return {"p50": 0, "p99": 0, "max": 0, "mean": 0}
        return {"p50": self.at(0.5), "p99": self.at(0.99), "max": round(self.highest, 3), "mean": round(self.total / self.count, 3)}


class Measures:
    """One group's, or the fleet's once they are merged."""

    def __init__(self):
        self.writers = [0] * len(KINDS)
        self.pruners = [0] * len(KINDS)
        self.bytes = {"writers": [0, 0], "pruners": [0, 0]}  # up, down
        self.spreads = defaultdict(Spread)
        self.events = Counter()
        self.starts = Counter()
        self.pages = 0
        self.objects = 0

    def run_ended(self, counts, up, down, seconds, first):
        """Takes the requests of one run into account; a first backup has its own spreads."""
        which = "first " if first else "day "
        total = 0
        for verb, number in zip(VERBS, range(0, len(KINDS), len(PLACES))):
            part = sum(counts[number:number + len(PLACES)])
            total += part
            self.spreads[which + verb].add(part)
        self.spreads[which + "requests"].add(total)
        self.spreads[which + "up"].add(up)
        self.spreads[which + "down"].add(down)
        if seconds is not None:
            self.spreads[which + "seconds"].add(seconds)
        for number, count in enumerate(counts):
            if count:
                self.writers[number] += count
        self.bytes["writers"][0] += up
        self.bytes["writers"][1] += down

    def merge(self, other):
        self.writers = [a + b for a, b in zip(self.writers, other.writers)]
        self.pruners = [a + b for a, b in zip(self.pruners, other.pruners)]
        for who in self.bytes:
            self.bytes[who] = [a + b for a, b in zip(self.bytes[who], other.bytes[who])]
        for name, spread in other.spreads.items():
            self.spreads[name].merge(spread)
        self.events.update(other.events)
        self.starts.update(other.starts)
        self.pages += other.pages
        self.objects += other.objects


def money(counts):
    """Dollars that these requests cost."""
    return sum(count * PRICES[KINDS[number].split()[0]] for number, count in enumerate(counts))


def by_kind(counts):
    return {KINDS[number]: count for number, count in enumerate(counts) if count}
