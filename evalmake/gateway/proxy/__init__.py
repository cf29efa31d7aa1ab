"""A request's way from the harness to the model and back.

gateway.py             finds the evaluation that a request belongs to
sessions.py            the evaluations that use this gateway, and their tokens
exchange.py            one request from its arrival to its end: start here
upstream_request.py    one request to the model
retry.py               sends it again where that may help
circuit_breaker.py     stops an evaluation that cannot succeed
rate_limits.py         requests a minute, requests at the same time
request_rewrite.py     the request as the model gets it: key, headers, no token
stream_rewrite.py      a streamed reply as the harness gets it
declared_parameters.py what requests carry against their evaluation's declaration
endpoint_probe.py      what an endpoint cannot do
logprob_probe.py       the test of its log-probabilities
text_offsets.py        and of where its tokens stand in a text
usage.py               the record: a row for each request, and the sums
progress_posts.py      the counts, posted to the user's address
harness_connection.py, upstream_connection.py    HTTP/1.1 on both sides
connection_pool.py     the connections to one server: TLS, proxies
server_url.py, http_proxy.py    the server's address, and the proxy before it
reply_fault.py         what is wrong with a reply, also one that says 200
unpacking.py           replies that are packed
"""
