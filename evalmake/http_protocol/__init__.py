"""HTTP/1.1 over asyncio, as far as the gateway and the mock engine's server share it.

    messages.py           requests, headers, the head of a response
    server_connection.py  reading requests from a client's connection
    serving.py            the event loop, the port file
    gateway_errors.py     how the gateway marks errors of its own

How a response is sent is not shared. The gateway streams replies under back pressure while later requests wait;
the mock server decides a response at once and sends it in one write, after a delay, or never.
"""
