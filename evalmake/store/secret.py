"""A secret of each store, by which digests of short texts are salted: nobody guesses the texts by the digests."""

from __future__ import annotations

import os

from evalmake.store.store import Store

_KEY = "secret/evidence"


def read_secret(store: Store) -> bytes:
    """Return the secret of a store, made when it is first wanted; where nobody may write, another one each time."""
    found = (store.walk(_KEY) or {}).get("key")
    if found is not None:
        return bytes.fromhex(found)
    made = os.urandom(32)
    if store.database.is_writable:
        with store.database.transaction():
            store.put_walk(_KEY, {"key": made.hex()})
    return made
