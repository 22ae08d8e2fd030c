"""The product object. What a record does not hold itself is computed from the rows that were prefetched with it."""

from django.db.models import Model
from rest_framework import serializers

from bench.peers import rules
from bench.peers.drf.models import Artist, Item, Label, Platform, Presence, Product
from domain.choices import GRADE_TIERS, INVENTORY_STATUSES, PRODUCT_TYPES
from domain.inventory import described

_NO_REDBUBBLE = {"exists": False, "external_url": None, "external_listing_id": None, "status": None}


def _named(named: type[Model]) -> type[serializers.ModelSerializer]:
    class Named(serializers.ModelSerializer):
        class Meta:
            model = named
            fields = ("uid", "name")
            read_only_fields = fields

    return Named


class PlatformSerializer(serializers.ModelSerializer):
    class Meta:
        model = Platform
        exclude = ("id",)


class PlatformReferenceSerializer(serializers.ModelSerializer):
    class Meta:
        model = Platform
        fields = ("uid", "name", "slug")
        read_only_fields = fields


class ItemSerializer(serializers.ModelSerializer):
    title = serializers.SerializerMethodField()
    status_display = serializers.SerializerMethodField()
    condition_item_display = serializers.SerializerMethodField()
    condition_container_display = serializers.SerializerMethodField()
    resolved_sku = serializers.SerializerMethodField()
    resolved_sku_source = serializers.SerializerMethodField()
    grade_tier_code = serializers.SerializerMethodField()
    grade_tier_label = serializers.SerializerMethodField()

    class Meta:
        model = Item
        fields = (
            *("uid", "title", "status", "status_display", "condition_item", "condition_item_display"),
            *("condition_container", "condition_container_display", "condition_comments", "price_total_usd"),
            *("listing_current_price", "price_expected_usd", "resolved_sku", "resolved_sku_source"),
            *("grade_tier_code", "grade_tier_label", "created", "updated"),
        )
        read_only_fields = fields

    def get_title(self, item: Item) -> str:
        return described.title(item, item.product)

    def get_status_display(self, item: Item) -> str:
        return INVENTORY_STATUSES[item.status]

    def get_condition_item_display(self, item: Item) -> str | None:
        return rules.condition_label(item.condition_item)

    def get_condition_container_display(self, item: Item) -> str | None:
        return rules.condition_label(item.condition_container)

    def get_resolved_sku(self, item: Item) -> str | None:
        return described.resolved_sku(item, item.product)[0]

    def get_resolved_sku_source(self, item: Item) -> str | None:
        return described.resolved_sku(item, item.product)[1]

    def get_grade_tier_code(self, item: Item) -> str | None:
        return described.grade_tier(item)

    def get_grade_tier_label(self, item: Item) -> str | None:
        return GRADE_TIERS.get(described.grade_tier(item))


class PresenceSerializer(serializers.ModelSerializer):
    platform = PlatformReferenceSerializer()

    class Meta:
        model = Presence
        fields = (
            *("id", "platform", "external_listing_id", "external_url", "status", "listing_price", "listing_currency"),
            *("listing_price_usd", "is_selling_enabled", "price_last_updated", "last_checked_at", "created_at"),
            *("updated_at", "image_url"),
        )
        read_only_fields = fields


class ProductSerializer(serializers.ModelSerializer):
    type_display = serializers.SerializerMethodField()
    artist = _named(Artist)()
    music_label = _named(Label)()
    resolved_identifier = serializers.SerializerMethodField()
    resolved_identifier_source = serializers.SerializerMethodField()
    product_image = serializers.SerializerMethodField()
    total_inventory_count = serializers.SerializerMethodField()
    listed_inventory_count = serializers.SerializerMethodField()
    available_inventory_count = serializers.SerializerMethodField()
    has_primary_asset = serializers.SerializerMethodField()
    inventory_items = ItemSerializer(source="items", many=True)
    available_platforms = serializers.SerializerMethodField()
    marketplace_presences = serializers.SerializerMethodField()
    redbubble_presence = serializers.SerializerMethodField()
    metadata = serializers.SerializerMethodField()

    class Meta:
        model = Product
        fields = (
            *("uid", "title", "type", "type_display", "artist", "music_label", "catalog_number", "sku", "upc"),
            *("formats", "year", "marketplace_description", "license_type", "license_notes", "tags", "media_type"),
            *("is_mature_content", "default_visibility", "default_shop_product", "background_color"),
            *("enabled_product_types", "collections", "price_computed_usd", "price_override_usd"),
            *("resolved_identifier", "resolved_identifier_source", "product_image", "total_inventory_count"),
            *("listed_inventory_count", "available_inventory_count", "has_primary_asset", "inventory_items"),
            *("available_platforms", "marketplace_presences", "redbubble_presence", "metadata", "created", "updated"),
        )
        read_only_fields = fields

    def get_type_display(self, product: Product) -> str:
        return PRODUCT_TYPES[product.type]

    def get_resolved_identifier_source(self, product: Product) -> str | None:
        return next((name for name in rules.IDENTIFIERS if getattr(product, name)), None)

    def get_resolved_identifier(self, product: Product) -> str | None:
        source = self.get_resolved_identifier_source(product)
        return source and getattr(product, source)

    def get_product_image(self, product: Product) -> str | None:
        return next((presence.image_url for presence in product.presences.all() if presence.image_url), None)

    def get_total_inventory_count(self, product: Product) -> int:
        return len(product.items.all())

    def get_listed_inventory_count(self, product: Product) -> int:
        return sum(item.status == rules.LISTED for item in product.items.all())

    def get_available_inventory_count(self, product: Product) -> int:
        return sum(item.status in rules.AVAILABLE for item in product.items.all())

    def get_has_primary_asset(self, product: Product) -> bool:  # noqa: ARG002 - no peer has digital assets
        return False

    def get_available_platforms(self, product: Product) -> list[dict[str, object]]:
        return _platforms()[product.type == "physical"]

    def get_marketplace_presences(self, product: Product) -> list[dict[str, object]]:
        active = [presence for presence in product.presences.all() if presence.status not in rules.ENDED]
        return PresenceSerializer(active, many=True).data

    def get_redbubble_presence(self, product: Product) -> dict[str, object]:
        for presence in reversed(product.presences.all()):
            if presence.platform.slug == "redbubble":
                return {
                    "exists": True,
                    "external_url": presence.external_url,
                    "external_listing_id": presence.external_listing_id,
                    "status": presence.status,
                }
        return _NO_REDBUBBLE

    def get_metadata(self, product: Product) -> dict[str, str | None] | None:
        if product.external_id is None and product.external_id_title is None:
            return None
        return {"external_id": product.external_id, "external_id_title": product.external_id_title}


_answered: list[list[dict[str, object]]] = []


def _platforms() -> list[list[dict[str, object]]]:
    """Return what products that are not physical and those that are can be listed on, serialised once."""
    if not _answered:
        every = Platform.every()
        digital = [platform for platform in every if platform.supports_digital]
        _answered.extend(PlatformSerializer(chosen, many=True).data for chosen in (digital, every))
    return _answered
