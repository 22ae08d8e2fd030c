"""The projections that every write keeps: the one list of them, for whoever opens the store."""

from projections.asset_files import AssetFilesProjection
from projections.catalogue import CatalogueProjection
from projections.connection import ConnectionsProjection
from projections.images import ImagesProjection
from projections.imports import ImportsProjection
from projections.listing import ListingProjection
from projections.organizations import OrganizationsProjection
from projections.purchase import PurchasesProjection
from projections.rates import ConversionsProjection
from projections.todo import TodoProjection


def inline_projections() -> tuple[
    OrganizationsProjection,
    TodoProjection,
    ImportsProjection,
    ImagesProjection,
    ConnectionsProjection,
    ListingProjection,
    ConversionsProjection,
    AssetFilesProjection,
    PurchasesProjection,
    CatalogueProjection,
]:
    """The catalogue comes last: its counter row is the one that all writers of an organization want."""
    return (
        OrganizationsProjection(),
        TodoProjection(),
        ImportsProjection(),
        ImagesProjection(),
        ConnectionsProjection(),
        ListingProjection(),
        ConversionsProjection(),
        AssetFilesProjection(),
        PurchasesProjection(),
        CatalogueProjection(),
    )
