"""The demo's report: whole by itself, readable, and nothing in its pictures covers anything else."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import combinations, pairwise
from typing import Any

import pytest
from crdtshadow_cli.demo_data import LAMP, PUMP, THERMOSTAT, live, read_fleet
from crdtshadow_cli.demo_walk import Story, Tale, tell
from crdtshadow_cli.report import STYLE, render
from crdtshadow_cli.timeline import CHAR_PX, PUBLISHED, Box, Picture, arrange, draw
from crdtshadow_local import Store

VOID = {"meta", "link", "br", "img", "input", "hr"}


@pytest.fixture(scope="module")
def tale(tmp_path_factory: pytest.TempPathFactory) -> Tale:
    with Store.open(tmp_path_factory.mktemp("demo") / "fleet.db") as store:
        return tell(store, read_fleet(), live())


@pytest.fixture(params=[THERMOSTAT, LAMP, PUMP])
def story(request: pytest.FixtureRequest, tale: Tale) -> Story:
    return next(story for story in tale.stories if story.key.thing == request.param)


@pytest.fixture
def picture(story: Story) -> Picture:
    return arrange(story)


class Page(HTMLParser):
    """Checks that every element is closed where it belongs, and collects what is used."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.classes: set[str] = set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        self.classes.update((dict(attrs).get("class") or "").split())

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


# The page.


def test_every_element_is_closed(tale: Tale) -> None:
    assert Page(render(tale)).open == []


def test_it_needs_nothing_else(tale: Tale) -> None:
    html = render(tale)
    page = Page(html)
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed", "base"}
    assert not {name for name, _ in page.attributes} & {"src", "href", "srcset", "onload", "onclick", "style"}
    assert not re.search(r"https?:|@import|url\((?!#)|//", html)


def test_identities_are_used_once(tale: Tale) -> None:
    identities = [value for name, value in Page(render(tale)).attributes if name == "id"]
    assert len(identities) == len(set(identities))
    for name in re.findall(r"url\(#([^)]*)\)", render(tale)):
        assert name in identities


def test_light_and_dark_have_the_same_colours_and_every_colour_is_defined() -> None:
    light, dark = (set(re.findall(r"(--[\w-]+):", part)) for part in STYLE.split("}", 2)[0:2])
    assert light == dark == set(re.findall(r"var\((--[\w-]+)\)", STYLE))


