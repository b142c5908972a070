#!/usr/bin/env python3
"""Records what restic keeps of generated histories, and why, for the comparison in StewardshipTests/ResticTests.swift.

    Tests/Tools/restic-answers.py RESTIC SCRATCH_FOLDER OUTPUT.json [--histories 200] [--snapshots 400] [--seed 19]

One repository, one file in it, a snapshot for each generated time; every history is a subset of them, told by a tag, and is asked for
once with a policy of its own: `restic forget --dry-run --json`. The same seed gives the same times, histories and policies. Restic 0.19 is in
Debian unstable, and `Tests/Benchmarks/offsite --fetch-restic` gets it without touching the machine's packages. A run takes some ten minutes.

The output: `snapshots` (seconds since 1970, host, tags), `histories` (members by their number, the policy's options, and for each kept one
the numbers of its reasons in `reasons`), and the same once more for `zones`: snapshots taken in other time zones, where we differ.
"""
import argparse
import datetime
import json
import os
import random
import subprocess
import sys

COUNTS = ["last", "hourly", "daily", "weekly", "monthly", "yearly"]
WITHIN = ["within"] + ["within-" + word for word in COUNTS[1:]]
DURATIONS = ["2h", "36h", "1d", "7d", "30d", "1m", "2m3d", "13m", "1y", "1y5m7d2h", "4y", "1m1d1h", "24m", "365d"]
# More than one tag at once is what --keep-tag a,b asks for.
TAG_LISTS = ["a", "b", "a,b", "c"]
HOSTS = ["press-01", "press-02"]


def seconds(year, month=1, day=1, hour=0, minute=0, second=0):
    return int(datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.timezone.utc).timestamp())


def times(chance, count):
    """Times of which the rules make something else: days without one, bursts, ends of months, years and ISO weeks, leap days."""
    day = 86400
    kinds = [
        lambda: seconds(2024, 11, 20) + chance.randrange(130) * day + chance.randrange(day),
        lambda: seconds(2024, 12, 28) + chance.randrange(8 * 24) * 3600 + chance.choice([0, 1, 1800, 3599]),
        lambda: seconds(2022) + chance.randrange(170) * 7 * day + chance.randrange(-2, 3) * 3600,
        lambda: seconds(chance.randrange(2018, 2026), chance.randrange(1, 13)) - chance.choice([1, 3600, day, 2 * day, -1, 0]),
        lambda: seconds(chance.randrange(2010, 2026)) + chance.randrange(-4 * day, 4 * day),
        lambda: seconds(chance.choice([2012, 2016, 2020, 2024]), 2, 29) + chance.choice([-1, 0, 43200, day - 1, day]),
        lambda: seconds(chance.randrange(1990, 2026), chance.randrange(1, 13), chance.randrange(1, 29), chance.randrange(24)),
    ]
    weights = [30, 20, 15, 15, 10, 3, 7]
    found = {seconds(2101, 3, 4, 5), seconds(2101, 3, 4, 6), seconds(2150)}  # of a clock that was wrong
    while len(found) < count:
        found.add(chance.choices(kinds, weights)[0]())
    return sorted(found)


def members(chance, all_times):
    """A history: a window, a stride or a mere sample of the times."""
    count = len(all_times)
    past = [number for number, time in enumerate(all_times) if time < seconds(2100)]
    kind = chance.randrange(4)
    if kind == 0:
        start = chance.randrange(len(past) - 1)
        chosen = past[start:start + chance.randrange(1, 90)]
    elif kind == 1:
        chosen = past[chance.randrange(4)::chance.randrange(3, 17)]
    else:
        chosen = chance.sample(past, min(len(past), chance.randrange(1, 12 if kind == 2 else 70)))
    # A clock that was wrong is rare, and never all that there is.
    if chance.random() < 0.06:
        chosen = chosen + chance.sample(range(len(past), count), chance.randrange(1, 3))
    return sorted(set(chosen))


def policy(chance):
    while True:
        options = {}
        for word in COUNTS:
            if chance.random() < 0.3:
                options["keep-" + word] = chance.choice(["1", "2", "3", "4", "5", "7", "10", "24", "unlimited"])
        for word in WITHIN:
            if chance.random() < 0.12:
                options["keep-" + word] = chance.choice(DURATIONS)
        tags = [word for word in TAG_LISTS if chance.random() < 0.08]
        if options or tags:
            return options, tags


