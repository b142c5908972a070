"""Whoever sends requests: what one costs, and what may happen on the way – nothing, a crash, a sleep, an answer that never comes."""

from .measure import KIND
from .settings import DAY, HOUR, HEADER_BYTES, PAGE, LISTED_NAME, YEAR

DOWNSTREAM = 25e6
TIMEOUT = 30.0
SESSION_LIFE = 2 * HOUR


class Crash(Exception):
    """The process ends here, and leaves what it leaves."""


class Power(Crash):
    """All machines at once."""


class Failed(Exception):
    """No answer after all tries: the run ends by itself."""


class Again(Exception):
    """What the image names was condemned or went away meanwhile: the run is made once more."""


class Refused(Exception):
    """Exit 4: what is there cannot be right."""


class LookAgain(Exception):
    """A root could not be sent as it was: look at the tombstones first."""


class Client:
    """Requests with faults. `yield` means that time passes."""

    naps = 0.4  # of its sleeps that take at most two hours; others take up to 30 days

    def __init__(self, world, name, rng):
        self.world, self.name, self.rng = world, name, rng
        settings = world.settings
        self.latency = settings.latency * (0.8 + 0.4 * rng.random()) * (3 if rng.random() < 0.02 else 1)
        self.counts = None
        self.up = self.down = self.retries = 0
        self.boot_lost = 0.0  # what CLOCK_BOOTTIME never counted: the whole machine was paused from outside
        self.dead = False  # the session did not survive a sleep
        self.asleep = False  # in this run
        self.plan_left = 1 << 60
        self.plan = None
        self.passing = settings.passing
        self.passing_left = self.next_passing()
        self.wall = rng.uniform(-YEAR, YEAR) if rng.random() < settings.wrong_clock else 0.0
        self.cut = world.shared.cut
        self.gen = None

    # Time.

    @property
    def boot(self):
        return self.world.now - self.boot_lost

    @property
    def clock(self):
        return self.world.now + self.wall

    def next_passing(self):
        return 1 + int(self.rng.expovariate(self.passing)) if self.passing else 1 << 60

    def sleep(self):
        """Suspended, stopped or paused from outside; how long."""
        rng = self.rng
        length = rng.uniform(0, 2 * HOUR) if rng.random() < self.naps else rng.uniform(0, 30 * DAY)
        kind = rng.choice(("suspended", "stopped", "paused"))
        if kind == "paused":
            self.boot_lost += length
        # The kernel of a stopped process answers TCP's keepalives; CLOCK_BOOTTIME goes on there.
        if length > SESSION_LIFE and kind != "stopped" and not self.world.settings.weakness("no-keepalive"):
            self.dead = True
        self.asleep = True
        self.world.measures.events["sleeps"] += 1
        if self.world.trace is not None:
            self.world.tell(self.name, f"{kind} for {length / DAY:.2f} days")
        return length

    def step(self):
        self.wall = self.rng.uniform(-YEAR, YEAR) if self.wall == 0 else 0.0
        self.world.measures.events["clock steps"] += 1

    # Requests.

    def ask(self, kind, down=HEADER_BYTES, times=1):
        """Requests that only read: how long they take. What they see is what is there afterwards."""
        self.counts[kind] += times
        self.down += down
        delay = times * self.latency + down / DOWNSTREAM
        self.plan_left -= times
        if self.plan_left <= 0:
            delay += self.happens()
        self.passing_left -= times
        if self.passing_left <= 0:
            self.passing_left = self.next_passing()
            delay += self.retried(kind)
        world = self.world
        if world.storm_from <= world.now:
            delay += self.in_storm(kind)
        return delay

    def list(self, kind, names):
        pages = 1 + max(0, names - 1) // PAGE
        self.world.measures.pages += pages
        return self.ask(kind, HEADER_BYTES * pages + LISTED_NAME * names, pages)

    def happens(self):
        """The planned event of this run, at a request that reads."""
        self.plan_left = 1 << 60
        plan = self.plan
        if plan == "crash":
            if self.world.trace is not None:
                self.world.tell(self.name, "killed")
            raise Crash
        if plan == "sleep":
            return self.sleep()
        self.step()
        return 0.0

    def retried(self, kind):
        self.counts[kind] += 1
        self.retries += 1
        return self.rng.choice((0.5, TIMEOUT))

    def in_storm(self, kind):
        world = self.world
        if world.now >= world.storm_to:
            world.next_storm()
            return 0.0
        delay = 0.0
        for attempt in range(5):
            if self.rng.random() > 0.3:
                return delay
            self.counts[kind] += 1
            self.retries += 1
            delay += 2 ** attempt * self.rng.uniform(0.5, 1.5)
        raise Failed

    def put(self, kind, size, effect, date=None, is_root=False):
        """Creates; a generator. Five tries, and each is the same request. Nobody can tell a failure from a lost answer."""
        world, rng, settings = self.world, self.rng, self.world.settings
        relooks = is_root and not world.store.dated and not settings.weakness("retry-below-look") and not settings.weakness("no-fence")
        for attempt in range(5):
            self.counts[kind] += 1
            self.up += size
            crash_after = False
            self.plan_left -= 1
            if self.plan_left <= 0:
                crash_after = self.plan == "crash" and rng.random() < 0.5
                if not crash_after:
                    delay = self.happens()
                    if delay:
                        yield delay
                else:
                    self.plan_left = 1 << 60
            if self.dead:
                # The connection is gone; whoever sent this sees a failure.
                self.dead = False
                if relooks:
                    raise LookAgain
                self.retries += 1
                yield 1.0
            outcome = 0.0
            self.passing_left -= 1
            if self.passing_left <= 0:
                self.passing_left = self.next_passing()
                outcome = rng.random()
            if world.storm_from <= world.now:
                yield self.in_storm(kind)
            if 0 < outcome < 0.4:
                # It never arrived.
                self.retries += 1
                yield 2 ** attempt if outcome < 0.2 else TIMEOUT
                if relooks:
                    raise LookAgain
                continue
            yield self.latency / 2 + size / settings.upstream
            if 0.4 < outcome < 0.6:
                world.late(rng.uniform(1, 600), effect, date)
                self.retries += 1
                yield TIMEOUT
                if relooks:
                    raise LookAgain
                if outcome < 0.45:
                    raise Failed
                continue
            world.store.check_date(date)
            effect()
            if crash_after:
                if world.trace is not None:
                    world.tell(self.name, "killed after a PUT had its effect")
                raise Crash
            if outcome:
                # Done, and the answer was lost: the next try is told that it exists, and knows its own.
                self.retries += 1
                yield TIMEOUT
                if outcome > 0.95:
                    raise Failed
                continue
            yield self.latency / 2
            return
        raise Failed


def kinds(text):
    """The numbers of kinds of requests, by name."""
    return [KIND[name.strip()] for name in text.split(",")]
