import asyncio
import re
from typing import Any

import httpx
import pytest

from commands.settings import Settings
from domain.choices import PRESENCE_STATUSES
from domain.platforms import PLATFORMS
from tests.clients import PRODUCTS, Key, create, create_item, create_presence, make_key, presences_of, serving

pytestmark = pytest.mark.anyio

DOCUMENTED: dict[str, Any] = {
    "platform_uid": "plat_ebay",
    "external_listing_id": "394857201",
    "external_url": "https://ebay.com/itm/394857201",
    "listing_price_usd": "34.99",
    "listing_currency": "USD",
    "status": "active",
    "is_selling_enabled": True,
}
KINDS: dict[str, type | tuple[type, ...]] = {
    "id": int,
    "platform": dict,
    "external_listing_id": str,
    "external_url": str,
    "status": str,
    "listing_price": str,
    "listing_currency": str,
    "listing_price_usd": str,
    "is_selling_enabled": bool,
    "price_last_updated": str,
    "last_checked_at": type(None),
    "created_at": str,
    "updated_at": str,
    "image_url": str,
}
MISSING = (404, b'{"detail":"Not found."}')
ONE = {"Idempotency-Key": "listing 1"}


async def listed(api: httpx.AsyncClient, product: dict[str, Any]) -> list[dict[str, Any]]:
    response = await api.get(presences_of(product))
    assert response.status_code == 200
    found: list[dict[str, Any]] = response.json()
    return found


async def detail(api: httpx.AsyncClient, product: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await api.get(f"{PRODUCTS}{product['uid']}/")).json()
    return found


