"""A picture of one shadow's story: who wrote what when, and who had seen whom.

Time runs down, one lane for each writer. A dot is an update, and what it wrote stands beside it. An
arrow goes from a writer's latest update to the first one by somebody who had seen it; what another
arrow already says is left out. A badge names the conflict that a field takes part in: full for a value
that shows, hollow for one that gave way. Where a lane is dashed, nobody heard of its writer.

:func:`arrange` computes all places, so that tests can measure them; :func:`draw` makes the SVG. Its
colours are variables of the page's style sheet.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from typing import Final, NamedTuple

from crdtshadow import REMOVED, Stamp, Write, replica_name, split_replica
from crdtshadow.paths import parse
from crdtshadow_cli.demo_walk import CONNECTED_MS, Story, Update
from crdtshadow_cli.wording import count, say_value

PEOPLE: Final[Mapping[str, str]] = {
    "cloud": "the AWS console",
    "app": "a phone",
    "cloud-review": "a person who has seen all",
}
"""Writers that are no devices, in the order of their lanes, and what stands below their names."""

CHAR_PX: Final = 6.9
"""No text of the picture is wider a character, on average."""

LINE_PX: Final = 17
_CHANNEL_PX: Final = 22
"""Above the labels of a row: room for arrows."""
_ROW_GAP_PX: Final = 8
_DAY_PX: Final = 24
_GUTTER_PX: Final = 98
_LANE_PX_MIN: Final = 150
_HEAD_PX: Final = 54
_DOT_PX: Final = 6
_LABEL_PX: Final = 15
_BADGE_PX: Final = 15
_TEXT_CHARS: Final = 30

LATE_MS: Final = 3_600_000
"""What took longer to arrive was cut off."""


class Box(NamedTuple):
    """A rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        """Tell whether both share an area."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


class Text(NamedTuple):
    """A line beside a dot: its badge, which may be empty, and what it says."""

    said: str
    badge: str = ""
    shows: bool = False


class Mark(NamedTuple):
    """A dot with its lines. *kind*: ``update``, ``refused``, or ``arrival`` of what was written before."""

    kind: str
    x: float
    y: float
    texts: tuple[Text, ...]

    @property
    def box(self) -> Box:
        """What the lines cover."""
        width = max(len(text.said) * CHAR_PX + (_BADGE_PX + 5 if text.badge else 0) for text in self.texts)
        top = self.y - LINE_PX / 2 - 2
        return Box(self.x + _LABEL_PX, top, self.x + _LABEL_PX + width, top + len(self.texts) * LINE_PX)


class Arrow(NamedTuple):
    """From a dot, down beside its lane, across, and into a later dot from above. *kind*: ``seen``, ``again``."""

    kind: str
    x: float
    y: float
    to_x: float
    to_y: float
    slot: int

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """The corners, from beginning to end."""
        side = self.x - 11
        across = self.to_y - _DOT_PX - 11 - 4 * self.slot
        return (
            (self.x - 4, self.y + 5),
            (side, self.y + 12),
            (side, across),
            (self.to_x, across),
            (self.to_x, self.to_y - _DOT_PX - 1),
        )


class Lane(NamedTuple):
    """A writer: where its line runs, and from when to when nobody heard of it."""

    x: float
    name: str
    detail: str
    top: float
    bottom: float
    silent: tuple[float, float] | None


class Picture(NamedTuple):
    """Everything that is drawn, in pixels."""

    width: float
    height: float
    lanes: tuple[Lane, ...]
    days: tuple[tuple[float, str], ...]
    times: tuple[tuple[float, str], ...]
    marks: tuple[Mark, ...]
    arrows: tuple[Arrow, ...]
    published: float


def say_clock(ms: int) -> str:
    """Return the time of day, in UTC.

    >>> say_clock(1_736_753_400_000)
    '07:30'
    """
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%H:%M}"


def say_day(ms: int) -> str:
    """Return the day, in UTC.

    >>> say_day(1_736_753_400_000)
    'Monday 13 January'
    """
    day = datetime.fromtimestamp(ms / 1000, UTC)
    return f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}"


def say_moment(ms: int) -> str:
    """Return day and time, short, in UTC.

    >>> say_moment(1_736_753_400_000)
    'Mon 07:30'
    """
    return f"{say_day(ms)[:3]} {say_clock(ms)}"


def _short_day(ms: int) -> str:
    """Return the day as it fits beside the lanes."""
    weekday, day, month = say_day(ms).split()
    return f"{weekday[:3]} {day} {month[:3]}"


_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def letters(story: Story) -> dict[str, str]:
    """Return a letter for the path of every conflict."""
    return {rival.conflict.path: chr(ord("A") + at) for at, rival in enumerate(story.rivals)}


def arrange(story: Story) -> Picture:
    """Return where everything of *story* goes."""
    updates = [*story.updates, *([story.answer] if story.answer else [])]
    lanes = _lane_order(updates)
    texts = {update.stamp: _texts(update, story) for update in updates}
    arrivals = _late_arrivals(updates)
    moments: dict[int, int] = {CONNECTED_MS: 1}
    for update in updates:
        moment = _moment(update)
        moments[moment] = max(moments.get(moment, 1), len(texts[update.stamp]))
    for _, moment in arrivals:
        moments.setdefault(moment, 1)

    rows: dict[int, float] = {}
    days: list[tuple[float, str]] = []
    y = float(_HEAD_PX)
    for moment in sorted(moments):
        if not days or days[-1][1] != _short_day(moment):
            days.append((y + _DAY_PX / 2, _short_day(moment)))
            y += _DAY_PX
        rows[moment] = y + _CHANNEL_PX + LINE_PX / 2
        y += _CHANNEL_PX + moments[moment] * LINE_PX + _ROW_GAP_PX

    x, columns = float(_GUTTER_PX + 24), {}
    for replica in lanes:
        columns[replica] = x
        own = [text for update in updates if update.stamp.replica == replica for text in texts[update.stamp]]
        own += [Text(said) for (name, _), said in arrivals.items() if name == replica]
        own += [Text(replica_name(replica)), Text(_detail(replica))]
        widest = max(len(text.said) * CHAR_PX + (_BADGE_PX + 5 if text.badge else 0) for text in own)
        x += max(_LANE_PX_MIN, widest + _LABEL_PX + 34)

    marks = {
        update.stamp: Mark(
            "refused" if update.refused else "update",
            columns[update.stamp.replica],
            rows[_moment(update)],
            texts[update.stamp],
        )
        for update in updates
    }
    delivered = [
        Mark("arrival", columns[replica], rows[moment], (Text(said),)) for (replica, moment), said in arrivals.items()
    ]
    return Picture(
        x,
        y + 8,
        tuple([_lane(replica, columns[replica], updates, rows) for replica in lanes]),
        tuple(days),
        tuple([(rows[moment], say_clock(moment)) for moment in sorted(rows)]),
        (*marks.values(), *delivered),
        tuple(_arrows(updates, marks)),
        rows[CONNECTED_MS],
    )


def _moment(update: Update) -> int:
    return update.arrived_ms if update.refused else update.stamp.ms


def _lane_order(updates: Iterable[Update]) -> list[str]:
    """Return the writers: people, then devices by the first that they wrote."""
    first: dict[str, int] = {}
    for update in updates:
        first.setdefault(update.stamp.replica, _moment(update))
    people = {name: at for at, name in enumerate(PEOPLE)}
    return sorted(first, key=lambda replica: (people.get(replica_name(replica), len(people)), first[replica]))


def _detail(replica: str) -> str:
    """Return what stands below a lane's name: the epoch, where it is the device's own."""
    name, epoch = split_replica(replica)
    return PEOPLE.get(name, f"device, epoch {epoch:08x}")


def _texts(update: Update, story: Story) -> tuple[Text, ...]:
    """Return the lines beside an update: a field each, but what is reported without conflict together."""
    badges = letters(story)
    shown = {write for rival in story.rivals for write in rival.in_force.accepted}
    disputed = {write for rival in story.rivals for write in rival.conflict.writes}
    own, reported = [], []
    for write in update.writes:
        section, *keys = parse(write.path)
        name = ".".join(keys)
        if write in disputed:
            own.append(Text(_said(section, name, write), badges[write.path], write in shown))
        elif section == "reported" and not update.refused:
            reported.append(name)
        else:
            own.append(Text(_said(section, name, write)))
    if reported:
        own += [Text(line) for line in textwrap.wrap(f"reports {', '.join(reported)}", _TEXT_CHARS)]
    if update.refused:
        own += [Text(f"refused: stamped {say_clock(update.stamp.ms)}")]
    return tuple(own)


def _said(section: str, name: str, write: Write) -> str:
    place = name if section == "desired" else f"reports {name}"
    return f"{place} removed" if write.value is REMOVED else f"{place} = {say_value(write.value)}"


def _late_arrivals(updates: Iterable[Update]) -> dict[tuple[str, int], str]:
    """Return, by lane and moment, what arrives there long after it was written."""
    late: dict[tuple[str, int], int] = {}
    for update in updates:
        if _is_late(update):
            place = update.stamp.replica, update.arrived_ms
            late[place] = late.get(place, 0) + 1
    return {place: f"{count(number, 'update')} arrive only now" for place, number in late.items()}


def _lane(replica: str, x: float, updates: Sequence[Update], rows: Mapping[int, float]) -> Lane:
    own = [update for update in updates if update.stamp.replica == replica]
    lives = [
        _moment(update)
        for update in updates
        if replica_name(update.stamp.replica) == replica_name(replica) and update not in own
    ]
    begins, ends = _moment(own[0]), _moment(own[-1])
    late = [update for update in own if _is_late(update)]
    return Lane(
        x,
        replica_name(replica),
        _detail(replica),
        rows[begins] if any(moment < begins for moment in lives) else _HEAD_PX,
        rows[ends] + _CHANNEL_PX if any(moment > ends for moment in lives) else max(rows.values()) + _CHANNEL_PX,
        (rows[_moment(late[0])] - _CHANNEL_PX, rows[late[-1].arrived_ms]) if late else None,
    )


def _is_late(update: Update) -> bool:
    return not update.refused and update.arrived_ms - update.stamp.ms >= LATE_MS


def _arrows(updates: Sequence[Update], marks: Mapping[Stamp, Mark]) -> Iterable[Arrow]:
    """Yield one arrow for whatever an update's writer had newly seen of others, and did not learn through others."""
    accepted = {update.stamp: update for update in updates if not update.refused}
    slots: dict[Stamp, int] = {}

    def arrow(kind: str, source: Stamp, target: Stamp) -> Arrow:
        slot = slots[target] = slots.get(target, -1) + 1
        return Arrow(kind, marks[source].x, marks[source].y, marks[target].x, marks[target].y, slot)

    for update in accepted.values():
        own = [stamp for stamp in accepted if stamp.replica == update.stamp.replica and stamp < update.stamp]
        fresh = [
            stamp
            for stamp in update.seen.stamps()
            if stamp in accepted
            and stamp.replica != update.stamp.replica
            and not any(accepted[earlier].seen.covers(stamp) for earlier in own)
        ]
        for stamp in fresh:
            if not any(accepted[other].seen.covers(stamp) for other in fresh if other != stamp):
                yield arrow("seen", stamp, update.stamp)
    for refused in (update for update in updates if update.refused):
        for stamp, update in accepted.items():
            alike = {(one.path, say_value(one.value)) for one in refused.writes}
            same_name = replica_name(stamp.replica) == replica_name(refused.stamp.replica)
            if same_name and alike == {(one.path, say_value(one.value)) for one in update.writes}:
                yield arrow("again", refused.stamp, stamp)


