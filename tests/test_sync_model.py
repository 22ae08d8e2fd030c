"""Whatever happens to a shop on two marketplaces, and whatever fails meanwhile: in the end all is as it should be.

More examples than the gate has time for: DEADWAX_SYNC_EXAMPLES.
"""

import os
from decimal import Decimal
from uuid import UUID

from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from commands.settings import Settings
from domain.presence.presence import OVER
from tests.syncing import DISCOGS, EBAY, PER_EURO, Record, Syncing, syncing

EXAMPLES = int(os.environ.get("DEADWAX_SYNC_EXAMPLES", "20"))
STEPS = 15
HOUR = 3600.0
PLATFORMS = st.sampled_from([EBAY, DISCOGS])
PRICES = st.sampled_from(["8.00", "12.00", "25.00", "60.00"])
RECORDS = 3
ONE = st.integers(0, RECORDS - 1)
FAULTS = st.sampled_from(
    [
        ("status", {"status": 503}),
        ("status", {"status": 500, "times": 7}),
        ("status", {"status": 429, "retry_after": 120}),
        ("status", {"status": 429}),
        ("html", {"times": 2}),
        ("lost", {}),
        ("lost", {"method": "POST"}),
        ("lost", {"method": "POST", "times": 3}),
    ]
)


class Shop(RuleBasedStateMachine):
    """What there should be: `prices` by presence, `orders` that count by record, markups by platform."""

    start: Syncing

    @initialize()
    def open(self) -> None:
        self.start.end_faults()
        self.start.clock.move(HOUR)
        self.shop = self.start.another()
        for platform in (EBAY, DISCOGS):
            self.shop.connect(platform, push_prices=True, auto_delist=True, interval_minutes=30)
        self.records = [self._record(number) for number in range(RECORDS)]
        self.markup = {EBAY: 0, DISCOGS: 0}
        self.overrides: dict[UUID, Decimal | None] = {}
        self.prices = {
            id: self.shop.price_there(platform, record.listings[platform])
            for record in self.records
            for platform, id in record.presences.items()
        }
        self.orders: dict[UUID, list[tuple[str, str]]] = {record.product: [] for record in self.records}
        self.ended_there: set[UUID] = set()

    def _record(self, number: int) -> Record:
        return self.shop.record(f"LP-{self.shop.context.organization}-{number}")

    @rule(record=ONE, platform=PLATFORMS)
    def somebody_buys(self, record: int, platform: str) -> None:
        found = self.records[record]
        order = self.shop.sell(platform, found.listings[platform])
        if order is not None:
            self.orders[found.product].append((platform, order))

    @rule(record=ONE)
    def a_buyer_takes_it_back(self, record: int) -> None:
        found = self.records[record]
        orders = [order for platform, order in self.orders[found.product] if platform == DISCOGS]
        if orders:
            self.shop.discogs.shop.settle({"order_id": orders[-1], "status": "Cancelled (Per Buyer's Request)"})
            value = f"{DISCOGS}:{orders[-1]}:{found.listings[DISCOGS]}"
            query = "SELECT FROM claim WHERE organization = %s AND kind = 'sale' AND value = %s"
            if not self.shop.rows(query, self.shop.context.organization, value):
                # Nobody here had heard of it.
                self.orders[found.product].remove((DISCOGS, orders[-1]))
                self.ended_there.add(found.presences[DISCOGS])

    @rule(record=ONE, platform=PLATFORMS, price=PRICES)
    def the_price_is_set_there(self, record: int, platform: str, price: str) -> None:
        found = self.records[record]
        if self.shop.is_for_sale(platform, found.listings[platform]):
            self.shop.reprice_there(platform, found.listings[platform], price)
            if self._wanted(found.presences[platform]) is None:
                self.prices[found.presences[platform]] = Decimal(price)

    @rule(record=ONE, platform=PLATFORMS, price=PRICES)
    def the_price_is_set_here(self, record: int, platform: str, price: str) -> None:
        presence = self.records[record].presences[platform]
        if self.shop.seen(presence).listing_price != Decimal(price):
            self.shop.reprice(presence, price)
            self.prices[presence] = Decimal(price)

    @rule(record=ONE, price=st.one_of(st.none(), PRICES))
    def the_product_has_another_price(self, record: int, price: str | None) -> None:
        found = self.records[record]
        value = None if price is None else Decimal(price)
        if self.overrides.get(found.product) == value:
            return
        told = [p for p, id in found.presences.items() if self._wanted(id) == "rule"] if price is None else []
        self.shop.override(found.product, price)
        self.overrides[found.product] = value
        for platform in told:
            # Nothing is to be told any more: what is there stays.
            self.prices[found.presences[platform]] = self.shop.price_there(platform, found.listings[platform])
        if value is not None:
            for platform in (EBAY, DISCOGS):
                self._rule_priced(found, platform)

    @rule(platform=PLATFORMS, percent=st.sampled_from([0, 10, 50]))
    def the_rule_changes(self, platform: str, percent: int) -> None:
        if percent != self.markup[platform]:
            self.shop.revise_connection(platform, markup_percent=percent)
            self.markup[platform] = percent
            for record in self.records:
                if self.overrides.get(record.product) is not None:
                    self._rule_priced(record, platform)

    @rule(record=ONE, platform=PLATFORMS)
    def the_seller_ends_it_there(self, record: int, platform: str) -> None:
        found = self.records[record]
        if self.shop.is_for_sale(platform, found.listings[platform]):
            self.shop.end_there(platform, found.listings[platform])
            self.ended_there.add(found.presences[platform])

    @rule(platform=PLATFORMS, fault=FAULTS)
    def something_fails(self, platform: str, fault: tuple[str, dict[str, object]]) -> None:
        self.shop.fault(platform, fault[0], **fault[1])

    @rule(seconds=st.sampled_from([1.0, 30.0, 600.0, 2400.0]))
    def time_goes_by(self, seconds: float) -> None:
        self.shop.run(seconds)

    def _wanted(self, presence: UUID) -> str | None:
        [[basis]] = self.shop.rows("SELECT push_basis FROM listing WHERE presence = %s", presence)
        return None if basis is None else str(basis)

    def _rule_priced(self, record: Record, platform: str) -> None:
        override = self.overrides[record.product]
        assert override is not None
        in_usd = override * (100 + self.markup[platform]) / 100
        price = in_usd if platform == EBAY else (in_usd / PER_EURO["USD"]).quantize(Decimal("0.01"))
        if self.shop.seen(record.presences[platform]).status not in OVER:
            self.prices[record.presences[platform]] = price

    def teardown(self) -> None:
        if not hasattr(self, "shop"):
            return
        self.shop.end_faults()
        self.shop.run(3 * HOUR)
        assert self.shop.owed() == []
        assert self.start.violations == {}
        for record in self.records:
            self._is_settled(record)

    def _is_settled(self, record: Record) -> None:
        sales, shop = len(self.orders[record.product]), self.shop
        topics = [topic for id in record.presences.values() for topic in shop.topics(id)]
        assert topics.count("presence.sold.v1") == min(1, sales)
        assert topics.count("presence.sale-conflicted.v1") == max(0, sales - 1)
        assert shop.status_of(record.item) == ("sold" if sales else "listed")
        for platform, presence in record.presences.items():
            listing, here = record.listings[platform], shop.seen(presence)
            assert shop.topics(presence).count("presence.delisted.v1") <= int(sales > 0)
            assert shop.is_for_sale(platform, listing) == (here.status == "active")
            if sales or presence in self.ended_there:
                assert here.status in {"sold", "ended", "paused"}
            else:
                assert here.status == "active"
                assert (shop.price_there(platform, listing), here.listing_price) == (self.prices[presence],) * 2


def test_once_the_faults_end_all_is_as_it_should_be(settings: Settings) -> None:
    with syncing(settings) as shop:
        machine = type("Shop", (Shop,), {"start": shop})
        run_state_machine_as_test(
            machine,
            settings=hypothesis_settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize=EXAMPLES <= 20,
                phases=[Phase.generate] if EXAMPLES <= 20 else [*Phase],
                database=None,
                print_blob=False,
                suppress_health_check=[*HealthCheck],
            ),
        )
