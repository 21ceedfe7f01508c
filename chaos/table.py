"""Format results as a table."""

from collections.abc import Sequence

from rich.table import Table

from chaos.trial import ResultRow

VERDICTS = {True: "[green]pass[/]", False: "[bold red]FAIL[/]", None: "[yellow]skipped[/]"}


def table(rows: Sequence[ResultRow]) -> Table:
    """Return a table of rows."""
    formatted = Table(
        "trial", "what was done", "what was checked", "found", "seconds", "", show_lines=True
    )
    for row in rows:
        formatted.add_row(
            row.trial,
            row.done,
            row.checked,
            row.found,
            f"{row.seconds:.0f}",
            VERDICTS[row.passed],
        )
    return formatted