class Repository:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.environment = dict(os.environ, RESTIC_REPOSITORY=folder + "/repository", RESTIC_PASSWORD="x", TZ="UTC",
                                RESTIC_CACHE_DIR=folder + "/cache", GOMAXPROCS="2")
        os.makedirs(folder + "/tree")
        with open(folder + "/tree/file", "w") as file:
            file.write("the same each time\n")

    def run(self, *words, zone="UTC"):
        done = subprocess.run([self.program, *words], capture_output=True, text=True, cwd=self.folder,
                              env=dict(self.environment, TZ=zone))
        return done.returncode, done.stdout, done.stderr

    def snapshot(self, time, host, tags, zone="UTC"):
        """Its id."""
        shown = subprocess.run(["date", "-d", f"@{time}", "+%F %T"], capture_output=True, text=True, check=True,
                               env=dict(os.environ, TZ=zone)).stdout.strip()
        words = [word for tag in tags for word in ("--tag", tag)]
        status, output, complaint = self.run("backup", "tree", "--json", "--force", "--time", shown, "--host", host, *words,
                                             zone=zone)
        if status != 0:
            sys.exit(f"restic backup: {complaint}")
        return json.loads(output.strip().split("\n")[-1])["snapshot_id"]

    def answer(self, mark, options, tags):
        """Kept ids with their reasons; nil where restic refuses."""
        words = [word for option, value in options.items() for word in ("--" + option, value)]
        words += [word for tag in tags for word in ("--keep-tag", tag)]
        status, output, complaint = self.run("forget", "--dry-run", "--json", "--no-lock", "--group-by", "host", "--tag", mark,
                                             *words)
        if status != 0:
            print(f"{mark} {words}: {complaint.strip()}", file=sys.stderr)
            return None
        # What it would do is the line with a list.
        groups = next(json.loads(line) for line in output.split("\n") if line.startswith("["))
        return {reason["snapshot"]["id"]: reason["matches"] for group in groups for reason in group["reasons"] or []}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("restic")
    arguments.add_argument("scratch")
    arguments.add_argument("output")
    arguments.add_argument("--histories", type=int, default=200)
    arguments.add_argument("--snapshots", type=int, default=400)
    arguments.add_argument("--seed", type=int, default=19)
    given = arguments.parse_args()
    chance = random.Random(given.seed)
    repository = Repository(os.path.abspath(given.restic), os.path.abspath(given.scratch))
    version = repository.run("version")[1].split()[1]
    if repository.run("init")[0] != 0:
        sys.exit("no repository could be made")

    all_times = times(chance, given.snapshots)
    snapshots = [
        [time, HOSTS[chance.random() < 0.15], [tag for tag in "abc" if chance.random() < 0.1]] for time in all_times
    ]
    histories = []
    for number in range(given.histories):
        options, tags = policy(chance)
        histories.append({"members": members(chance, all_times), "options": options, "tags": tags, "mark": f"h{number:03}"})
    # Around midnight, around the end of a week, a month and a year, in zones where it is another one.
    zoned = [[seconds(2024, 12, 29 + day // 3) + hour * 3600, "press-01", []] for day, hour in enumerate([2, 9, 14, 20, 23, 13])]
    zoned += [[seconds(2024, 12, 31, 12), "press-01", []], [seconds(2025, 1, 1, 6), "press-01", []]]
    zones = [{"members": list(range(len(zoned))), "options": {"keep-" + word: "10"}, "tags": [], "mark": f"z{number}"}
             for number, word in enumerate(["daily", "weekly", "monthly", "yearly"])]

    def take(snapshots, histories, zone_of):
        ids = {}
        for number, (time, host, tags) in enumerate(snapshots):
            marks = [history["mark"] for history in histories if number in history["members"]]
            ids[repository.snapshot(time, host, tags + marks, zone_of(number))] = number
            if number % 50 == 49:
                print(f"{number + 1} snapshots", file=sys.stderr)
        return ids

    reasons = {}

    def ask(histories, ids):
        for history in histories:
            kept = repository.answer(history.pop("mark"), history["options"], history["tags"])
            history["kept"] = None if kept is None else [
                [ids[key]] + [reasons.setdefault(match, len(reasons)) for match in matches]
                for key, matches in sorted(kept.items(), key=lambda item: ids[item[0]])]

    ids = take(snapshots, histories, lambda number: "UTC")
    zone_ids = take(zoned, zones, lambda number: ["Pacific/Auckland", "America/Los_Angeles"][number % 2])
    ask(histories, ids)
    ask(zones, zone_ids)
    answers = {"restic": version, "seed": given.seed, "asked": int(datetime.datetime.now().timestamp()), "reasons": list(reasons),
               "snapshots": snapshots, "histories": histories, "zonedSnapshots": zoned, "zones": zones}
    with open(given.output, "w") as file:
        json.dump(answers, file, separators=(",", ":"))
        file.write("\n")



if __name__ == "__main__":
    main()
