"""Why a purchase does not do what is asked of it.

DeadwaxError
├── Revoked         the seller took it back
├── Expired         its time is over
├── UsedUp          it was downloaded as often as was sold
├── BuyerGone       its buyer was erased: there is nobody to write to
├── TooManyMails    the buyer was written to often enough for now
└── Superseded      another worker has settled this mail
"""

from domain.errors import DeadwaxError


class Revoked(DeadwaxError):
    """This purchase was revoked."""


class Expired(DeadwaxError):
    """This purchase has expired."""


class UsedUp(DeadwaxError):
    """This purchase has no downloads left."""


class BuyerGone(DeadwaxError):
    """The buyer of this purchase was erased."""


class TooManyMails(DeadwaxError):
    """This purchase was mailed too often within an hour."""

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.seconds = seconds


class Superseded(DeadwaxError):
    """This mail is settled already, or is not to be sent any more."""
