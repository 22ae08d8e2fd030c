"""Who sells in a run: one large organization and many small ones, the same in every run."""

from typing import NamedTuple
from uuid import UUID

from commands.organization import digest
from commands.work import Context
from domain import ids

SMALL = 2_000


class Seller(NamedTuple):
    """`number` 0 is the large one's. `products` is how many it has."""

    number: int
    products: int

    @property
    def name(self) -> str:
        return f"Seller {self.number}"

    @property
    def organization(self) -> UUID:
        return UUID(int=0x018BCFE5_6800_7000_8000 << 48 | self.number + 1)

    @property
    def context(self) -> Context:
        return Context(self.organization, "system", "bench")

    @property
    def key_id(self) -> UUID:
        return UUID(int=0x018BCFE5_6800_7000_9000 << 48 | self.number + 1)

    @property
    def key(self) -> str:
        return f"bench-{ids.uid('', self.key_id)}"

    @property
    def key_digest(self) -> str:
        return digest(self.key).hex()


def sellers(size: int) -> list[Seller]:
    """Return those who share `size` products: one has a half of them, the others, two at least, SMALL each."""
    half = size // 2
    small = min(SMALL, max(1, half // 2))
    return [Seller(0, size - half), *(Seller(number, small) for number in range(1, half // small + 1))]
