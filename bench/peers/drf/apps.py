from django.apps import AppConfig


class Catalogue(AppConfig):
    name = "bench.peers.drf"
    label = "catalogue"
    default_auto_field = "django.db.models.BigAutoField"
