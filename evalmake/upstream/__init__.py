"""HTTP/1.1 over asyncio towards a server: the gateway's side of a model, and the native harness's of its gateway.

server_url.py       a server's address, as people write it
connection_pool.py  its connections, kept for further requests
connection.py       one of them: a request, and its reply or stream
http_proxy.py       the proxies of the environment
unpacking.py        replies that are packed
"""
