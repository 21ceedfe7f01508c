"""Write the boards as Grafana reads them."""

import json
from pathlib import Path

from boards import learning, operations, stream
from boards.panels import Json

FOLDER = Path(__file__).parents[1] / "dashboards"


def build() -> dict[Path, Json]:
    """Build each board, by the file that it is written to."""
    boards = {"learning": learning, "operations": operations, "stream": stream}
    return {FOLDER / f"{name}.json": module.build() for name, module in boards.items()}


def render(board: Json) -> str:
    """Return a board as it is committed."""
    return json.dumps(board, indent=2) + "\n"


if __name__ == "__main__":
    for file, board in build().items():
        file.write_text(render(board))
