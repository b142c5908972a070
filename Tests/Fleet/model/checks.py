"""What the model has to show of itself: the same seed gives the same counts, what is taken away is found, groups cost nobody anything."""

import dataclasses
import sys
import time

from .fleet import run_fleet, story
from .measure import VERBS
from .report import figures
from .settings import PLACES, WEAKNESSES, Settings
from .world import Shared


def measured(settings, jobs=1):
    total, losses = run_fleet(settings, jobs)
    return figures(settings, Shared(settings), total, losses), losses


class Findings:
    """What a check says, line by line, and whether anything was wrong."""

    def __init__(self):
        self.status = 0
        self.began = time.monotonic()

    def say(self, is_well, what):
        if not is_well:
            self.status = 1
        print(f"{'ok   ' if is_well else 'WRONG'} {what}", flush=True)

    def tell(self, lines):
        print("\n".join("      " + line for line in lines), flush=True)

    def end(self):
        print(f"took {time.monotonic() - self.began:.1f} s", file=sys.stderr)
        return self.status


def whole(findings, settings, name):
    """The whole protocol loses nothing."""
    numbers, losses = measured(settings)
    findings.say(not losses, f"{name}: {settings.machines} machines, {settings.days} days, seed {settings.seed}: {len(losses)} losses, "
                 f"{numbers['events'].get('successes', 0)} backups, {numbers['events'].get('volumes removed', 0)} volumes removed")
    if losses:
        findings.tell(story(settings, losses))
    return numbers


def found(findings, weakness, seed, machines, tries=3):
    """Without one part a loss is found; another seed is tried where chance did not have it so."""
    for number in range(seed, seed + tries):
        settings = Settings(**({"machines": machines, "seed": number, "weak": frozenset([weakness])} | PLACES[weakness]))
        _, losses = measured(settings)
        if losses:
            findings.say(True, f"without {weakness}: {len(losses)} losses with seed {number} ({WEAKNESSES[weakness]})")
            findings.tell(story(settings, losses))
            return
    findings.say(False, f"without {weakness}: no loss found with seeds {seed} to {seed + tries - 1}")


def slow(findings, seed):
    """A first backup that takes longer than a volume may be unnamed still gets to its end."""
    for weak, expected in ((frozenset(), True), (frozenset(["checkpoints-passed-over"]), False)):
        settings = Settings(machines=4, days=30, seed=seed, group_size=4, store="s3", quiet=True, seeded=0.0, upstream=1.5e4, weak=weak)
        numbers, losses = measured(settings)
        count = numbers["events"].get("successes", 0)
        findings.say((count > 0) is expected and not losses,
                     f"a first backup of 7 days {'without checkpoints-passed-over' if weak else ''}: {count} backups, "
                     f"{numbers['events'].get('runs made again', 0)} runs made again")


def quick(seed):
    """What every change has to pass."""
    findings = Findings()
    print(f"seed {seed}")
    settings = Settings(machines=200, days=25, seed=seed, group_size=50, storm=3.0)
    first = whole(findings, settings, "the whole protocol")
    findings.say(first == measured(settings)[0], "the same seed gives the same counts")
    other = dataclasses.replace(settings, seed=seed + 1, machines=50)
    findings.say(measured(other)[0]["writers"] != measured(dataclasses.replace(other, seed=seed))[0]["writers"], "another seed gives others")
    found(findings, "no-fence", seed, 200)
    return findings.end()


def self_test(seed):
    """All that can be taken away, one after the other, and the whole protocol in the same weather."""
    findings = Findings()
    print(f"seed {seed}")
    for weakness in WEAKNESSES:
        found(findings, weakness, seed, 600)
        whole(findings, Settings(**({"machines": 600, "seed": seed} | PLACES[weakness])), f"the whole protocol where {weakness} shows")
    slow(findings, seed)
    return findings.end()


def compare_groups(settings):
    """What a machine asks, sends and holds in a group of 2 and in one of all, without faults, which would hide it."""
    findings = Findings()
    results = []
    for size in (2, settings.machines):
        numbers, _ = measured(dataclasses.replace(
            settings, group_size=size, quiet=True, seeded=1.0, weak_listing=0.0, may_delete=0.0, two_pruners=1.0, store="s3"))
        results.append(numbers)
    small, large = results
    print(f"seed {settings.seed}, client {settings.client}, a tombstone a {settings.tombstones}; mean of a daily run in a group of 2 and of "
          f"{settings.machines}")
    for name in VERBS + ("requests", "up", "down", "seconds"):
        a, b = (numbers["a machine and run"]["day"][name]["mean"] for numbers in (small, large))
        findings.say(abs(a - b) <= 0.05 * max(a, b, 1), f"{name:<9} {a:>16} {b:>16}")
    a, b = (numbers["writer's index in MB"]["mean"] for numbers in (small, large))
    findings.say(abs(a - b) <= 0.05 * max(a, b), f"index MB  {a:>16} {b:>16}")
    a, b = (numbers["pruner's memory in MB"]["max"] for numbers in (small, large))
    print(f"      the pruner's memory for one group: {a} MB and {b} MB")
    return findings.end()
