"""All worlds that can be reached from three empty replicas, breadth first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from crdtshadow import CrdtShadowError
from tests.modelcheck.model import KINDS, NAMES, Kind, Model, Reported

_BITS: Final = 21
"""Local states, and sets of writes, are numbered in so many bits."""
_END: Final = 1 << _BITS
_MASK: Final = _END - 1

World = int
"""Three local states, the set of writes whose messages may arrive, and the resets so far: their numbers, packed."""
Progress = Callable[[int, int], None]
"""Called with how many worlds were found, and how many of them have yet to be continued."""


class Bounds(NamedTuple):
    """How far to go.

    Attributes:
        kinds: What the first write can be, what the second, and so on.
        resets: How often a replica loses all that it had and begins again, at most.
        same_id: It does so under the id that it had, which is against the rules.
        forgetful: Who hears what others have seen, and forgets removals; places in `NAMES`.
    """

    kinds: tuple[tuple[Kind, ...], ...]
    resets: int = 0
    same_id: bool = False
    forgetful: tuple[int, ...] = ()


class Found(NamedTuple):
    """What an exploration found.

    Attributes:
        worlds: How many worlds there are.
        locals: How many local states they are made of.
        steps: How often the shipped code was made to do something.
        reported: Steps at which a replica said that its identity is used twice.
        broken: Steps that led to what should not be.
    """

    worlds: int
    locals: int
    steps: int
    reported: int
    broken: int


class Broken(AssertionError):
    """There is a world that should not be; the message tells a shortest way to it."""


def explore(bounds: Bounds, *, progress: Progress | None = None) -> Found:
    """Reach every world within *bounds*.

    Raises:
        Broken: The oracle disagrees with one. Not if *bounds* break the rules: then it is counted.
    """
    try:
        return _Search(bounds).run(progress)
    except _AMISS:
        return _Search(bounds, remember=True).run(progress)


class _Search:
    """One search. It can *remember* how it came to each world, which takes memory, to tell the way to a broken one."""

    def __init__(self, bounds: Bounds, *, remember: bool = False) -> None:
        self._bounds = bounds
        self._model = Model()
        self._done: dict[tuple[int, ...], tuple[int, int] | None] = {}
        self._mails: list[frozenset[int]] = [frozenset()]
        self._mail_numbers: dict[frozenset[int], int] = {frozenset(): 0}
        self._reported = 0
        self._broken = 0
        self._came_from: dict[World, tuple[World, str]] | None = {} if remember else None

    def run(self, progress: Progress | None) -> Found:
        start = _pack(tuple([self._model.begin(name) for name in NAMES]), 0, 0)
        worlds, level = {start}, [start]
        while level:
            following: list[World] = []
            for at, world in enumerate(level):
                if progress is not None and at % 1_024 == 0:
                    progress(len(worlds), len(level) - at + len(following))
                for reached, what, who in self._continue(world):
                    if reached not in worlds:
                        worlds.add(reached)
                        following.append(reached)
                        if self._came_from is not None:
                            self._came_from[reached] = world, f"{NAMES[who]}: {what}"
            level = following
        return Found(len(worlds), len(self._model.locals), self._model.steps, self._reported, self._broken)

    def _continue(self, world: World) -> Iterator[tuple[World, str, int]]:
        """Yield the worlds that come next, what leads to them, and who does it."""
        locals_, mail, resets = _unpack(world)
        arriving = self._mails[mail]
        for who, here in enumerate(locals_):
            others = [self._model.locals[other] for other in locals_ if other != here]
            steps = [(_FROM, here, other.content) for other in others]
            steps += [(act, here, number) for act in (_ALONE, _WHOLE) for number in arriving]
            if len(arriving) < len(self._bounds.kinds):
                steps += [(_WRITE, here, KINDS.index(kind)) for kind in self._bounds.kinds[len(arriving)]]
            if who in self._bounds.forgetful:
                steps += [(_HEAR, here, other.number) for other in others]
                steps.append((_FORGET, here, 0))
            if resets < self._bounds.resets:
                steps.append((_RESET, who, resets))
            for step in steps:
                done = self._done[step] if step in self._done else self._do(step, world, who)
                if done is None:
                    continue
                became, wrote = done
                if became == here and step[0] != _RESET:
                    continue
                after = (*locals_[:who], became, *locals_[who + 1 :])
                sent = mail if wrote < 0 else self._mail_number(arriving | {wrote})
                yield _pack(after, sent, resets + (step[0] == _RESET)), _WORDS[step[0]], who

    def _do(self, step: tuple[int, ...], world: World, who: int) -> tuple[int, int] | None:
        """Make *step* once; return the local state that it leads to and what was written, nothing if it is broken."""
        act, here, other = step
        model = self._model
        done: tuple[int, int] | None
        try:
            match act:
                case _ if act == _WRITE:
                    done = model.write(here, KINDS[other])
                case _ if act == _FROM:
                    done = model.receive_from(here, other), -1
                case _ if act == _ALONE:
                    done = model.receive_write(here, other), -1
                case _ if act == _WHOLE:
                    done = model.receive_whole(here, other), -1
                case _ if act == _HEAR:
                    done = model.acknowledge(here, other), -1
                case _ if act == _FORGET:
                    done = model.forget(here), -1
                case _:
                    done = model.begin(NAMES[here], 0 if self._bounds.same_id else other + 1), -1
        except _AMISS as error:
            if not self._bounds.same_id:
                self._explain(error, world, f"{NAMES[who]}: {_WORDS[act]}")
                raise
            self._reported += isinstance(error, Reported)
            self._broken += not isinstance(error, Reported)
            done = None
        self._done[step] = done
        return done

    def _explain(self, error: Exception, world: World, what: str) -> None:
        """Raise `Broken` with the way to *world*, if it was remembered."""
        if self._came_from is None:
            return
        story = [what]
        while world in self._came_from:
            world, before = self._came_from[world]
            story.append(before)
        told = "\n  ".join(reversed(story))
        raise Broken(f"{error}, after\n  {told}") from error

    def _mail_number(self, mail: frozenset[int]) -> int:
        number = self._mail_numbers.get(mail)
        if number is None:
            number = self._mail_numbers[mail] = len(self._mails)
            self._mails.append(mail)
            assert number < _END
        return number


_AMISS: Final = (AssertionError, CrdtShadowError)
"""What a step raises that leads to what should not be: the oracle's verdict, a broken invariant, a refusal."""
_WRITE, _FROM, _ALONE, _WHOLE, _HEAR, _FORGET, _RESET = range(7)
_WORDS: Final = ("writes", "gets what a peer has", "gets a write", "gets a whole state", "hears", "forgets", "resets")


def _pack(locals_: tuple[int, ...], mail: int, resets: int) -> World:
    a, b, c = locals_
    return (((resets << _BITS | mail) << _BITS | a) << _BITS | b) << _BITS | c


def _unpack(world: World) -> tuple[tuple[int, int, int], int, int]:
    c, b, a = world & _MASK, world >> _BITS & _MASK, world >> 2 * _BITS & _MASK
    return (a, b, c), world >> 3 * _BITS & _MASK, world >> 4 * _BITS