async def test_every_answer_has_the_whole_presence_and_its_types(api: httpx.AsyncClient) -> None:
    product = await create(api)
    response = await api.post(presences_of(product), json={**DOCUMENTED, "image_url": "https://i.ebayimg.com/1.jpg"})
    assert response.status_code == 201
    made = response.json()
    assert list(made) == list(KINDS)
    for name, kind in KINDS.items():
        assert type(made[name]) is kind, name
    assert made["platform"] == {"uid": "plat_ebay", "name": "eBay", "slug": "ebay"}
    assert {name: made[name] for name in DOCUMENTED.keys() - {"platform_uid"}} == {
        name: DOCUMENTED[name] for name in DOCUMENTED.keys() - {"platform_uid"}
    }
    for name in ("created_at", "updated_at", "price_last_updated"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", made[name])
    path = f"{presences_of(product)}{made['id']}/"
    assert response.headers["location"] == path
    got = await api.get(path)
    assert (got.status_code, got.content) == (200, response.content)
    assert got.headers["etag"] == response.headers["etag"]
    assert await listed(api, product) == [made]
    assert (await detail(api, product))["marketplace_presences"] == [made]
    patched = await api.patch(path, json={})
    assert (patched.status_code, patched.content, patched.headers["etag"]) == (200, got.content, got.headers["etag"])


async def test_only_the_platform_is_required_and_the_rest_has_defaults(api: httpx.AsyncClient) -> None:
    product = await create(api)
    for said in ({}, {"platform_uid": None}, {"platform_uid": ""}, {"platform_uid": 1}):
        response = await api.post(presences_of(product), json=said)
        assert (response.status_code, list(response.json())) == (400, ["platform_uid"]), said
    refused = await api.post(presences_of(product), json={})
    assert refused.json() == {"platform_uid": ["This field is required."]}
    made = await create_presence(api, product)
    expected = {
        "status": "draft",
        "listing_currency": "USD",
        "is_selling_enabled": False,
        "external_listing_id": None,
        "external_url": None,
        "image_url": None,
        "listing_price": None,
        "listing_price_usd": None,
        "price_last_updated": None,
        "last_checked_at": None,
    }
    assert {name: made[name] for name in expected} == expected


async def test_every_platform_can_be_named_and_no_other(api: httpx.AsyncClient) -> None:
    product = await create(api)
    for platform in PLATFORMS:
        made = await create_presence(api, product, platform.uid)
        assert made["platform"] == {"uid": platform.uid, "name": platform.name, "slug": platform.slug}
    response = await api.post(presences_of(product), json={"platform_uid": "plat_amazon"})
    message = "Object with uid=plat_amazon does not exist."
    assert (response.status_code, response.json()) == (400, {"platform_uid": [message]})


async def test_the_list_has_all_states_oldest_first_and_the_product_the_active_ones(api: httpx.AsyncClient) -> None:
    product = await create(api)
    made = [await create_presence(api, product, status=status) for status in reversed(list(PRESENCE_STATUSES))]
    assert [presence["id"] for presence in made] == sorted(presence["id"] for presence in made)
    assert await listed(api, product) == made
    nested = [presence for presence in made if presence["status"] not in {"ended", "removed", "sold"}]
    assert (await detail(api, product))["marketplace_presences"] == nested
    [row] = (await api.get(PRODUCTS)).json()["results"]
    assert row["marketplace_presences"] == nested


async def test_a_product_without_presences_has_an_empty_array(api: httpx.AsyncClient) -> None:
    assert await listed(api, await create(api)) == []


async def test_all_that_is_wrong_is_said_at_once(api: httpx.AsyncClient) -> None:
    wrong = {
        "platform_uid": "ebay",
        "external_listing_id": "x" * 256,
        "external_url": "javascript:alert(1)",
        "image_url": "//cdn",
        "status": "live",
        "listing_price": "0",
        "listing_currency": "usd",
        "listing_price_usd": "1.005",
        "is_selling_enabled": "yes",
    }
    product = await create(api)
    response = await api.post(presences_of(product), json=wrong)
    assert (response.status_code, response.json()) == (
        400,
        {
            "platform_uid": ["Object with uid=ebay does not exist."],
            "external_listing_id": ["Ensure this field has no more than 255 characters."],
            "external_url": ["Enter a valid URL."],
            "image_url": ["Enter a valid URL."],
            "status": ['"live" is not a valid choice.'],
            "listing_price": ["Ensure this value is greater than 0."],
            "listing_currency": ['"usd" is not a valid choice.'],
            "listing_price_usd": ["Ensure that there are no more than 2 decimal places."],
            "is_selling_enabled": ["Must be a valid boolean."],
        },
    )
    assert await listed(api, product) == []


async def test_addresses_are_http_s_alone(api: httpx.AsyncClient) -> None:
    product = await create(api)
    for name in ("external_url", "image_url"):
        for url in ("ftp://ebay.com/1", "ebay.com/1", "http://", "http://a b.com", "data:text/html,x", "JavaScript:x"):
            response = await api.post(presences_of(product), json={"platform_uid": "plat_ebay", name: url})
            assert (response.status_code, response.json()) == (400, {name: ["Enter a valid URL."]}), url
        response = await api.post(presences_of(product), json={"platform_uid": "plat_ebay", name: 5})
        assert response.json() == {name: ["Not a valid string."]}


async def test_one_listing_of_a_platform_is_there_once(api: httpx.AsyncClient) -> None:
    product, other = await create(api), await create(api)
    first = await create_presence(api, product, external_listing_id="1")
    twin = {"platform_uid": "plat_ebay", "external_listing_id": "1"}
    for _ in range(2):
        refused = await api.post(presences_of(product), json=twin)
        assert (refused.status_code, list(refused.json())) == (400, ["non_field_errors"])
        [message] = refused.json()["non_field_errors"]
        assert "unique" in message
    await create_presence(api, product, "plat_discogs", external_listing_id="1")
    await create_presence(api, other, external_listing_id="1")
    second = await create_presence(api, product, external_listing_id="2")
    path = f"{presences_of(product)}{second['id']}/"
    refused = await api.patch(path, json={"external_listing_id": "1"})
    assert (refused.status_code, list(refused.json())) == (400, ["non_field_errors"])
    assert (await api.get(path)).json() == second
    assert (await api.delete(f"{presences_of(product)}{first['id']}/")).status_code == 204
    freed = await api.patch(path, json={"external_listing_id": "1"})
    assert (freed.status_code, freed.json()["external_listing_id"]) == (200, "1")
    await create_presence(api, product, external_listing_id="2")


async def test_presences_without_a_listing_are_no_duplicates(api: httpx.AsyncClient) -> None:
    product = await create(api)
    for listing in (None, None, "", ""):
        await create_presence(api, product, external_listing_id=listing)
    assert len(await listed(api, product)) == 4


async def test_of_parallel_twins_one_gets_the_listing(plain_settings: Settings, key: Key) -> None:
    async with serving(plain_settings, key.text) as one, serving(plain_settings, key.text) as two:
        product = await create(one)
        said = {"platform_uid": "plat_ebay", "external_listing_id": "1"}
        answers = await asyncio.gather(*(c.post(presences_of(product), json=said) for c in (one, two) * 8))
        statuses = [answer.status_code for answer in answers]
        assert sorted(statuses) == [201] + [400] * 15
        assert len(await listed(two, product)) == 1


async def test_in_usd_one_price_is_the_other(api: httpx.AsyncClient) -> None:
    product = await create(api)
    for given in ("listing_price", "listing_price_usd"):
        sent: dict[str, Any] = {given: 34.9}
        made = await create_presence(api, product, **sent)
        assert (made["listing_price"], made["listing_price_usd"], made["listing_currency"]) == ("34.90", "34.90", "USD")
        path = f"{presences_of(product)}{made['id']}/"
        moved = (await api.patch(path, json={given: "30"})).json()
        assert (moved["listing_price"], moved["listing_price_usd"]) == ("30.00", "30.00")
        gone = (await api.patch(path, json={given: None})).json()
        assert (gone["listing_price"], gone["listing_price_usd"]) == (None, None)


async def test_in_another_currency_usd_is_null_until_it_is_given(api: httpx.AsyncClient) -> None:
    product = await create(api)
    made = await create_presence(api, product, listing_price="30", listing_currency="EUR")
    assert (made["listing_price"], made["listing_currency"], made["listing_price_usd"]) == ("30.00", "EUR", None)
    given = await create_presence(api, product, listing_price="30", listing_currency="EUR", listing_price_usd="33")
    assert (given["listing_price"], given["listing_price_usd"]) == ("30.00", "33.00")


async def test_the_price_s_time_moves_with_the_price_alone(api: httpx.AsyncClient) -> None:
    product = await create(api)
    made = await create_presence(api, product, **DOCUMENTED)
    path = f"{presences_of(product)}{made['id']}/"
    renamed = (await api.patch(path, json={"status": "paused", "listing_price": "34.99"})).json()
    assert renamed["price_last_updated"] == made["price_last_updated"]
    assert renamed["updated_at"] > made["updated_at"]
    moved = (await api.patch(path, json={"listing_price": "35"})).json()
    assert moved["price_last_updated"] > made["price_last_updated"]
    assert moved["last_checked_at"] is None


async def test_patch_changes_what_is_given_and_ignores_what_is_read_only(api: httpx.AsyncClient) -> None:
    product = await create(api)
    made = await create_presence(api, product, **DOCUMENTED)
    path = f"{presences_of(product)}{made['id']}/"
    sent = {**made, "status": "ended", "id": 7, "created_at": "never", "platform": {"uid": "plat_etsy"}}
    response = await api.patch(path, json=sent, headers={"Prefer": "handling=strict"})
    assert response.status_code == 200, response.text
    changed = response.json()
    same = made.keys() - {"status", "updated_at"}
    assert {name: changed[name] for name in same} == {name: made[name] for name in same}
    assert changed["status"] == "ended"
    assert changed["updated_at"] > made["updated_at"]
    moved = await api.patch(path, json={"platform_uid": "plat_etsy"})
    assert moved.json()["platform"] == {"uid": "plat_etsy", "name": "Etsy", "slug": "etsy"}
    assert (await api.get(path)).json() == moved.json()


async def test_unknown_fields_are_refused_for_strict_clients_alone(api: httpx.AsyncClient) -> None:
    product = await create(api)
    said = {"platform_uid": "plat_ebay", "colour": "blue"}
    strict = await api.post(presences_of(product), json=said, headers={"Prefer": "handling=strict"})
    assert (strict.status_code, strict.json()) == (400, {"colour": ["Unknown field."]})
    assert (await api.post(presences_of(product), json=said)).status_code == 201


async def test_a_number_that_is_none_is_a_404(api: httpx.AsyncClient) -> None:
    product = await create(api)
    await create_presence(api, product)
    numbers = [
        "0",
        "-1",
        "x",
        "1.0",
        "1e3",
        "٣",
        "01",
        "+1",
        "%00",
        "None",
        " 1",
        "1 ",
        *("9" * n for n in (18, 19, 400)),
    ]
    for number in numbers:
        for method in ("GET", "PATCH", "DELETE"):
            response = await api.request(method, f"{presences_of(product)}{number}/")
            assert (response.status_code, response.content) == MISSING, (method, number)


async def test_a_presence_is_found_under_its_own_product_and_organization_alone(
    api: httpx.AsyncClient, plain_settings: Settings, database_url: str
) -> None:
    product, other = await create(api), await create(api)
    made = await create_presence(api, product)
    stranger = make_key(database_url, "Stranger")
    async with serving(plain_settings, stranger.text) as client:
        foreign = await create(client)
        paths = [
            (api, f"{presences_of(other)}{made['id']}/"),
            (api, f"{presences_of({'uid': 'prod_x'})}{made['id']}/"),
            (client, f"{presences_of(product)}{made['id']}/"),
            (client, f"{presences_of(foreign)}{made['id']}/"),
        ]
        for asking, path in paths:
            for method in ("GET", "PATCH", "DELETE"):
                body = {"status": "nonsense"} if method == "PATCH" else None
                response = await asking.request(method, path, json=body)
                assert (response.status_code, response.content) == MISSING, (method, path)
        for path in (presences_of(product), presences_of({"uid": "prod_" + "0" * 26}), presences_of({"uid": "x"})):
            bodies: tuple[Any, ...] = (None, {}, {"platform_uid": "plat_ebay"}, {"platform_uid": 0}, [])
            for said in bodies:
                response = await client.post(path, json=said)
                assert (response.status_code, response.content) == MISSING, (path, said)
            assert (await client.post(path, content="{")).content == MISSING[1]
            response = await client.get(path)
            assert (response.status_code, response.content) == MISSING, path
    assert await listed(api, product) == [made]


async def test_delete_ends_it_everywhere_at_once(api: httpx.AsyncClient) -> None:
    product = await create(api)
    kept, gone = await create_presence(api, product), await create_presence(api, product, **DOCUMENTED)
    path = f"{presences_of(product)}{gone['id']}/"
    response = await api.delete(path)
    assert (response.status_code, response.content) == (204, b"")
    for method in ("GET", "PATCH", "DELETE"):
        missing = await api.request(method, path, json={"status": 1} if method == "PATCH" else None)
        assert (missing.status_code, missing.content) == MISSING
    assert (await api.patch(path, content="{")).content == MISSING[1]
    assert await listed(api, product) == [kept]
    assert (await detail(api, product))["marketplace_presences"] == [kept]


async def test_its_product_takes_it_along(api: httpx.AsyncClient) -> None:
    product = await create(api)
    made = await create_presence(api, product, **DOCUMENTED)
    assert (await api.delete(f"{PRODUCTS}{product['uid']}/")).status_code == 204
    for path in (presences_of(product), f"{presences_of(product)}{made['id']}/"):
        response = await api.get(path)
        assert (response.status_code, response.content) == MISSING


async def test_tags_move_with_every_write_and_stale_writes_are_refused(api: httpx.AsyncClient) -> None:
    product = await create(api)
    made = await create_presence(api, product)
    path, product_path = f"{presences_of(product)}{made['id']}/", f"{PRODUCTS}{product['uid']}/"
    tags = {where: (await api.get(where)).headers["etag"] for where in (path, presences_of(product), product_path)}
    for where, tag in tags.items():
        same = await api.get(where, headers={"If-None-Match": f"W/{tag}"})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    changed = await api.patch(path, json={"status": "active"}, headers={"If-Match": tags[path]})
    assert changed.status_code == 200
    for where, tag in tags.items():
        assert (await api.get(where, headers={"If-None-Match": tag})).status_code == 200
    assert (await api.get(path)).headers["etag"] == changed.headers["etag"]
    for method, where in (("PATCH", path), ("DELETE", path), ("PATCH", product_path), ("DELETE", product_path)):
        stale = await api.request(method, where, headers={"If-Match": tags[where]})
        assert (stale.status_code, list(stale.json())) == (412, ["detail"]), (method, where)
    assert (await api.delete(path, headers={"If-Match": changed.headers["etag"]})).status_code == 204
    assert (await api.delete(path, headers={"If-Match": "*"})).status_code == 404


async def test_a_repeat_gives_back_the_first_answer(api: httpx.AsyncClient) -> None:
    product = await create(api)
    first = await api.post(presences_of(product), json=DOCUMENTED, headers=ONE)
    assert first.status_code == 201
    await api.patch(first.headers["location"], json={"status": "ended"})
    again = await api.post(presences_of(product).rstrip("/"), json=DOCUMENTED, headers=ONE)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    for name in ("etag", "location"):
        assert again.headers[name] == first.headers[name]
    other = await api.post(presences_of(product), json={**DOCUMENTED, "status": "draft"}, headers=ONE)
    assert (other.status_code, list(other.json())) == (422, ["detail"])
    assert len(await listed(api, product)) == 1


async def test_a_refused_request_binds_nothing(api: httpx.AsyncClient) -> None:
    product = await create(api)
    assert (await api.post(presences_of(product), json={"platform_uid": "x"}, headers=ONE)).status_code == 400
    assert (await api.post(presences_of({"uid": "x"}), json=DOCUMENTED, headers=ONE)).status_code == 404
    assert (await api.post(presences_of(product), json=DOCUMENTED, headers=ONE)).status_code == 201


async def test_parallel_twins_with_one_key_all_get_the_first_answer(plain_settings: Settings, key: Key) -> None:
    async with serving(plain_settings, key.text) as one, serving(plain_settings, key.text) as two:
        product = await create(one)
        twins = [c.post(presences_of(product), json=DOCUMENTED, headers=ONE) for c in (one, two) * 10]
        answers = await asyncio.gather(*twins)
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert len(await listed(two, product)) == 1


async def test_redbubble_is_told_apart(api: httpx.AsyncClient) -> None:
    product = await create(api)
    await create_presence(api, product, "plat_redbubble", external_listing_id="1", status="active")
    url = "https://www.redbubble.com/i/2"
    last = await create_presence(
        api, product, "plat_redbubble", external_listing_id="2", external_url=url, status="ended"
    )
    assert (await detail(api, product))["redbubble_presence"] == {
        "exists": True,
        "external_url": url,
        "external_listing_id": "2",
        "status": "ended",
    }
    await api.delete(f"{presences_of(product)}{last['id']}/")
    assert (await detail(api, product))["redbubble_presence"]["external_listing_id"] == "1"


async def test_active_presences_price_and_list_the_product(api: httpx.AsyncClient) -> None:
    product = await create(api)
    await create(api, title="Other")
    await create_presence(api, product, status="paused", listing_price_usd="5")
    assert (await detail(api, product))["price_computed_usd"] is None
    dear = await create_presence(api, product, status="active", listing_price_usd="30")
    await create_presence(api, product, status="active", listing_price="20", listing_currency="EUR")
    await create_presence(api, product, status="active", listing_price_usd="25")
    assert (await detail(api, product))["price_computed_usd"] == "25.00"
    for ordering, place in (("listed_first", 0), ("unlisted_first", 1), ("price_high_low", 0)):
        results = (await api.get(PRODUCTS, params={"ordering": ordering})).json()["results"]
        assert results[place]["uid"] == product["uid"], ordering
    item = await create_item(api, product, price_total_usd="40")
    assert (await detail(api, product))["price_computed_usd"] == "40.00"
    assert item["status"] == "received"
    assert dear["listing_price_usd"] == "30.00"


async def test_the_first_presence_with_a_picture_pictures_the_product(api: httpx.AsyncClient) -> None:
    product = await create(api)
    await create_presence(api, product)
    first = await create_presence(api, product, image_url="https://i.ebayimg.com/1.jpg")
    await create_presence(api, product, image_url="https://i.ebayimg.com/2.jpg")
    assert (await detail(api, product))["product_image"] == "https://i.ebayimg.com/1.jpg"
    await api.patch(f"{presences_of(product)}{first['id']}/", json={"image_url": None})
    assert (await detail(api, product))["product_image"] == "https://i.ebayimg.com/2.jpg"


async def test_paths_without_their_slash_methods_and_options(api: httpx.AsyncClient) -> None:
    product = await create(api)
    made = await create_presence(api, product)
    for path, allowed in (
        (presences_of(product), "GET, HEAD, OPTIONS, POST"),
        (f"{presences_of(product)}{made['id']}/", "DELETE, GET, HEAD, OPTIONS, PATCH"),
    ):
        assert (await api.get(path.rstrip("/"))).content == (await api.get(path)).content
        head = await api.head(path)
        assert (head.status_code, head.content) == (200, b"")
        for method in ("PUT", "TRACE"):
            refused = await api.request(method, path)
            assert (refused.status_code, refused.headers["allow"]) == (405, allowed)
        options = await api.options(path)
        assert (options.status_code, options.headers["allow"]) == (204, allowed)


async def test_scopes_are_asked_for(api: httpx.AsyncClient, plain_settings: Settings, key: Key) -> None:
    product = await create(api)
    made = await create_presence(api, product)
    path = f"{presences_of(product)}{made['id']}/"
    for scope, refused in (("read", ("POST", "PATCH", "DELETE")), ("write", ("GET",))):
        limited = make_key(plain_settings.database_url, scopes=(scope,), of=key.organization)
        async with serving(plain_settings, limited.text) as client:
            for method in refused:
                response = await client.request(method, presences_of(product) if method == "POST" else path)
                assert response.status_code == 403, (scope, method)
    async with serving(plain_settings) as client:
        assert (await client.get(path)).status_code == 401
