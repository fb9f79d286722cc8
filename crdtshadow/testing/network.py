"""A network between replicas that loses, doubles, reorders and partitions, all from one seed."""

from __future__ import annotations

from random import Random

from crdtshadow.errors import CrdtShadowError
from crdtshadow.replica import Replica
from crdtshadow.session import Session


class LossyNetwork:
    """Replicas that exchange session messages over a bad network; deterministic for one seed.

    Args:
        replicas: All of them, with different names or epochs.
        seed: Every loss, double and reordering follows from it.
        loss: The share of messages that vanish, from 0 to 1.
        duplication: The share of messages that arrive twice.
        reordering: Whether messages overtake each other.

    >>> a, b = (Replica(name, epoch=1, now=lambda: 1_000) for name in ("a", "b"))
    >>> a.reported["t"], b.desired["t"] = 20, 21
    >>> network = LossyNetwork([a, b], seed=7, loss=0.3, duplication=0.3)
    >>> network.settle()
    >>> a.shadow == b.shadow
    True
    """

    def __init__(
        self,
        replicas: list[Replica],
        *,
        seed: int,
        loss: float = 0.0,
        duplication: float = 0.0,
        reordering: bool = True,
    ) -> None:
        self.replicas = replicas
        self._dice = Random(seed)
        self._loss = loss
        self._duplication = duplication
        self._reordering = reordering
        self._under_way: list[tuple[int, int, bytes]] = []
        self._cut: set[frozenset[int]] = set()

    def cut(self, a: Replica, b: Replica) -> None:
        """Let nothing through between *a* and *b*, what is under way included."""
        self._cut.add(self._link(a, b))

    def mend(self) -> None:
        """Let everything through again."""
        self._cut.clear()

    def _link(self, a: Replica, b: Replica) -> frozenset[int]:
        return frozenset({self._place(a), self._place(b)})

    def _place(self, replica: Replica) -> int:
        return next(at for at, one in enumerate(self.replicas) if one is replica)

    def greet(self, a: Replica, b: Replica) -> None:
        """Let *a* begin an exchange with *b*."""
        self._post(self._place(a), self._place(b), Session(a).hello())

    def _post(self, sender: int, receiver: int, message: bytes) -> None:
        if self._dice.random() >= self._loss:
            self._under_way.append((sender, receiver, message))
            if self._dice.random() < self._duplication:
                self._under_way.append((sender, receiver, message))

    def deliver(self) -> bool:
        """Deliver one message, its answers being posted; tell whether there was any."""
        if not self._under_way:
            return False
        at = self._dice.randrange(len(self._under_way)) if self._reordering else 0
        sender, receiver, message = self._under_way.pop(at)
        if frozenset({sender, receiver}) not in self._cut:
            for reply in Session(self.replicas[receiver]).receive(message).replies:
                self._post(receiver, sender, reply)
        return True

    def settle(self, *, rounds_max: int = 1_000) -> None:
        """Mend the network and let replicas greet each other until all hold the same state.

        Raises:
            CrdtShadowError: They still do not after *rounds_max* rounds.
        """
        self.mend()
        for _ in range(rounds_max):
            states = [replica.shadow.encode() for replica in self.replicas]
            if len(set(states)) == 1 and not self._under_way:
                return
            for a in self.replicas:
                for b in self.replicas:
                    if a is not b:
                        self.greet(a, b)
            while self.deliver():
                pass
        raise CrdtShadowError(f"the replicas still differ after {rounds_max} rounds")
