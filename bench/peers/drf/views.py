"""/api/v1/products/: the list with its filters and orders, and one product."""

from functools import reduce
from operator import or_

from django.contrib.postgres.search import SearchQuery
from django.db.models import Count, F, Prefetch, Q, QuerySet
from django.db.models.expressions import OrderBy
from django.db.models.functions import Coalesce, Lower
from rest_framework.pagination import PageNumberPagination
from rest_framework.viewsets import ReadOnlyModelViewSet

from bench.peers.drf.models import Item, Presence, Product, Tag
from bench.peers.drf.serializers import ProductSerializer

_PRICE, _TITLE = Coalesce("price_override_usd", "price_computed_usd"), Lower("title")
_ORDERS = {
    "title": _TITLE.asc(nulls_last=True),
    "-title": _TITLE.desc(nulls_last=True),
    "created": F("created").asc(),
    "-created": F("created").desc(),
    "updated": F("updated").asc(),
    "-updated": F("updated").desc(),
    "price_high_low": _PRICE.desc(nulls_last=True),
    "price_low_high": _PRICE.asc(nulls_last=True),
}
_BY_INVENTORY = {"most_inventory": F("item_count").desc(), "least_inventory": F("item_count").asc()}
_DEFAULT_ORDER = "-created"


class Pages(PageNumberPagination):
    page_size = 15
    page_size_query_param = "page_size"
    max_page_size = 100


class KeysByInventory:
    """The products' keys for a paginator, in the order of their items' number: the items are joined to the keys alone,
    and for the page, not for the count."""

    ordered = True

    def __init__(self, products: QuerySet[Product], order: OrderBy) -> None:
        self._products = products
        self._order = order

    def count(self) -> int:
        return self._products.count()

    def __getitem__(self, part: slice) -> list[int]:
        counted = self._products.values("pk").annotate(item_count=Count("items__product_id"))
        return list(counted.order_by(self._order, "pk").values_list("pk", flat=True)[part])


class ProductViewSet(ReadOnlyModelViewSet):
    serializer_class = ProductSerializer
    pagination_class = Pages
    lookup_field = "uid"

    def get_queryset(self) -> QuerySet[Product]:
        return (
            Product.objects.filter(organization_id=self.request.user.organization_id)
            .defer("search")
            .select_related("artist", "music_label")
            .prefetch_related(
                Prefetch("items", Item.objects.order_by("id")),
                Prefetch("presences", Presence.objects.select_related("platform").order_by("id")),
            )
        )

    def filter_queryset(self, queryset: QuerySet[Product]) -> QuerySet[Product]:
        if self.action != "list":
            return queryset
        asked = self.request.query_params
        if words := asked.get("search", "").lower().split():
            text = " & ".join(f"{word}:*" for word in words)
            queryset = queryset.filter(search=SearchQuery(text, config="simple", search_type="raw"))
        if tags := _listed(asked.get("tags")):
            queryset = queryset.filter(tags__overlap=self._known_tags(tags))
        if statuses := _listed(asked.get("status")):
            queryset = queryset.filter(pk__in=Item.objects.filter(status__in=statuses).values("product_id"))
        ordering = asked.get("ordering")
        if ordering not in _ORDERS and ordering not in _BY_INVENTORY:
            ordering = _DEFAULT_ORDER
        return queryset if ordering in _BY_INVENTORY else queryset.order_by(_ORDERS[ordering], "id")

    def paginate_queryset(self, queryset: QuerySet[Product]) -> list[Product]:
        ordering = self.request.query_params.get("ordering")
        if ordering not in _BY_INVENTORY:
            return super().paginate_queryset(queryset)
        keys = super().paginate_queryset(KeysByInventory(queryset.prefetch_related(None), _BY_INVENTORY[ordering]))
        products = self.get_queryset().in_bulk(keys)
        return [products[key] for key in keys]

    def _known_tags(self, parts: list[str]) -> list[str]:
        """Return the organization's tags that hold one of the parts: few, and their products are in an index."""
        known = Tag.objects.filter(organization_id=self.request.user.organization_id)
        return list(
            known.filter(reduce(or_, (Q(name__icontains=part) for part in parts))).values_list("name", flat=True)
        )


def _listed(given: str | None) -> list[str]:
    return [part for part in (given or "").split(",") if part]
