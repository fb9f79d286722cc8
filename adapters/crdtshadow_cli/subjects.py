"""Which shadow a command is about: one in a store, or a state file."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final, NamedTuple

from crdtshadow_walk import Held, ShadowKey, shadow_key

from crdtshadow import Policy, Shadow
from crdtshadow_cli.errors import InputError, UsageError
from crdtshadow_cli.inputs import read_policy
from crdtshadow_cli.states import read_state
from crdtshadow_cli.wording import Data, key_data, say_list

if TYPE_CHECKING:
    from crdtshadow_local import Store


_NAMES_SHOWN: Final = 10


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a store."""
    parser.add_argument("--store", metavar="FILE", required=True, help="the store, an SQLite file")


def add_shadow(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the arguments that name a shadow in a store."""
    parser.add_argument("--thing", metavar="NAME", required=required, help="the thing's name")
    parser.add_argument("--shadow", metavar="NAME", help="the shadow's name; the classic shadow has none")


def add_scope(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that narrow a listing to a thing or a shadow."""
    parser.add_argument("--thing", metavar="NAME", help="only the shadows of this thing")
    parser.add_argument("--shadow", metavar="NAME", help="only this shadow of it; $default is the classic one")


def add_policy(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a policy file."""
    parser.add_argument("--policy", metavar="FILE", help="decide by this policy (JSON) instead")


def add_subject(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name a shadow in a store, or a state file."""
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--store", metavar="FILE", help="the store, an SQLite file")
    where.add_argument("--state", metavar="FILE", help="a state file, as export and merge write it")
    add_shadow(parser, required=False)
    add_policy(parser)


def open_store(args: argparse.Namespace) -> Store:
    """Return the store that *args* name, which must be there.

    Raises:
        AdapterError: It is not, or it cannot be opened.
    """
    from crdtshadow_local import Store

    return Store.open(args.store, create=False)


def key_of(args: argparse.Namespace) -> ShadowKey:
    """Return the shadow that ``--thing`` and ``--shadow`` name.

    Raises:
        UsageError: There is only ``--shadow``.
        EventRefused: A name that AWS IoT does not allow.
    """
    if args.thing is None:
        raise UsageError("which thing? --shadow needs --thing")
    return shadow_key(args.thing, args.shadow)


def held(store: Store, key: ShadowKey) -> Held:
    """Return the shadow of *key* in *store*.

    Raises:
        InputError: The store has none; what else it has of that thing is said.
    """
    found = store.get(key)
    if found is not None:
        return found
    names = [one.key.shadow for one in store.shadows(thing=key.thing) if one.revision]
    if not names:
        raise InputError(f"{store.path}: no shadow of a thing {key.thing}")
    which = "classic shadow" if key.shadow is None else f"shadow {key.shadow}"
    others = say_list([name or "the classic shadow" for name in names[:_NAMES_SHOWN]])
    raise InputError(f"{store.path}: no {which} of {key.thing}, which has {others}")


def scope_of(store: Store, args: argparse.Namespace) -> tuple[ShadowKey | None, str | None]:
    """Return the shadow, or else the thing, that a listing is narrowed to.

    Raises:
        InputError: The store has none of that name.
    """
    if args.shadow is not None:
        return held(store, key_of(args)).key, None
    if args.thing is None:
        return None, None
    thing = key_of(args).thing
    if not any(one.revision for one in store.shadows(thing=thing)):
        raise InputError(f"{store.path}: no shadow of a thing {thing}")
    return None, thing


class Subject(NamedTuple):
    """A shadow that a command is about.

    Attributes:
        name: For people.
        names: For JSON.
        state: All that is known of it.
        policy: Decides what readers see.
    """

    name: str
    names: Data
    state: Shadow
    policy: Policy


def subject_of(args: argparse.Namespace) -> Subject:
    """Return the shadow that *args* name.

    Raises:
        UsageError: The arguments do not fit together.
        CrdtShadowError: There is none, or it cannot be read.
    """
    policy = read_policy(args.policy) if args.policy else None
    if args.state is not None:
        if args.thing is not None or args.shadow is not None:
            raise UsageError("--state is one shadow; --thing and --shadow go with --store")
        return Subject(args.state, {"file": args.state}, read_state(args.state), policy or Policy())
    if args.thing is None:
        raise UsageError("--store needs --thing, and --shadow for a named shadow")
    with open_store(args) as store:
        found = held(store, key_of(args))
    return Subject(str(found.key), key_data(found.key), found.shadow, policy or found.policy)
