"""What is seen while the demo runs."""

from io import StringIO

from rich.console import Console

from demo.screen import Screen

PROGRESS = {
    "documents": 0,
    "prequential": None,
    "documents_per_second": None,
    "lag": None,
    "labels": 0,
    "mistakes": [],
}


def test_the_address_is_told_once_it_answers() -> None:
    """Whoever follows the address must not find nobody there: it comes with the first progress."""
    seen = StringIO()
    with Screen(Console(file=seen), 48, "http://127.0.0.1:1") as screen:
        assert seen.getvalue() == ""
        screen.show(PROGRESS)
        screen.show(PROGRESS)
    address, progress = seen.getvalue().splitlines()
    assert address == "watch it learn at http://127.0.0.1:1 until the demo ends"
    assert progress.startswith("     0 of 48 documents")
