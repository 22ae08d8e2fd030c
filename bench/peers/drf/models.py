"""The tables of ../schema.sql."""

from functools import cache

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.search import SearchVectorField
from django.db import models

Text = models.TextField


class Money(models.DecimalField):
    def __init__(self, **options) -> None:
        super().__init__(**{"max_digits": 12, "decimal_places": 2, "null": True, **options})


class Organization(models.Model):
    uid = Text(unique=True)
    name = Text()

    class Meta:
        managed = False
        db_table = "organizations"


class ApiKey(models.Model):
    organization = models.ForeignKey(Organization, models.CASCADE)
    digest = Text(unique=True)
    revoked = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "api_keys"


class Platform(models.Model):
    uid = Text(unique=True)
    name = Text()
    slug = Text()
    display_name = Text()
    platform_type = Text()
    supports_digital = models.BooleanField()
    supports_api_connection = models.BooleanField()
    connection_type = Text(null=True)

    class Meta:
        managed = False
        db_table = "platforms"

    @staticmethod
    @cache
    def every() -> "list[Platform]":
        """Return the reference data, read once a process."""
        return list(Platform.objects.order_by("id"))


class Artist(models.Model):
    organization = models.ForeignKey(Organization, models.CASCADE)
    uid = Text()
    name = Text()

    class Meta:
        managed = False
        db_table = "artists"


class Label(models.Model):
    organization = models.ForeignKey(Organization, models.CASCADE)
    uid = Text()
    name = Text()

    class Meta:
        managed = False
        db_table = "labels"


class Tag(models.Model):
    """A tag that some product of the organization has."""

    organization = models.ForeignKey(Organization, models.CASCADE)
    name = Text()

    class Meta:
        managed = False
        db_table = "tags"


class Product(models.Model):
    organization = models.ForeignKey(Organization, models.CASCADE)
    artist = models.ForeignKey(Artist, models.SET_NULL, null=True)
    music_label = models.ForeignKey(Label, models.SET_NULL, null=True)
    uid = Text(unique=True)
    title = Text(null=True)
    type = Text()
    catalog_number = Text(null=True)
    sku = Text(null=True)
    upc = Text(null=True)
    formats = ArrayField(Text(), null=True)
    year = Text(null=True)
    marketplace_description = Text(null=True)
    license_type = Text(null=True)
    license_notes = Text(null=True)
    tags = ArrayField(Text())
    media_type = Text(null=True)
    is_mature_content = models.BooleanField()
    default_visibility = Text(null=True)
    default_shop_product = models.BooleanField()
    background_color = Text(null=True)
    enabled_product_types = models.JSONField(null=True)
    collections = models.JSONField(null=True)
    price_computed_usd = Money()
    price_override_usd = Money()
    external_id = Text(null=True)
    external_id_title = Text(null=True)
    search = SearchVectorField()
    created = models.DateTimeField()
    updated = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "products"


class Item(models.Model):
    product = models.ForeignKey(Product, models.CASCADE, related_name="items")
    uid = Text(unique=True)
    number = models.IntegerField()
    name = Text(null=True)
    status = Text()
    condition_item = Text(null=True)
    condition_container = Text(null=True)
    condition_comments = Text(null=True)
    price_total_usd = Money()
    listing_current_price = Money()
    price_expected_usd = Money()
    manual_sku = Text(null=True)
    created = models.DateTimeField()
    updated = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "inventory_items"


class Presence(models.Model):
    product = models.ForeignKey(Product, models.CASCADE, related_name="presences")
    platform = models.ForeignKey(Platform, models.PROTECT)
    external_listing_id = Text(null=True)
    external_url = Text(null=True)
    image_url = Text(null=True)
    status = Text()
    listing_price = Money()
    listing_currency = Text()
    listing_price_usd = Money()
    is_selling_enabled = models.BooleanField()
    price_last_updated = models.DateTimeField(null=True)
    last_checked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "presences"
