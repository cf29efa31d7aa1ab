"""The gateway: a reverse proxy between any harness and one model; `python -m evalmake.gateway`.

It holds the key, the limits, the reply cache and the evidence, so that harnesses which nobody
here wrote become incremental, rate-limited and accountable. A request without interceptors passes
byte for byte, and so does its reply.

    gateway.py       which request is whose                beside.py     a command and its own gateways
    server.py        HTTP/1.1 towards the harness          settings.py   what evalmake tells it
    exchange.py      one request from its arrival to its end             (start here)
    interceptors/    what is changed in requests and replies
    responses.py     the reply cache                    upstream.py   connections to the model
    limits.py        rate and concurrency                  retrying.py   what is tried again
    asking.py        a request's way to the model          forwarding.py a request as the model gets it
    probing.py       what an endpoint cannot do            echo.py       the test of log-probabilities
    sessions.py      one evaluation: its token, counts     accounting.py what was used, row by row
    seeds.py         caches that are only read             progress.py   how far it is, told by POST
    keeping.py       the cache between runs: told of, exported, brought down to its limit
"""
