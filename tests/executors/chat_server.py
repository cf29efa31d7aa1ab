"""The program of a model server that tests run in a container."""

from __future__ import annotations

_SERVER = """\
import json, os, re, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REPLY

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer({"status": "ok"})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        message = {"role": "assistant", "content": reply(body["messages"][-1]["content"])}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        self.answer({"object": "chat.completion", "choices": [choice]})

    def answer(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words):
        pass

server = ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("EVALMAKE_PORT", 0))), Handler)
if "EVALMAKE_PORT" not in os.environ:
    Path("port").write_text(str(server.server_port))
print("serving", flush=True)
server.serve_forever()
"""
ADDS_NUMBERS = """\
def reply(text):
    return str(sum(map(int, re.findall("[0-9]+", text))))
"""


def chat_server(reply: str) -> str:
    """The text of a server; `reply` defines the function that replies to the text of the last message."""
    return _SERVER.replace("REPLY", reply)
