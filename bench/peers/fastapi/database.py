"""The engine of a process, and a session for each request."""

import os
from collections.abc import AsyncIterator
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from fastapi import Depends
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

_url = urlsplit(os.environ["PEER_DATABASE_URL"])

engine = create_async_engine(
    URL.create(
        "postgresql+asyncpg",
        username=_url.username,
        password=_url.password,
        host=_url.hostname,
        port=_url.port,
        database=_url.path.lstrip("/"),
        query={name: values[0] for name, values in parse_qs(_url.query).items()},
    ),
    pool_size=8,
    max_overflow=0,
    # Every statement is a read of its own: none needs BEGIN and ROLLBACK around it.
    isolation_level="AUTOCOMMIT",
)
sessions = async_sessionmaker(engine, expire_on_commit=False)


async def _session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(_session)]
