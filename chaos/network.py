"""Learn through a network that delays, resets and truncates connections, and loses responses."""

from chaos import wire
from chaos.kills import EVERY, same, uninterrupted
from chaos.proxy import Proxy
from chaos.run import Run
from chaos.trial import Checks, ResultRow, Rig, skipped, stopwatch
from newsreel.common.kafka import Connection

CHANCES = {"delay": 0.05, "reset": 0.01, "truncate": 0.01, "lose": 0.01}

ADD_PARTITIONS_TO_TXN, ADD_OFFSETS_TO_TXN, END_TXN, TXN_OFFSET_COMMIT = 24, 25, 26, 28

PRODUCE, INIT_PRODUCER_ID = 0, 22

CERTAIN = {
    INIT_PRODUCER_ID: 1,
    PRODUCE: 2,
    ADD_PARTITIONS_TO_TXN: 1,
    ADD_OFFSETS_TO_TXN: 1,
    TXN_OFFSET_COMMIT: 2,
    END_TXN: 3,
}
"""Number of responses lost for sure by API key: the broker acts and the client does not know."""

MAX_STARTS = 5


def faults(rig: Rig, documents: int) -> list[ResultRow]:
    """Learn through a faulty network, and start the consumer again after it gives up."""
    if rig.broker is None or rig.cluster is not None:
        return skipped("network", "the proxy needs a single broker, whose address it knows")
    random = rig.random("network")
    items = wire.documents(documents, random)
    checks = Checks()
    with stopwatch() as seconds:
        options = ("--checkpoint-every", str(EVERY))
        expected = uninterrupted(rig, f"{rig.name}-network-undisturbed", items, *options)
        with Proxy(rig.broker.bootstrap_servers, CHANCES, CERTAIN, random) as proxy:
            run = Run(rig, f"{rig.name}-network", *options, connection=Connection(proxy.address))
            wire.publish(rig.connection, run.topic, items)
            codes: list[int] = []
            while codes[-1:] != [0] and len(codes) < MAX_STARTS:
                codes.append(run.start().wait(240))
        checks.holds("ends with exit code 0", codes[-1] == 0, f"exit codes {codes}")
        checks.holds("no traceback", set(codes) <= {0, 2}, f"exit codes {codes}")
        same(checks, run.outcome(), expected)
        injected = ", ".join(f"{count} x {fault}" for fault, count in proxy.faults.items())
        found = f"{len(codes)} processes"
        done = f"{documents:,} documents through a proxy: {injected}"
        return [checks.row("network", done, seconds(), found)]
