"""What is done to an input: to its bytes, to its tree (msgpack or JSON), or to its meaning (deltas)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

import msgpack

from tests.fuzz import corpus

BYTES_MAX: Final = 4_096
_BOUNDARIES: Final = (0, 1, -1, 127, 128, 255, 256, 65_535, 65_536, 2**31, 2**32, 2**48, 2**63 - 1, 2**63, 2**64 - 1)
_ODD: Final[tuple[Any, ...]] = (
    *_BOUNDARIES,
    None,
    True,
    False,
    0.0,
    -0.0,
    1.5,
    float("nan"),
    float("inf"),
    "",
    "#",
    "/",
    "~",
    "/desired",
    "/desired/a/b",
    "app#00000000",
    "state",
    "\ud800",
    "x" * 200,
    [],
    {},
    [[[[[[[[[]]]]]]]]],
    {"desired": {}},
    -(2**63),
    10**40,
)
_ODD_BYTES: Final = (b"", b"\0", b"\xff" * 9, b"\x80\x80\x80\x01", b"\xdd\xff\xff\xff\xff", b"\xc1", b"\xd4\x05\x00")
_NESTING_MAX: Final = 40


class Mutator:
    """Makes inputs of inputs; all that it does follows from its seed.

    Args:
        seeds: Real inputs, to be taken apart and spliced.
        kind: How inputs are written: ``delta`` or ``msgpack`` or ``json``.
        seed: Of the dice.
    """

    def __init__(self, seeds: Sequence[bytes], *, kind: str, seed: int) -> None:
        self.dice = Random(seed)
        self._seeds = list(seeds)
        self._kind = kind

    def fresh(self) -> bytes:
        """Return an input made from one of the seeds."""
        return self.change(self.dice.choice(self._seeds))

    def change(self, data: bytes) -> bytes:
        """Return another input like *data*."""
        for _ in range(1 + int(self.dice.expovariate(1.2))):
            data = self._change_once(data)
        return data[:BYTES_MAX]

    def _change_once(self, data: bytes) -> bytes:
        chance = self.dice.random()
        if chance < 0.5:
            return self._change_bytes(data)
        if self._kind == "delta" and chance < 0.6:
            return corpus.remix(self.dice)
        return self._change_json(data) if self._kind == "json" else self._change_msgpack(data)

    def _change_bytes(self, data: bytes) -> bytes:
        dice = self.dice
        at = dice.randrange(len(data) + 1)
        upto = min(len(data), at + dice.randrange(1, 9))
        match dice.randrange(8):
            case 0 if data:
                at = min(at, len(data) - 1)
                return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
            case 1 if data:
                at = min(at, len(data) - 1)
                return data[:at] + bytes([(data[at] + dice.randrange(-4, 5)) % 256]) + data[at + 1 :]
            case 2:
                return data[:at] + data[upto:]
            case 3:
                return data[:at] + data[at:upto] * dice.randrange(2, 5) + data[upto:]
            case 4:
                return data[:at] + dice.randbytes(dice.randrange(1, 5)) + data[at:]
            case 5:
                other = dice.choice(self._seeds)
                start = dice.randrange(len(other) + 1)
                return data[:at] + other[start : start + dice.randrange(1, 40)] + data[upto:]
            case 6:
                return data[:at]
            case _:
                return data[:at] + dice.choice(_ODD_BYTES) + data[upto:]

    def _change_msgpack(self, data: bytes) -> bytes:
        try:
            tree = msgpack.unpackb(data, raw=False, strict_map_key=False)
            return bytes(msgpack.packb(self._change_tree(tree, 0)))
        except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException):
            return self._change_bytes(data)

    def _change_json(self, data: bytes) -> bytes:
        try:
            return json.dumps(self._change_tree(json.loads(data), 0), ensure_ascii=self.dice.random() < 0.5).encode()
        except (ValueError, TypeError, RecursionError):
            return self._change_bytes(data)

    def _change_tree(self, node: Any, depth: int) -> Any:
        """Return *node* with one change somewhere in it."""
        dice = self.dice
        if depth > _NESTING_MAX or dice.random() < 0.15:
            return self._replace(node)
        if isinstance(node, list) and node:
            at = dice.randrange(len(node))
            match dice.randrange(6):
                case 0:
                    return node[:at] + node[at + 1 :]
                case 1:
                    return [*node[:at], node[at], *node[at:]]
                case 2:
                    return [*node[:at], dice.choice(_ODD), *node[at:]]
            return [*node[:at], self._change_tree(node[at], depth + 1), *node[at + 1 :]]
        if isinstance(node, dict) and node:
            key = dice.choice(list(node))
            rest = {other: value for other, value in node.items() if other != key}
            match dice.randrange(6):
                case 0:
                    return rest
                case 1:
                    return {self._change_tree(key, depth + 1): node[key]} | rest
                case 2:
                    return node | {dice.choice(list(rest) or ["x"]): node[key]}
            return node | {key: self._change_tree(node[key], depth + 1)}
        return self._replace(node)

    def _replace(self, node: Any) -> Any:
        dice = self.dice
        if isinstance(node, bytes) and dice.random() < 0.8:
            return self._change_msgpack(node) if dice.random() < 0.5 else self._change_bytes(node)
        if isinstance(node, str) and dice.random() < 0.6:
            at = dice.randrange(len(node) + 1)
            return node[:at] + dice.choice(("", "/", "~", "#", "*", "**", "\0", "é", "\ud800", node)) + node[at + 1 :]
        if isinstance(node, int) and dice.random() < 0.6:
            return node + dice.choice((-1, 1, -2, 2, 1 << dice.randrange(64)))
        if dice.random() < 0.1:
            return self._nested(
                dice.choice((3, 9, 33, 70, 1_200)), dice.choice(((lambda x: [x]), (lambda x: {"a": x})))
            )
        return dice.choice(_ODD)

    def _nested(self, depth: int, wrap: Callable[[Any], Any]) -> Any:
        node: Any = 1
        for _ in range(depth):
            node = wrap(node)
        return node
