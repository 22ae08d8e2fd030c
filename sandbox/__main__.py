"""`python -m sandbox`, and `deadwax sandbox`: both test servers until Ctrl-C, and how to connect to them."""

import signal
import sys
import threading

from sandbox.clock import Clock
from sandbox.discogs import Discogs
from sandbox.ebay import Ebay
from sandbox.server import Server

PORTS = {"ebay": 8181, "discogs": 8182}


def main() -> None:
    clock = Clock()
    ebay, discogs = Ebay(clock), Discogs(clock)
    # On one machine there is no https.
    ebay.notifications.allows_http = True
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    servers: list[Server] = []
    try:
        for vendor in (ebay, discogs):
            server = Server(vendor, PORTS[vendor.name])
            servers.append(server)
        sys.stdout.write(_welcome(servers[0].url, servers[1].url, ebay, discogs))
        sys.stdout.flush()
        stopping.wait()
    except OSError as error:
        sys.exit(f"deadwax: {error.strerror}: the test servers want the ports {', '.join(map(str, PORTS.values()))}")
    finally:
        for server in servers:
            server.close()


def _welcome(ebay_url: str, discogs_url: str, ebay: Ebay, discogs: Discogs) -> str:
    listing = 'curl -X POST -d \'{"price": "24.99"}\''
    return f"""
  Test servers that behave like the marketplaces, and are none (stop: Ctrl-C)

  eBay     {ebay_url}   client id {ebay.tokens.client_id}, secret {ebay.tokens.client_secret}, \
RuName {ebay.tokens.ru_name}
  Discogs  {discogs_url}   consumer key {discogs.oauth.consumer[0]}, secret {discogs.oauth.consumer[1]}
                                   personal token {discogs.token}, seller {discogs.shop.username}, \
currency {discogs.shop.currency}

  Put a listing up:   {listing} {ebay_url}/_sandbox/listings
                      {listing} {discogs_url}/_sandbox/listings
  Price it there:     curl -X POST -d '{{"listing_id": …, "price": "30.00"}}' {ebay_url}/_sandbox/prices
  Sell it:            curl -X POST -d '{{"listing_id": …}}' {ebay_url}/_sandbox/sales
  Make a fault:       curl -X POST -d '{{"kind": "status", "status": 429, "retry_after": 2}}' \
{ebay_url}/_sandbox/faults
  Where eBay leads back to: curl -X POST -d '{{"callback_url": "http://…"}}' {ebay_url}/_sandbox/application
                      (now {ebay.tokens.callback_url})
  Tell what eBay tells: curl -X POST -d '{{"topic": "MARKETPLACE_ACCOUNT_DELETION"}}' {ebay_url}/_sandbox/notifications
                      (of sales it tells by itself, where it was asked to)
  What there is:      curl {ebay_url}/_sandbox/state
  What was wrong:     curl {ebay_url}/_sandbox/
"""


if __name__ == "__main__":
    main()
