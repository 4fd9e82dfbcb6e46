"""All boards, in the order of their tabs, and the marks that every one of them shows."""

from dashboards import engine, host, load, order_path, overview, postgres, redis, slo
from dashboards.model import Annotation, Board, Colour

BOARDS: tuple[Board, ...] = tuple(
    module.BOARD for module in (overview, order_path, postgres, engine, redis, load, slo, host)
)
BY_NAME = {board.name: board for board in BOARDS}

ANNOTATIONS = (
    Annotation("silent", f"{overview.ANSWERS} < 1", "{{instance}} does not answer", Colour.BAD),
    Annotation(
        "restarts", "changes(cluster_restarts_total[$__rate_interval]) > 0", "{{instance}} restarted", Colour.WARN
    ),
)
