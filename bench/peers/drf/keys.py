"""Who asks: one look-up of the key's digest, its organization with it."""

from hashlib import sha256

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed

from bench.peers.drf.models import ApiKey


class Caller:
    is_authenticated = True

    def __init__(self, organization_id: int) -> None:
        self.organization_id = organization_id


class KeyAuthentication(BaseAuthentication):
    def authenticate(self, request):
        scheme, _, key = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        held = ApiKey.objects.filter(digest=sha256(key.encode()).hexdigest(), revoked=None)
        organization = held.values_list("organization_id", flat=True).first()
        if organization is None:
            raise AuthenticationFailed("Invalid token.")
        return Caller(organization), None

    def authenticate_header(self, request):  # noqa: ARG002 - the framework's name
        return "Bearer"
