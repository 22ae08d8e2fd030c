"""How Discogs says no."""

from sandbox.wire import Refusal, answered

MESSAGES = {
    400: "Invalid request.",
    401: "You must authenticate to access this resource.",
    403: "You don't have permission to access this resource.",
    404: "The request resource was not found.",
    405: "The requested method is not allowed for this resource.",
    422: "Invalid request.",
    429: "You are making requests too quickly.",
    500: "An internal server error occurred.",
}


def refused(status: int, message: str = "", violation: str | None = None) -> Refusal:
    headers = {"WWW-Authenticate": "OAuth"} if status == 401 else {}
    return Refusal(answered({"message": message or MESSAGES[status]}, status, headers), violation)