def draw(picture: Picture, *, title: str, name: str) -> str:
    """Return the SVG of *picture*.

    Args:
        picture: From :func:`arrange`.
        title: For those who cannot see it.
        name: Of its arrow heads; one for each picture of a page.
    """
    parts = [
        f'<svg viewBox="0 0 {picture.width:.0f} {picture.height:.0f}" width="{picture.width:.0f}"'
        f' height="{picture.height:.0f}" role="img" aria-label="{escape(title)}" class="timeline">',
        f"<title>{escape(title)}</title>",
        "<defs>"
        + "".join(
            f'<marker id="{name}-{kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
            f' markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0.5 8 4 0 7.5z" class="head {kind}"/></marker>'
            for kind in ("seen", "again")
        )
        + "</defs>",
    ]
    for y, day in picture.days:
        parts.append(f'<line class="day" x1="0" x2="{picture.width:.0f}" y1="{y - 12:.1f}" y2="{y - 12:.1f}"/>')
        parts.append(f'<text class="day" x="{_GUTTER_PX - 14}" y="{y + 9:.1f}">{escape(day)}</text>')
    for lane in picture.lanes:
        parts += _draw_lane(lane)
    band, said = _draw_published(picture)
    parts += [band, *(_draw_arrow(one, name) for one in picture.arrows), said]
    for y, time in picture.times:
        parts.append(f'<text class="time" x="{_GUTTER_PX - 14}" y="{y + 4:.1f}">{escape(time)}</text>')
    for mark in picture.marks:
        parts += _draw_mark(mark)
    return "\n".join([*parts, "</svg>"])


