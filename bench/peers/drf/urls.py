from django.urls import include, path
from rest_framework.routers import SimpleRouter

from bench.peers.drf.views import ProductViewSet

router = SimpleRouter()
router.register("products", ProductViewSet, basename="product")
urlpatterns = [path("api/v1/", include(router.urls))]