def test_every_class_is_styled(tale: Tale) -> None:
    styled = set(re.findall(r"\.([a-z][\w-]*)", re.sub(r"\{[^}]*\}", "{}", STYLE)))
    assert Page(render(tale)).classes - styled <= {"label"}


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2.2, "contrast ratio")."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
        channels = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        linear = [channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_text_can_be_told_from_its_background(mode: int) -> None:
    colours = dict(re.findall(r"--([\w-]+):(#[0-9a-f]{3,6})", STYLE.split("}", 2)[mode]))
    pairs = [("ink", "paper"), ("ink", "card"), ("soft", "paper"), ("soft", "card"), ("ink", "good-soft")]
    pairs += [("clash", "card"), ("bad", "card"), ("bad", "bad-soft"), ("good", "good-soft"), ("soft", "good-soft")]
    for text, background in pairs:
        assert contrast(colours[text], colours[background]) >= 4.5, (text, background)


def test_every_conflict_and_its_sides_are_told(tale: Tale, story: Story) -> None:
    html = render(tale)
    for rival in story.rivals:
        assert f"<code>{rival.conflict.path}</code>" in html


# The pictures.


def labels(picture: Picture) -> list[Box]:
    return [mark.box for mark in picture.marks]


def test_no_label_covers_another(picture: Picture) -> None:
    for one, other in combinations(labels(picture), 2):
        assert not one.overlaps(other)


def test_labels_keep_clear_of_lanes_days_and_the_edge(picture: Picture) -> None:
    for box in labels(picture):
        assert box.right <= picture.width and box.bottom <= picture.height
        for lane in picture.lanes:
            assert not box.overlaps(Box(lane.x - 12, lane.top, lane.x + 7, lane.bottom))
        for y, _ in picture.days:
            assert not box.overlaps(Box(0, y - 12, picture.width, y + 12))


def test_the_gutter_has_room_for_days_and_times(picture: Picture) -> None:
    for _, text in (*picture.days, *picture.times):
        assert len(text) * CHAR_PX < picture.lanes[0].x - 24 - 12
    for one, other in pairwise(sorted(y for y, _ in (*picture.times, *picture.days))):
        assert other - one >= 16


def test_heads_of_lanes_keep_apart(picture: Picture) -> None:
    for lane, following in pairwise(picture.lanes):
        assert lane.x + max(len(lane.name) * CHAR_PX * 1.2, len(lane.detail) * CHAR_PX) < following.x - 6


def test_the_band_keeps_clear_of_labels(picture: Picture) -> None:
    band = Box(0, picture.published - 13, picture.width, picture.published + 13)
    assert not any(box.overlaps(band) for box in labels(picture))
    assert picture.lanes[0].x + len(PUBLISHED) * CHAR_PX < picture.width


def test_arrows_go_forward_in_time_and_cross_no_label(picture: Picture) -> None:
    dots = {(mark.x, mark.y) for mark in picture.marks}
    for arrow in picture.arrows:
        assert (arrow.x, arrow.y) in dots and (arrow.to_x, arrow.to_y) in dots
        assert arrow.y < arrow.to_y
        for (left, top), (right, bottom) in pairwise(arrow.points):
            line = Box(min(left, right) - 1, min(top, bottom) - 1, max(left, right) + 1, max(top, bottom) + 1)
            assert not any(line.overlaps(box) for box in labels(picture)), arrow


def test_no_two_arrows_run_on_one_line(picture: Picture) -> None:
    across = [
        Box(min(arrow.points[2][0], arrow.points[3][0]), arrow.points[2][1] - 1,
            max(arrow.points[2][0], arrow.points[3][0]), arrow.points[2][1] + 1)
        for arrow in picture.arrows
    ]  # fmt: skip
    for one, other in combinations(across, 2):
        assert not one.overlaps(other)


EDGES: dict[str, list[tuple[str, str, str]]] = {
    THERMOSTAT: [
        ("seen", "cloud 07:30", "app 19:05"),
        ("seen", "app 19:05", "cloud 10:30"),
        ("seen", "cloud 10:30", "app 22:00"),
        ("seen", "app 22:00", "thermostat 08:46"),
    ],
    LAMP: [("seen", "app 17:00", "porch-lamp 08:46"), ("seen", "porch-lamp 17:01", "porch-lamp 08:46")],
    PUMP: [
        ("seen", "cloud 09:00", "app 07:55"),
        ("seen", "app 07:55", "cloud-review 09:05"),
        ("seen", "gateway 07:58", "cloud-review 09:05"),
        ("again", "gateway 07:52", "gateway 07:58"),
    ],
}


def test_the_arrows_say_who_had_seen_whom(story: Story, picture: Picture) -> None:
    names = {lane.x: lane.name for lane in picture.lanes}
    times = dict(picture.times)
    found = [
        (arrow.kind, f"{names[arrow.x]} {times[arrow.y]}", f"{names[arrow.to_x]} {times[arrow.to_y]}")
        for arrow in picture.arrows
    ]
    assert sorted(found) == sorted(EDGES[story.key.thing])


def test_who_was_cut_off_is_dashed_until_what_was_written_arrives(tale: Tale) -> None:
    lanes = {
        lane.name: (lane, arrange(story)) for story in tale.stories for lane in arrange(story).lanes if lane.silent
    }
    assert list(lanes) == ["thermostat"]
    lane, picture = lanes["thermostat"]
    times = {time: y for y, time in picture.times}
    assert lane.silent is not None
    assert times["07:55"] < lane.silent[0] < times["22:40"]
    assert lane.silent[1] == times["08:20"]


def test_a_lane_ends_where_its_writer_begins_anew(tale: Tale) -> None:
    for thing, kept in ((LAMP, "porch-lamp"), (PUMP, "gateway")):
        drawn = arrange(next(story for story in tale.stories if story.key.thing == thing))
        former, anew = [lane for lane in drawn.lanes if lane.name == kept]
        assert former.bottom < anew.top < anew.bottom == max(lane.bottom for lane in drawn.lanes)


def test_what_is_drawn_says_what_it_is_to_those_who_cannot_see_it(picture: Picture) -> None:
    svg: Any = draw(picture, title="A & B", name="x")
    assert 'role="img" aria-label="A &amp; B"' in svg
    assert "<title>A &amp; B</title>" in svg
