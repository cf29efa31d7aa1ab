"""The gateway: a reverse proxy between any harness and one model; `python -m evalmake.gateway`.

It holds the key, the limits, the reply cache and the record of what was sent. So a harness that nobody here
wrote becomes incremental, rate-limited and accountable. Without interceptors, a request passes byte for byte,
and so does its reply.

    proxy/         requests on their way to the model and back: start at proxy/exchange.py
    interceptors/  changes to requests and replies
    reply_cache/   replies on disk, and their keys
    sidecar/       gateways next to a job, and jobs next to a server, on a cluster's nodes
    settings.py    what evalmake writes for the gateway to read
"""
