"""``crdtshadow policy``: check a policy file; see and choose the policies in a store."""

from __future__ import annotations

import argparse

from crdtshadow_walk import ShadowKey, set_policy

from crdtshadow import Policy
from crdtshadow.paths import check
from crdtshadow_cli.errors import DONE
from crdtshadow_cli.inputs import read_policy
from crdtshadow_cli.output import Output
from crdtshadow_cli.subjects import add_store, held, key_of, open_store
from crdtshadow_cli.wording import Data, count, key_data

DESCRIPTION = """\
A policy says which strategy decides a conflict, where. Strategies: field_level_merge (the newest write of
each field), last_writer_wins (one writer for all that conflicts), priority_based (by rank),
manual_review (held until somebody decides).
"""

POLICY_FORMAT = """\
a policy is a JSON object; every member may be left out:
  {"strategy": "field_level_merge",
   "overrides": [{"path": "/desired/limits/**", "strategy": "last_writer_wins"},
                 {"path": "/reported/peak", "rule": "max"}],
   "auto_resolve_threshold": 5,
   "ranks": {"*": 10, "gateway*": 20, "app*": 25, "cloud*": 30},
   "priorities": [{"path": "/reported/**", "order": ["gateway*", "cloud*"]}],
   "field_priorities": {"firmware": "high", "/desired/mode": "low"}}
"""

EPILOG = """\
examples:
  crdtshadow policy check policy.json
  crdtshadow policy check policy.json --path /desired/limits/max
  crdtshadow policy set policy.json --store fleet.db
  crdtshadow policy set cloud-wins.json --store fleet.db --thing thermostat
  crdtshadow policy unset --store fleet.db --thing thermostat
  crdtshadow policy show --store fleet.db --thing thermostat
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its own commands."""
    parser = commands.add_parser(
        "policy", help="check, see and choose policies", description=DESCRIPTION, epilog=f"{POLICY_FORMAT}\n{EPILOG}"
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    checking = actions.add_parser("check", help="check a policy file", epilog=POLICY_FORMAT)
    checking.add_argument("file", metavar="FILE", help="JSON; - for standard input")
    checking.add_argument("--path", metavar="PATH", help="also tell what decides this field")
    checking.set_defaults(run=run)

    showing = actions.add_parser("show", help="print a policy in a store")
    _add_place(showing)
    showing.set_defaults(run=_show)

    choosing = actions.add_parser("set", help="choose the policy of a store, or of one shadow", epilog=POLICY_FORMAT)
    choosing.add_argument("file", metavar="FILE", help="JSON; - for standard input")
    _add_place(choosing)
    choosing.set_defaults(run=_set)

    forgetting = actions.add_parser("unset", help="go back to the default policy")
    _add_place(forgetting)
    forgetting.set_defaults(run=_unset)


def _add_place(parser: argparse.ArgumentParser) -> None:
    add_store(parser)
    parser.add_argument("--thing", metavar="NAME", help="of this thing's shadow; else the default of the store")
    parser.add_argument("--shadow", metavar="NAME", help="the shadow's name; the classic shadow has none")


def run(args: argparse.Namespace, out: Output) -> int:
    """Check a policy file."""
    policy = read_policy(args.file)
    path = None if args.path is None else check(args.path)
    data: Data = {"file": args.file, "valid": True, "policy": policy.to_json()}
    out.line(f"{args.file}: a policy; {_say(policy)}")
    if path is not None:
        rule = policy.rule_at(path)
        strategy = policy.strategy_at(path)
        data["decides"] = {"path": path, "strategy": strategy, "rule": rule or None}
        out.line(f"{path}: decided by {f'the rule {rule}, else ' if rule else ''}{strategy}")
    out.result(data)
    return DONE


def _say(policy: Policy) -> str:
    members = policy.to_json()
    sizes = [
        count(len(value), noun)
        for name, noun in (("overrides", "override"), ("priorities", "order"), ("field_priorities", "field priority"))
        if isinstance(value := members.get(name), list | dict) and value
    ]
    threshold = policy.auto_resolve_threshold
    review = [f"from {count(threshold, 'conflict')} on all are held"] if threshold is not None else []
    return ", ".join([policy.strategy, *sizes, *review])


def _show(args: argparse.Namespace, out: Output) -> int:
    """Print the policy of a shadow, or the store's default."""
    with open_store(args) as store:
        key = _place(args)
        found = None if key is None else held(store, key)
        policy = store.default_policy if found is None else found.policy
    own = found is not None and found.record.policy is not None
    out.result({**_names(key), "own": own, "policy": policy.to_json()})
    if not out.json:
        out.document(policy.to_json())
    if found is not None and not own:
        out.note(f"{key} has no policy of its own; this is the default of {args.store}")
    return DONE


def _set(args: argparse.Namespace, out: Output) -> int:
    return _choose(args, read_policy(args.file), out)


def _unset(args: argparse.Namespace, out: Output) -> int:
    return _choose(args, None, out)


def _choose(args: argparse.Namespace, policy: Policy | None, out: Output) -> int:
    """Make *policy* that of a shadow, or the store's default; ``None`` goes back to what was before."""
    from crdtshadow_local import wall_clock_ms

    with open_store(args) as store:
        key = _place(args)
        if key is None:
            store.set_default_policy(policy or Policy(), now=wall_clock_ms)
        else:
            set_policy(store, held(store, key).key, policy, now=wall_clock_ms)
        policy = policy or (Policy() if key is None else store.default_policy)
        waiting = store.stats().conflicts
    out.result({**_names(key), "policy": policy.to_json(), "conflicts_held": waiting})
    whose = f"the default of {args.store}" if key is None else str(key)
    out.line(f"{whose}: {_say(policy)}; {count(waiting, 'conflict')} held for review in {args.store}")
    return DONE


def _place(args: argparse.Namespace) -> ShadowKey | None:
    return None if args.thing is None and args.shadow is None else key_of(args)


def _names(key: ShadowKey | None) -> Data:
    return {} if key is None else key_data(key)