def _draw_lane(lane: Lane) -> Iterable[str]:
    yield f'<text class="lane" x="{lane.x - _DOT_PX:.1f}" y="16">{escape(lane.name)}</text>'
    yield f'<text class="detail" x="{lane.x - _DOT_PX:.1f}" y="33">{escape(lane.detail)}</text>'
    stops = [lane.top, *(lane.silent or ()), lane.bottom]
    for at, (top, bottom) in enumerate(pairwise(stops)):
        kind = "lane silent" if at == 1 and lane.silent else "lane"
        yield f'<line class="{kind}" x1="{lane.x:.1f}" x2="{lane.x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>'


def _draw_published(picture: Picture) -> tuple[str, str]:
    """Return the band across all lanes, and what it says, which covers the arrows."""
    y, left = picture.published, picture.lanes[0].x - 14
    paper, said = len(PUBLISHED) * CHAR_PX, f'y="{y - 13:.1f}" height="26" rx="6"/>'
    return (
        f'<rect class="published" x="{left:.1f}" width="{picture.width - left - 6:.1f}" {said}',
        f'<rect class="published" x="{left + 4:.1f}" width="{paper:.1f}" {said}'
        f'<text class="published" x="{left + 12:.1f}" y="{y + 4.5:.1f}">{PUBLISHED}</text>',
    )


