"""How long the records of some partitions wait for those of others."""

from consumer.kafka.waiting import PATIENCE_SECONDS, Missing


def test_records_wait_for_a_while() -> None:
    """After some seconds without a fetch, records wait no longer for a missing partition."""
    missing = Missing([0, 1])
    assert not missing.holds_up(100.0)
    assert missing.wait(100.0)
    assert missing.holds_up(100.0)
    later = 100.0 + PATIENCE_SECONDS
    assert missing.given_up(later) == {0, 1}
    assert not missing.wait(later)
    assert not missing.holds_up(later)


def test_a_fetch_of_others_counts() -> None:
    """While other partitions are fetched, records wait on; what was given up stays so."""
    missing = Missing([0])
    missing.wait(100.0)
    missing.wait_again(101.5)
    assert missing.wait(103.0)
    assert missing.given_up(101.5 + PATIENCE_SECONDS) == {0}
    missing.wait_again(101.5 + PATIENCE_SECONDS)
    assert missing.given_up(101.5 + PATIENCE_SECONDS) == {0}


def test_a_partition_that_was_fetched() -> None:
    """A partition that was fetched and is missing again is waited for as long as at first."""
    missing = Missing([0])
    missing.wait(100.0)
    missing.discard(0)
    assert not missing
    missing.add(0)
    assert missing
    assert missing.wait(200.0)
    assert missing.given_up(201.0) == set()
