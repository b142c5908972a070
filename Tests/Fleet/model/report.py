"""What a run of the model says: tables for people, JSON for programs."""

from .measure import VERBS, by_kind, money
from .settings import CHUNK, DAY, HOUR, INDEX_ROW


def figures(settings, shared, total, losses):
    """All numbers, in the order in which they are printed."""
    days = settings.days
    requests = {}
    for when in ("first", "day"):
        requests[when] = {name: total.spreads[f"{when} {name}"].summary() for name in VERBS + ("requests", "up", "down", "seconds")}
    starts = total.starts
    after = {second: count for second, count in starts.items() if shared.power <= second < shared.power + 4 * HOUR}
    minutes = {}
    for second, count in after.items():
        minutes[second // 60] = minutes.get(second // 60, 0) + count
    successes = max(1, total.events["successes"])
    rows = total.spreads["writer's index rows"]
    return {
        "seed": settings.seed, "machines": settings.machines, "days": days, "group size": settings.group_size, "store": settings.store,
        "client": settings.client, "tombstones": settings.tombstones, "taken away": sorted(settings.weak),
        "a machine and run": requests,
        "writers": {"requests": by_kind(total.writers), "dollars a day": round(money(total.writers) / days, 4),
                    "GB up": round(total.bytes["writers"][0] / 1e9, 3), "GB down": round(total.bytes["writers"][1] / 1e9, 3)},
        "pruners": {"requests": by_kind(total.pruners), "dollars a day": round(money(total.pruners) / days, 4),
                    "GB up": round(total.bytes["pruners"][0] / 1e9, 3), "GB down": round(total.bytes["pruners"][1] / 1e9, 3)},
        "LIST pages of writers": total.pages, "objects created": total.objects,
        "retries a success": round(total.events["retries"] / successes, 4),
        "starts after the power return": {
            "highest a second": max(after.values(), default=0), "highest a minute": max(minutes.values(), default=0),
            "all": sum(after.values())},
        "writer's index in MB": {key: round(value * INDEX_ROW / 1e6, 3) for key, value in rows.summary().items()},
        "pruner's memory in MB": {key: round(value * 24 / 1e6, 3) for key, value in total.spreads["pruner's rows"].summary().items()},
        "a prune in seconds": total.spreads["prune seconds"].summary(),
        "days from unnamed to removed": total.spreads["days from unnamed to removed"].summary(),
        "events": {name: round(count, 3) if isinstance(count, float) else count for name, count in sorted(total.events.items())},
        "losses": len(losses),
    }


def text(numbers):
    """The same as lines."""
    lines = [
        f"seed {numbers['seed']}: {numbers['machines']} machines, {numbers['days']} days, groups of {numbers['group size']}, store "
        f"{numbers['store']}, client {numbers['client']}, a tombstone a {numbers['tombstones']}"
        + (f", without: {', '.join(numbers['taken away'])}" if numbers["taken away"] else "")]
    for when, name in (("first", "first backup"), ("day", "daily run")):
        lines.append(f"{name}:{'p50':>29}{'p99':>12}{'max':>14}{'mean':>14}" if when == "first" else f"{name}:")
        for what, spread in numbers["a machine and run"][when].items():
            if what in ("up", "down"):
                shown = [f"{spread[key] / 1e6:.2f} MB" for key in ("p50", "p99", "max", "mean")]
            else:
                shown = [f"{spread[key]:.1f}" for key in ("p50", "p99", "max", "mean")]
            lines.append(f"  {what:<12}{shown[0]:>24}{shown[1]:>14}{shown[2]:>14}{shown[3]:>14}")
    for who in ("writers", "pruners"):
        part = numbers[who]
        kinds = ", ".join(f"{name} {count}" for name, count in part["requests"].items())
        lines.append(f"{who}: ${part['dollars a day']} a day, {part['GB up']} GB up, {part['GB down']} GB down; {kinds}")
    for name in ("LIST pages of writers", "objects created", "retries a success", "starts after the power return", "writer's index in MB",
                 "pruner's memory in MB", "a prune in seconds", "days from unnamed to removed"):
        value = numbers[name]
        if isinstance(value, dict):
            value = ", ".join(f"{key} {number}" for key, number in value.items())
        lines.append(f"{name}: {value}")
    lines.append("events: " + ", ".join(f"{name} {count}" for name, count in numbers["events"].items()))
    lines.append(f"losses: {numbers['losses']}")
    return lines


__all__ = ["figures", "text", "CHUNK", "DAY"]
