"""Discogs' OAuth 1.0a with PLAINTEXT signatures, in its three steps; whoever is sent to consent does."""

from datetime import datetime, timedelta
from urllib.parse import unquote

from sandbox.clock import Clock
from sandbox.discogs_refusals import refused
from sandbox.wire import Reply, Request


class DiscogsOAuth:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.consumer = ("consumer-key", "consumer-secret")
        self._request_tokens: dict[str, dict[str, str]] = {}
        self._access_tokens: dict[str, str] = {}

    def is_signed(self, authorization: str) -> bool:
        """Say whether the header is signed with a token that a seller consented to."""
        said = _oauth_fields(authorization)
        secret = self._access_tokens.get(said.get("oauth_token", ""))
        is_right = secret is not None and said.get("oauth_signature") == f"{self.consumer[1]}&{secret}"
        return is_right and said.get("oauth_consumer_key") == self.consumer[0]

    def answer(self, request: Request) -> Reply:
        if request.path == "/oauth/authorize" and request.method == "GET":
            token = request.parameter("oauth_token") or ""
            found = self._request_tokens.get(token)
            if found is None:
                raise refused(404)
            found["verifier"], found["until"] = "verifier-1", (self._clock.now() + timedelta(minutes=15)).isoformat()
            return Reply(
                302, headers={"Location": f"{found['callback']}?oauth_token={token}&oauth_verifier=verifier-1"}
            )
        said = _oauth_fields(request.headers.get("authorization", ""))
        if said.get("oauth_consumer_key") != self.consumer[0] or said.get("oauth_signature_method") != "PLAINTEXT":
            raise refused(401, "Invalid consumer.", "authorization")
        if request.path == "/oauth/request_token" and request.method == "GET":
            if said.get("oauth_signature") != f"{self.consumer[1]}&":
                raise refused(401, "Invalid signature.", "authorization")
            token = f"request-{len(self._request_tokens) + 1}"
            self._request_tokens[token] = {
                "secret": f"secret-of-{token}",
                "callback": said.get("oauth_callback", "oob"),
            }
            body = f"oauth_token={token}&oauth_token_secret=secret-of-{token}&oauth_callback_confirmed=true"
            return Reply(200, body.encode(), content_type="application/x-www-form-urlencoded")
        if request.path == "/oauth/access_token" and request.method == "POST":
            found = self._request_tokens.pop(said.get("oauth_token", ""), None)
            is_right = found is not None and said.get("oauth_signature") == f"{self.consumer[1]}&{found['secret']}"
            if found is None or not is_right or said.get("oauth_verifier") != found.get("verifier"):
                raise refused(401, "Invalid verifier.", "authorization")
            if self._clock.now() > datetime.fromisoformat(found["until"]):
                raise refused(401, "The verifier has expired.", "authorization")
            token = f"access-{len(self._access_tokens) + 1}"
            self._access_tokens[token] = f"secret-of-{token}"
            body = f"oauth_token={token}&oauth_token_secret=secret-of-{token}"
            return Reply(200, body.encode(), content_type="application/x-www-form-urlencoded")
        raise refused(404)


def _oauth_fields(header: str) -> dict[str, str]:
    """Return the parameters of an Authorization header of OAuth 1.0a."""
    parts = [part.strip().partition("=") for part in header.removeprefix("OAuth ").split(",")]
    return {name: unquote(value.strip('"')) for name, _, value in parts}
