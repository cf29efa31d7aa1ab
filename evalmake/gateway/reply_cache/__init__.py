"""The reply cache: model replies on disk, so that an unchanged request is not sent again.

key.py           what a cache key is made of
completeness.py  which replies are whole, and so may be cached
cache.py         the cache of one gateway: reading, writing
read_only.py     caches that are only searched
maintenance.py   summary, export, limit and clearing, between builds
merge.py         adds the caches of a cluster's jobs to one
"""
