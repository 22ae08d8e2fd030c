"""What a download link and the log of downloads promise."""

from msgspec.structs import replace

from api.openapi.examples import DOWNLOAD, OFFER, PURCHASE
from api.openapi.noun import Noun
from api.openapi.operation import IF_NONE_MATCH, NOT_MODIFIED, UID, Answered, Operation, Parameter

_TAG = "Public download"
_TOKEN = Parameter(
    name="token",
    where="path",
    required=True,
    description="The link's own part of its address.",
    example=PURCHASE["download_url"].rstrip("/").rpartition("/")[2],
)
_ASSET = Parameter(
    name="asset_uid", where="path", required=True, description="The file's uid.", example=OFFER["files"][0]["uid"]
)
_REFUSED = {
    403: "No downloads are left, or nobody asked for it: the request is marked as a prefetch.",
    404: "There is no such link, or no such file in it.",
    410: "The purchase was revoked or has expired.",
    503: "An engine cannot be reached right now.",
}
_HEADERS = ("Cache-Control",)
_ATTACHED = (*_HEADERS, "Content-Disposition", "Accept-Ranges")

MEANINGS = {
    "DownloadOffer": {
        "product": "What was bought; its title as sold, its image as it is now.",
        "seller": "Who sold it.",
        "files": "The files as they were sold, the primary one first.",
        "expires_at": "Until when they can be downloaded; null: without an end.",
        "downloads_remaining": "How many downloads are left, of all files together; null: no limit.",
    },
    "Download": {
        "asset": "The file, with its name as sold.",
        "started_at": "When it was begun, UTC.",
        "ip": "The address it went to; null once its buyer was erased.",
        "user_agent": "What the client said it is; null where it said nothing or its buyer was erased.",
        "bytes_sent": "Bytes sent in all, also those sent again.",
        "completed": "Whether every byte of the file was sent.",
    },
}

PAGE = Operation(
    id="showDownloadPage",
    summary="Public download page",
    tag=_TAG,
    description="A page for the buyer; with `Accept: application/json` the same as data. It never counts.",
    parameters=(_TOKEN,),
    answers={
        200: Answered(
            description="What can be downloaded.",
            schema="DownloadOffer",
            example=OFFER,
            headers=_HEADERS,
            is_page=True,
        )
    },
    pages=_REFUSED,
    is_public=True,
)
FILE = Operation(
    id="downloadFile",
    summary="Download a specific asset file",
    tag=_TAG,
    description="The file itself. A download is one file by one address within 30 minutes: one that broke off is gone"
    " on with, by Range, and does not count again. HEAD does not count.",
    parameters=(
        _TOKEN,
        _ASSET,
        IF_NONE_MATCH,
        Parameter(name="Range", where="header", description="Which bytes of it to send.", example="bytes=0-99"),
        Parameter(
            name="If-Range",
            where="header",
            description="Send the Range only while the file has this entity tag or date; the whole file otherwise.",
        ),
    ),
    answers={
        200: Answered(
            description="The whole file.",
            media_type="*/*",
            headers=(*_ATTACHED, "ETag", "Last-Modified"),
        ),
        206: Answered(
            description="The bytes asked for.",
            media_type="*/*",
            headers=(*_ATTACHED, "ETag", "Last-Modified", "Content-Range"),
        ),
        302: Answered(
            description="Where the file store itself has it, for a few minutes: files of the size that the deployment's"
            " settings say.",
            headers=("Location",),
        ),
        304: NOT_MODIFIED,
    },
    pages={**_REFUSED, 416: "The file ends before this range."},
    is_public=True,
)
ALL = Operation(
    id="downloadAll",
    summary="Download all files as one zip",
    tag=_TAG,
    description="Counts as a download of each of the files, by the same rules.",
    parameters=(_TOKEN,),
    answers={200: Answered(description="The zip.", media_type="application/zip", headers=_ATTACHED)},
    pages=_REFUSED,
    is_public=True,
)
LOGS = replace(
    Noun(
        one="a download",
        many="downloads of a purchase, newest first",
        tag="Digital fulfillment",
        schema="Download",
        example=DOWNLOAD,
        uid=UID,
        within=(replace(UID, example=PURCHASE["uid"]),),
    ).pages(f"/api/v1/digital/purchases/{PURCHASE['uid']}/download-logs/"),
    summary="View download history",
    description="One entry is one counted download; requests that went on with it add to its bytes.",
)
