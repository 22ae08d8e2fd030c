"""The operations that every kind of object has, declared once."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from api.openapi.operation import (
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    NOT_MODIFIED,
    PAGE,
    PAGE_SIZE,
    PREFER,
    Answered,
    Body,
    Operation,
    Parameter,
)

BASE_URL = "https://deadwax.example"


class Noun(Struct, frozen=True, kw_only=True):
    """A kind of object: `one` ("a product") and `many` of it, the component that describes it, an example of it.

    `within` are the parameters of the path of its list, `uid` the one that its own path has besides.
    """

    one: str
    many: str
    tag: str
    schema: str
    example: Any
    uid: Parameter
    within: Sequence[Parameter] = ()

    def pages(self, path: str, *filters: Parameter, description: str = "") -> Operation:
        links = {"next": f"{BASE_URL}{path}?page=2", "previous": None}
        found = Answered(
            description=f"A page of {self.many}.",
            schema=f"{self.schema}Page",
            example={"count": 31, **links, "results": [self.example]},
            headers=("ETag",),
        )
        return Operation(
            id=f"list{self.schema}s",
            summary=f"List {self.many}",
            tag=self.tag,
            description=description,
            parameters=(*self.within, *filters, PAGE, PAGE_SIZE, IF_NONE_MATCH),
            answers={200: found, 304: NOT_MODIFIED},
            problems=(404,),
        )

    def array(self, *, description: str = "", problems: Sequence[int] = ()) -> Operation:
        """Declare a list that has no pages."""
        found = Answered(
            description=f"All {self.many}.", schema=f"{self.schema}List", example=[self.example], headers=("ETag",)
        )
        return Operation(
            id=f"list{self.schema}s",
            summary=f"List {self.many}",
            tag=self.tag,
            description=description,
            parameters=(*self.within, IF_NONE_MATCH),
            answers={200: found, 304: NOT_MODIFIED},
            problems=problems,
        )

    def create(
        self,
        body: Any,
        made: Any = None,
        *,
        description: str = "",
        problems: Sequence[int] = (),
        leads_to: Sequence[str] = (),
    ) -> Operation:
        """Declare the POST whose body is the component `…Create`; `body` is an example of it, `made` what comes of it
        where that is not the noun's own example. `leads_to` are operations whose path begins as this object's does."""
        path = {parameter.name: f"$request.path.{parameter.name}" for parameter in self.within}
        path[self.uid.name] = f"$response.body#/{self.uid.name}"
        answer = Answered(
            description="What was created.",
            schema=self.schema,
            example=made or self.example,
            headers=("ETag", "Location", "Idempotent-Replayed"),
            links=dict.fromkeys((*(f"{verb}{self.schema}" for verb in ("get", "revise", "delete")), *leads_to), path),
        )
        return Operation(
            id=f"create{self.schema}",
            summary=f"Create {self.one}",
            tag=self.tag,
            description=description,
            parameters=(*self.within, IDEMPOTENCY_KEY, PREFER),
            body=Body(schema=f"{self.schema}Create", example=body),
            answers={201: answer},
            problems=(409, 422, *problems),
        )

    def get(self, *parameters: Parameter, description: str = "") -> Operation:
        found = Answered(description="As it is now.", schema=self.schema, example=self.example, headers=("ETag",))
        return Operation(
            id=f"get{self.schema}",
            summary=f"Get {self.one}",
            tag=self.tag,
            description=description,
            parameters=(*self.within, self.uid, *parameters, IF_NONE_MATCH),
            answers={200: found, 304: NOT_MODIFIED},
            problems=(404,),
        )

    def revise(self, body: Any, revised: Any, *, description: str = "") -> Operation:
        """Declare the PATCH whose body is the component `…Revise`; `revised` is the example after `body`."""
        changed = Answered(description="As it is now.", schema=self.schema, example=revised, headers=("ETag",))
        return Operation(
            id=f"revise{self.schema}",
            summary=f"Change {self.one}",
            tag=self.tag,
            description=description or "Send the fields to change. What is read-only may be sent back and is ignored.",
            parameters=(*self.within, self.uid, IF_MATCH, PREFER),
            body=Body(schema=f"{self.schema}Revise", example=body, required=False),
            answers={200: changed},
            problems=(404, 412),
        )

    def delete(self, *, description: str = "") -> Operation:
        return Operation(
            id=f"delete{self.schema}",
            summary=f"Delete {self.one}",
            tag=self.tag,
            description=description,
            parameters=(*self.within, self.uid, IF_MATCH),
            answers={204: Answered(description="It is gone.")},
            problems=(404, 412),
        )
