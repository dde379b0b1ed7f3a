"""A vision-language model behind an OpenAI-compatible server: one question, one answer, or one sentence why not."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mimica.errors import MissingExtra, ServerError
from mimica.generation.settings import PromptSettings

_TEMPERATURE = 0.7
_INSTEAD = "or go on without it with --on-failure template"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model answered: `text`, or where it will not answer its `refusal`."""

    text: str = ""
    refusal: str = ""


class Server:
    """Asks the model of the settings. Nothing is sent before the first question.

    Raises MissingExtra without the client.
    """

    def __init__(self, settings: PromptSettings) -> None:
        try:
            import openai
        except ImportError:
            raise MissingExtra("openai", "generate") from None
        self._library: Any = openai
        self._settings = settings
        # Retries are ours, told what was wrong; the client's own would ask the same again.
        self._client: Any = openai.OpenAI(
            base_url=settings.server, api_key=os.environ.get(settings.key_variable) or "none", timeout=settings.timeout,
            max_retries=0,
        )  # fmt: skip

    def ask(self, messages: Sequence[Mapping[str, Any]], schema: Mapping[str, Any], *, seed: int) -> Answer:
        """One answer, of the form of a JSON schema where the server keeps to it.

        Raises ServerError that says what is wrong with the server and how to mend it.
        """
        form = {"type": "json_schema", "json_schema": {"name": "prompt", "strict": True, "schema": dict(schema)}}
        try:
            came = self._client.chat.completions.create(
                model=self._settings.language_model, messages=list(messages), response_format=form, seed=seed,
                temperature=_TEMPERATURE,
            )  # fmt: skip
        except (self._library.OpenAIError, ValueError) as error:
            raise ServerError(self._sentence(error)) from None
        try:
            choice = came.choices[0]
            refusal = choice.message.refusal or ("its filter" if choice.finish_reason == "content_filter" else "")
            return Answer(text=choice.message.content or "", refusal=refusal)
        except (AttributeError, IndexError, TypeError):
            raise ServerError(f"{self._where} answers, but not as an OpenAI-compatible server does; {_MEND}") from None

    @property
    def _where(self) -> str:
        return f"the server {self._settings.server}"

    def _sentence(self, error: Exception) -> str:
        at, model, key = self._library, self._settings.language_model, self._settings.key_variable
        said = " ".join(str(getattr(error, "message", error)).split())[:200]
        if isinstance(error, at.APITimeoutError):
            return (
                f"{self._where} did not answer within {self._settings.timeout:g} s; give it longer with --timeout, "
                f"{_INSTEAD}"
            )
        if isinstance(error, at.APIConnectionError):
            return f"{self._where} is out of reach; start it or mend --server, {_INSTEAD}"
        if isinstance(error, at.AuthenticationError | at.PermissionDeniedError):
            return f"{self._where} refuses the key; put one that it takes into {key}, {_INSTEAD}"
        if isinstance(error, at.NotFoundError):
            return f"{self._where} has no model '{model}', or does not speak of any; it says: {said}"
        if isinstance(error, at.APIStatusError):
            return f"{self._where} answers with the error {error.status_code}: {said}; mend it there, {_INSTEAD}"
        return f"{self._where} answers, but not as an OpenAI-compatible server does; {_MEND}"


_MEND = "its address often ends in /v1; mend --server"
