"""Interceptors change requests and replies. `interceptor.py` is the page for whoever writes one."""