PUBLISHED: Final = "crdtshadow publishes: now everybody is told everything"


def _draw_arrow(arrow: Arrow, name: str) -> str:
    (start, turn, corner, above, end) = arrow.points
    bend = 6 if above[0] > corner[0] else -6
    return (
        f'<path class="{arrow.kind}" marker-end="url(#{name}-{arrow.kind})" d="M{start[0]:.1f} {start[1]:.1f}'
        f" Q{turn[0]:.1f} {start[1]:.1f} {turn[0]:.1f} {turn[1]:.1f} V{corner[1] - 6:.1f}"
        f" Q{corner[0]:.1f} {corner[1]:.1f} {corner[0] + bend:.1f} {corner[1]:.1f} H{above[0] - bend:.1f}"
        f' Q{above[0]:.1f} {above[1]:.1f} {above[0]:.1f} {above[1] + 4:.1f} V{end[1]:.1f}"/>'
    )


def _draw_mark(mark: Mark) -> Iterable[str]:
    x, y = mark.x, mark.y
    if mark.kind == "refused":
        yield f'<path class="refused" d="M{x - 5:.1f} {y - 5:.1f}l10 10m0 -10l-10 10"/>'
    elif mark.kind == "arrival":
        yield f'<path class="arrival" d="M{x - 6:.1f} {y:.1f}l6 -6 6 6 -6 6z"/>'
    else:
        yield f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{_DOT_PX}"/>'
    box = mark.box
    yield (
        f'<rect class="paper" x="{box.left - 2:.1f}" y="{box.top:.1f}" width="{box.right - box.left + 4:.1f}"'
        f' height="{box.bottom - box.top:.1f}" rx="3"/>'
    )
    for at, text in enumerate(mark.texts):
        baseline, left = y + 4 + at * LINE_PX, x + _LABEL_PX
        if text.badge:
            kind = "badge shows" if text.shows else "badge"
            yield f'<rect class="{kind}" x="{left:.1f}" y="{baseline - 11.5:.1f}" width="15" height="15" rx="4"/>'
            yield f'<text class="{kind}" x="{left + 7.5:.1f}" y="{baseline:.1f}">{text.badge}</text>'
            left += _BADGE_PX + 5
        gone = " gone" if text.badge and not text.shows else ""
        kind = mark.kind if mark.kind != "update" else "label"
        yield f'<text class="{kind}{gone}" x="{left:.1f}" y="{baseline:.1f}">{escape(text.said)}</text>'
