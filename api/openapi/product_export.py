"""What /api/v1/products/export/ promises."""

from api.openapi.operation import Answered, Operation, Parameter
from api.openapi.products import LIST

NDJSON, CSV = "application/x-ndjson", "text/csv"
_OF_PAGES = frozenset({"page", "page_size", "cursor", "If-None-Match"})

EXPORT = Operation(
    id="exportProducts",
    summary="Export products",
    tag="Products",
    description="All products that the list's filters leave, in its order, as one streamed file: NDJSON with each"
    " product as the list shows it, or CSV with a line of its plain fields (lists are joined by commas; a cell that a"
    " spreadsheet would take for a formula begins with an apostrophe). It is read in steps, not as of one moment: what"
    " nobody writes meanwhile is there once, what comes or goes may be there or not, and in the default order nothing"
    " is there twice. An export that fails midway breaks the connection off: one that ends is whole.",
    parameters=(
        *(parameter for parameter in LIST.parameters if parameter.name not in _OF_PAGES),
        Parameter(
            name="format",
            description="Goes before the Accept header, which may name either media type too.",
            schema={"type": "string", "enum": ["ndjson", "csv", ""], "default": "ndjson"},
            example="csv",
        ),
    ),
    answers={200: Answered(description="The file.", media_type=NDJSON, other_media_types=(CSV,))},
)
