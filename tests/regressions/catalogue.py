"""The reports, by what went wrong, and those that wait for code that does not exist yet."""

from __future__ import annotations

from typing import Final

_GITHUB: Final = "https://github.com/"

REPORTS: Final = {
    "merge and delta": (
        "basho/riak_dt/pull/78",
        "basho/riak_dt/pull/82",
        "basho/riak_dt/commit/925f28c",
        "akka/akka-core/issues/22648",
        "akka/akka-core/issues/22631",
        "akka/akka-core/issues/22890",
        "y-crdt/y-crdt/issues/268",
        "y-crdt/y-crdt/issues/607",
        "y-crdt/y-crdt/pull/614",
        "y-crdt/y-crdt/pull/628",
        "apache/pekko/blob/main/distributed-data/src/main/scala/org/apache/pekko/cluster/ddata/LWWRegister.scala",
    ),
    "nested maps": ("yjs/yjs/issues/301", "yjs/yjs/issues/306"),
    "false in sync": (
        "automerge/automerge/issues/870",
        "automerge/automerge/issues/579",
        "automerge/automerge/issues/536",
        "loro-dev/loro/issues/1040",
        "loro-dev/loro/issues/490",
        "vlcn-io/cr-sqlite/issues/405",
        "aws-greengrass/aws-greengrass-shadow-manager",
    ),
    "identity": (
        "basho/riak_kv/issues/679",
        "basho/riak_kv/pull/1094",
        "basho/riak_kv/pull/1027",
        "y-crdt/y-crdt/issues/221",
        "y-crdt/y-crdt/issues/361",
    ),
    "clock": (
        "elixir-toniq/hlclock/pull/22",
        "evoluhq/evolu/issues/709",
        "cachapa/crdt/issues/6",
    ),
    "decode": (
        "y-crdt/y-crdt/issues/182",
        "y-crdt/y-crdt/issues/369",
        "y-crdt/y-crdt/issues/415",
        "y-crdt/y-crdt/issues/490",
        "automerge/automerge/commit/6dad2b7df",
        "automerge/automerge/commit/44fa7ac41",
    ),
    "removals": (
        "y-crdt/y-crdt/issues/445",
        "akka/akka-core/issues/27151",
        "akkadotnet/akka.net/issues/5103",
    ),
    "aws": (
        "aws-greengrass/aws-greengrass-shadow-manager/issues/158",
        "aws-greengrass/aws-greengrass-shadow-manager/issues/175",
        "aws-greengrass/aws-greengrass-shadow-manager/issues/98",
        "aws-greengrass/aws-greengrass-shadow-manager/issues/128",
        "aws-greengrass/aws-greengrass-shadow-manager/issues/198",
        "aws-greengrass/aws-greengrass-shadow-manager/issues/126",
        "aws-greengrass/aws-greengrass-shadow-manager/issues/208",
        "aws-greengrass/aws-greengrass-shadow-manager/issues/120",
        "aws/aws-iot-device-sdk-embedded-C/issues/229",
        "aws/aws-iot-device-sdk-python/issues/92",
        "aws/aws-iot-device-sdk-python/issues/94",
    ),
}

LINKS: Final = tuple(_GITHUB + report for reports in REPORTS.values() for report in reports)
