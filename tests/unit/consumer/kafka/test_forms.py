"""Forms of a record: each keeps less than the one before."""

from hypothesis import example, given
from hypothesis import strategies as st

from consumer.kafka.forms import forms
from consumer.kafka.outbox import Outgoing

PARTS = st.one_of(st.none(), st.integers(0, 2000).map(bytes))


@given(key=PARTS, value=PARTS, header=st.integers(0, 2000), spare=st.booleans())
@example(key=b"", value=None, header=0, spare=True)
def test_forms_of_a_dead_letter(
    key: bytes | None, value: bytes | None, header: int, *, spare: bool
) -> None:
    """The first is the record, the last has the reason only; none is larger than needed."""
    about = [("dl_reason", b"why"), ("dl_detail", bytes(500))]
    spare_key = b"place" if spare else None
    record = Outgoing("t", key, value, [("a", bytes(header))], about, spare_key=spare_key)
    found = list(forms(record))
    assert found[0] == record
    assert (found[-1].key or b"") in {b"", spare_key}
    assert not found[-1].value
    assert found[-1].headers == []
    assert dict(found[-1].about)["dl_reason"] == b"why"
    sizes = dict(found[-1].about)
    assert int(sizes.get("dl_value_bytes", b"0")) == len(value or b"")
    # An empty key is a key, which compacted topics take: no form of such a record lacks one.
    assert (b"place" in {form.key for form in found}) == (spare and key != b"")


def test_forms_of_a_record_whose_value_matters() -> None:
    """It has those smaller values that are its own, and always its key."""
    record = Outgoing("t", b"k", b"abc", [], smaller_values=lambda value: [value[:2], value[:1]])
    assert [(form.key, form.value) for form in forms(record)] == [
        (b"k", b"abc"),
        (b"k", b"ab"),
        (b"k", b"a"),
    ]
