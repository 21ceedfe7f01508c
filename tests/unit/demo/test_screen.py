"""The output of the running demo."""

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


def test_address_comes_with_the_first_progress() -> None:
    """The page's address is printed only when the consumer answers, and only once."""
    output = StringIO()
    with Screen(Console(file=output), 48, "http://127.0.0.1:1") as screen:
        assert output.getvalue() == ""
        screen.show(PROGRESS)
        screen.show(PROGRESS)
    address, progress = output.getvalue().splitlines()
    assert address == "watch the model learn at http://127.0.0.1:1 until the demo ends"
    assert progress.startswith("     0 of 48 documents")
