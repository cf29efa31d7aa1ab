"""A system message: instead of the conversation's own, before it, or after it."""

from __future__ import annotations

from evalmake.gateway.interceptors.base import Body, Interceptor


class System(Interceptor):
    """`replace`, `prepend` or `append`; a plain completion gets the text before its prompt."""

    asks = True

    def __init__(self, text: str, mode: str) -> None:
        self.text = text
        self.mode = mode

    def request(self, body: Body, path: str) -> Body:
        """Put the message where it belongs."""
        messages = body.get("messages")
        if isinstance(messages, list):
            old = [m for m in messages if isinstance(m, dict) and m.get("role") == "system"]
            rest = [m for m in messages if m not in old]
            text = self._joined([str(m.get("content") or "") for m in old])
            body["messages"] = [{"role": "system", "content": text}, *rest]
        elif isinstance(prompt := body.get("prompt"), str):
            body["prompt"] = f"{self.text}\n\n{prompt}"
        return body

    def _joined(self, old: list[str]) -> str:
        if self.mode == "prepend":
            return "\n".join([self.text, *old])
        return "\n".join([*old, self.text]) if self.mode == "append" else self.text
