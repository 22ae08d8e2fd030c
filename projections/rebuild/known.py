"""All projections that are made anew from the log, by name."""

from projections.rebuild.audit import AuditTables
from projections.rebuild.catalogue import CatalogueTables
from projections.rebuild.projection import Projection
from projections.rebuild.streams import CONNECTIONS, CONVERSIONS, IMPORTS, ORGANIZATIONS, PURCHASES

CATALOGUE = CatalogueTables()
PROJECTIONS: tuple[Projection, ...] = (
    CATALOGUE,
    PURCHASES,
    CONNECTIONS,
    IMPORTS,
    ORGANIZATIONS,
    CONVERSIONS,
    AuditTables(),
)
NAMES = tuple(projection.name for projection in PROJECTIONS)


def find(name: str) -> Projection:
    return next(projection for projection in PROJECTIONS if projection.name == name)
