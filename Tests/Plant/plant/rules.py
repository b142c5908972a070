"""Which images rules keep, written from restic's description (doc/060_forget.rst) and Keeping.md, and from nothing of Holdfast's.

An image here has `id`, `series`, `sequence`, `said` (the time in its label, by the store's clock) and `written` (when the store got it)."""
import collections
import time

DAY = 86_400

Image = collections.namedtuple("Image", "id series sequence said written host")


def period(kind, seconds):
    moment = time.gmtime(seconds)
    return {"daily": (moment.tm_year, moment.tm_yday), "weekly": tuple(map(int, time.strftime("%G %V", moment).split())),
            "monthly": (moment.tm_year, moment.tm_mon), "yearly": (moment.tm_year,), "last": None}[kind]


def doubtful(image):
    return abs(image.said - image.written) > DAY


def ruled(image, direct):
    """The time that rules go by."""
    return image.written if direct and doubtful(image) else min(image.said, image.written)


def decided(images, rules, direct):
    ordered = sorted(images, key=lambda image: (ruled(image, direct), image.sequence), reverse=True)
    kept, newest = set(), ruled(ordered[0], direct)
    for kind, count in rules.items():
        if kind == "within":
            kept |= {image.id for image in ordered if ruled(image, direct) > newest - count * DAY}
            continue
        seen = None
        for index, image in enumerate(ordered):
            if count == 0:
                break
            now = index if kind == "last" else period(kind, ruled(image, direct))
            # While a rule is not full, it keeps the oldest one, too.
            if now != seen or index == len(ordered) - 1:
                kept.add(image.id)
                count -= 1
            seen = now
    kept |= {ordered[0].id, max(images, key=lambda image: image.sequence).id}
    return kept


def keep(images, rules, direct):
    """The ids of those that stay, of all series."""
    kept, series = set(), collections.defaultdict(list)
    for image in images:
        series[image.series].append(image)
    for own in series.values():
        kept |= decided(own, rules, direct)
        certain = [image for image in own if not doubtful(image)]
        # One of a made-up time pushes nothing out.
        if certain:
            kept |= decided(certain, rules, direct)
    return kept


def words(rules):
    return [word for kind, count in rules.items() for word in (f"--keep-{kind}", f"{count}d" if kind == "within" else str(count))]
