"""A system message: in place of the conversation's own, before it, or after it."""

from __future__ import annotations

from evalmake.gateway.interceptors.interceptor import Body, Interceptor


class SystemMessage(Interceptor):
    """`replace`, `prepend` or `append`; a plain completion gets the text before its prompts."""

    rewrites_requests = True

    def __init__(self, text: str, mode: str) -> None:
        self.text = text
        self.mode = mode

    def rewrite_request(self, body: Body, path: str) -> Body:
        """Put the message where the API expects it."""
        messages = body.get("messages")
        if isinstance(messages, list):
            old = [m for m in messages if isinstance(m, dict) and m.get("role") == "system"]
            rest = [m for m in messages if m not in old]
            text = self._combine([_message_text(m.get("content")) for m in old])
            body["messages"] = [{"role": "system", "content": text}, *rest]
        elif path.endswith("/responses"):
            old_text = body.get("instructions")
            body["instructions"] = self._combine([old_text] if isinstance(old_text, str) else [])
        elif path.endswith("/completions") and "prompt" in body:
            body["prompt"] = self._prefix_prompt(body["prompt"])
        return body

    def _prefix_prompt(self, prompt: object) -> object:
        """The text before the prompt, or before each of several; a prompt of token ids stays."""
        if isinstance(prompt, list) and all(isinstance(one, str) for one in prompt):
            return [f"{self.text}\n\n{one}" for one in prompt]
        return f"{self.text}\n\n{prompt}" if isinstance(prompt, str) else prompt

    def _combine(self, old: list[str]) -> str:
        if self.mode == "prepend":
            return "\n".join([self.text, *old])
        return "\n".join([*old, self.text]) if self.mode == "append" else self.text


def _message_text(content: object) -> str:
    """A message's text, or the texts of its parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "\n".join(text for text in parts if isinstance(text, str))
    return content if isinstance(content, str) else ""
