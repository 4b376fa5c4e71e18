"""Search: published keys and values by what they hold, among what the reader may see."""

from __future__ import annotations

import sqlalchemy as sa

from qiantang.config.model import CAPABILITY
from qiantang.config.model.answers import SearchHit
from qiantang.kernel import errors, release
from qiantang_server.kernel import access
from qiantang_server.kernel.resources import Resources, store

READ = "config.namespace:read"


class Search:
    """Searches with the permission as part of the query, so that counts never tell of what may not be seen."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def find(
        self, principal: access.Principal, words: str, tenant: str, *, after: str, limit: int
    ) -> release.Page[SearchHit]:
        """Find settings of a tenant whose key or value holds the words; secrets are never found.

        Raises:
            InvalidRequestError: fewer than two characters, or `after` is not what a page gave.
        """
        if after and not after.isdecimal():
            raise errors.InvalidRequestError("`after` is not what an earlier page gave as `next`")
        columns = store.bundles.c
        allowed = sa.and_(
            access.visible(
                principal,
                READ,
                access.Columns(columns.tenant, columns.environment, columns.center, columns.application),
            ),
            columns.tenant == tenant,
            columns.capability == CAPABILITY,
        )
        page = await self._resources.history.search(words, allowed, after=int(after or 0), limit=limit)
        items = [
            SearchHit(bundle=one["bundle"], namespace=one["name"], key=one["path"], value=one["text"])
            for one in page.items
        ]
        return release.Page(items=items, next=page.next)
