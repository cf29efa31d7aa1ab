"""Secrets in a streamed reply, also where two pieces or two events share one.

Bytes that may begin a secret wait for the next piece. Texts of events that may begin one, token by token, keep their
events back, and if it is one, the stream breaks off: its beginning has not been sent.
"""

from __future__ import annotations

from collections.abc import Iterator

from evalmake.gateway.proxy.request_rewrite import RequestRewrite
from evalmake.gateway.proxy.server_sent_events import Body, ReplyAssembler, objects_in
from evalmake.redaction import holds_secret, is_guessable, length_of_beginning
from evalmake.upstream.connection import UpstreamError

_CONTEXT = 64  # bytes before a guessable secret that tell whether it is one
_SHORTEST_BEGINNING = 3  # characters: a shorter one gives nothing away, and would delay many events


class StreamRedaction:
    """Passes a stream on without secrets, and adds it up to a reply."""

    def __init__(self, rewrite: RequestRewrite) -> None:
        self.redacted = False
        """Whether a secret was removed."""
        self._rewrite = rewrite
        self._assembler = ReplyAssembler()
        self._context = self._beginning = b""
        self._tokens = [secret for secret in rewrite.secrets if not is_guessable(secret)]
        self._texts: dict[tuple[object, ...], str] = {}
        self._held: list[bytes] = []

    def feed(self, piece: bytes) -> bytes:
        """What to send for a piece, perhaps nothing yet; raises UpstreamError where events share a secret."""
        if not self._rewrite.secrets:
            self._assemble(piece)
            return piece
        data = self._redact(self._beginning + piece)
        length = max(length_of_beginning(data, secret) for secret in self._rewrite.secrets)
        data, self._beginning = data[: len(data) - length], data[len(data) - length :]
        return self._hold(data)

    def finish(self) -> bytes:
        """What is left to send at the stream's end."""
        rest, self._beginning = self._redact(self._beginning), b""
        return b"".join([self._hold(rest), *self._held])

    def assembled(self) -> Body:
        """The reply that the whole stream adds up to."""
        return self._assembler.finish()

    def _redact(self, data: bytes) -> bytes:
        """`data` without secrets. No secret begins in what was sent, so that stays as it is."""
        redacted = self._rewrite.redact_bytes(self._context + data)[len(self._context) :]
        self.redacted = self.redacted or redacted != data
        return redacted

    def _hold(self, data: bytes) -> bytes:
        """Keep data back while a text may begin a secret; returns what may be sent."""
        self._context = (self._context + data)[-_CONTEXT:]
        self._held.append(data)
        for event in self._assemble(data):
            for place, text in _texts_in(event) if self._tokens else ():
                self._follow_text(place, text)
        if any(len(text) >= _SHORTEST_BEGINNING for text in self._texts.values()):
            return b""
        data = b"".join(self._held)
        self._held.clear()
        return data

    def _assemble(self, data: bytes) -> list[Body]:
        try:
            return self._assembler.feed(data)
        except ValueError as error:
            raise UpstreamError("too large", str(error), True) from None

    def _follow_text(self, place: tuple[object, ...], text: str) -> None:
        text = self._texts.pop(place, "") + text
        data = text.encode("utf-8", "replace")
        if any(holds_secret(data, secret) for secret in self._tokens):
            raise UpstreamError("secret", "the reply repeats the model's key", True)
        if length := max(length_of_beginning(data, secret) for secret in self._tokens):
            self._texts[place] = data[-length:].decode("utf-8", "replace")


def _texts_in(event: Body) -> Iterator[tuple[tuple[object, ...], str]]:
    """The texts of an event that continue those of earlier ones, each with the place that they share."""
    if isinstance(event.get("delta"), str):  # of the Responses API
        yield ("delta", str(event.get("item_id"))), event["delta"]
    for part in objects_in(event.get("choices")):
        index, delta = str(part.get("index", 0)), part.get("delta")
        fields = delta if isinstance(delta, dict) else part
        for name, value in fields.items():
            if isinstance(value, str) and value:
                yield (index, name), value
        for call in objects_in(fields.get("tool_calls")):
            function = call.get("function")
            if isinstance(function, dict) and isinstance(function.get("arguments"), str):
                yield (index, "arguments", str(call.get("index", 0))), function["arguments"]
