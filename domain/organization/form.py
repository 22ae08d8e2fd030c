"""What may be said of an organization and of its API keys."""

from domain.fields import Choice, ListOf, Text
from domain.form import Form
from domain.organization.organization import SCOPES

NAME = Text(required=True, blank=False, max_length=255, folded=True, description="What tells it apart.", example="Shop")
DEFAULT_SCOPES = ("read",)

CREATE_KEY = Form(
    fields={
        "name": NAME,
        "scopes": ListOf(
            item=Choice(choices={scope: scope.capitalize() for scope in SCOPES}),
            max_items=100,
            unique=True,
            empty=False,
            description="What the key may do.",
            example=["read", "write"],
        ),
    },
    read_only=frozenset({"uid", "prefix", "created", "last_used_at", "key"}),
    defaults={"scopes": DEFAULT_SCOPES},
)
