"""A network that delays, resets and truncates connections, and loses answers."""

from chaos import wire
from chaos.kills import EVERY, same, uninterrupted
from chaos.proxy import Proxy
from chaos.run import Run
from chaos.trial import Checks, Rig, Row, skipped, stopwatch
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
"""Answers that are lost in any case: each step of a transaction happens, and nobody is told."""

LIVES = 5


def faults(rig: Rig, documents: int) -> list[Row]:
    """Learn through a bad network; the consumer is started again where it gives up."""
    if rig.broker is None:
        return skipped("network", "the proxy stands before one broker, whose address it knows")
    random = rig.random("network")
    items = wire.documents(documents, random)
    checks = Checks()
    with stopwatch() as seconds:
        options = ("--checkpoint-every", str(EVERY))
        expected = uninterrupted(rig, f"{rig.name}-network-whole", items, *options)
        with Proxy(rig.broker.bootstrap_servers, CHANCES, CERTAIN, random) as proxy:
            run = Run(rig, f"{rig.name}-network", *options, connection=Connection(proxy.address))
            wire.publish(rig.connection, run.topic, items)
            codes: list[int] = []
            while codes[-1:] != [0] and len(codes) < LIVES:
                codes.append(run.start().wait(240))
        checks.holds("it ends well", codes[-1] == 0, f"exit codes {codes}")
        checks.holds("no traceback", set(codes) <= {0, 2}, f"exit codes {codes}")
        same(checks, run.outcome(), expected)
        happened = ", ".join(f"{count} x {fault}" for fault, count in proxy.faults.items())
        found = f"{len(codes)} lives"
        done = f"{documents:,} documents through a proxy: {happened}"
        return [checks.row("network", done, seconds(), found)]
