"""/api/v1/products/ with FastAPI: parse, ask, answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request
from sqlalchemy import select

from bench.peers.fastapi import catalogue, schemas
from bench.peers.fastapi.database import Session, engine, sessions
from bench.peers.fastapi.models import ApiKey, Product, read_platforms


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with sessions() as session:
        await read_platforms(session)
    yield
    await engine.dispose()


app = FastAPI(lifespan=_lifespan, openapi_url=None)


async def _organization(session: Session, authorization: Annotated[str, Header()] = "") -> int:
    scheme, _, key = authorization.partition(" ")
    digest = sha256(key.encode()).hexdigest()
    held = select(ApiKey.organization_id).where(ApiKey.digest == digest, ApiKey.revoked.is_(None))
    organization = await session.scalar(held) if scheme.lower() == "bearer" else None
    if organization is None:
        raise HTTPException(401, "Invalid token.", {"WWW-Authenticate": "Bearer"})
    return organization


Organization = Annotated[int, Depends(_organization)]


@app.get("/api/v1/products/", response_model=schemas.Page)
async def list_products(
    request: Request,
    session: Session,
    organization: Organization,
    search: str | None = None,
    tags: str | None = None,
    status: str | None = None,
    ordering: str | None = None,
    page: Annotated[int, Query(ge=1)] = 1,
    page_size: Annotated[int, Query(ge=1, le=100)] = 15,
) -> dict[str, object]:
    where = await catalogue.terms(session, organization, search, tags, status)
    count = await catalogue.total(session, where)
    if page > max(1, -(-count // page_size)):
        raise HTTPException(404, "Invalid page.")
    url = request.url
    return {
        "count": count,
        "next": str(url.include_query_params(page=page + 1)) if page * page_size < count else None,
        "previous": str(url.include_query_params(page=page - 1)) if page > 1 else None,
        "results": await catalogue.page(session, where, ordering, page, page_size),
    }


@app.get("/api/v1/products/{uid}/", response_model=schemas.Product)
async def get_product(session: Session, organization: Organization, uid: str) -> Product:
    product = await catalogue.detail(session, organization, uid)
    if product is None:
        raise HTTPException(404, "Not found.")
    return product
