"""A vision-language model behind an OpenAI-compatible endpoint (the paper's Gemini rows).

One request of the chat completions API, by a plain HTTP client. It sends to the host that the user named and to no
other (no redirect is followed), what is written here and nothing more: clients of one vendor add that vendor's
organisation and project from the environment, whatever host is asked.
"""

from __future__ import annotations

import base64
import io
import os
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import httpx2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from narrascore.errors import ModelUnavailableError
from narrascore.perception.anchor_settings import ApiSettings

KEY_VARIABLE = "NARRASCORE_API_KEY"
"""The key's environment variable. It is no vendor's own: that vendor's key must not go to whatever host is set."""

MAX_SIDE_PIXELS = 512
JPEG_QUALITY = 85
CONNECT_SECONDS = 10.0
RETRIED_STATUS = {429, 500, 502, 503, 504}
RETRY_SECONDS = (1.0, 4.0)  # waited before the second and the third try, unless the endpoint says how long
MAX_WAIT_SECONDS = 30.0
QUOTED_CHARACTERS = 200  # of an endpoint's own words about an error
SECRET_CHARACTERS = 8  # a shorter key is a word for an endpoint that asks for none


class ApiAnswerer:
    """Sends keyframes and an instruction to an endpoint and gives back what it says.

    Args:
        settings: address, model, patience.
        notify: told how many keyframes leave the machine and for where, before the first request about them.

    Raises:
        ModelUnavailableError: if there is no key in the environment.
    """

    def __init__(self, settings: ApiSettings, notify: Callable[[str], None]) -> None:
        key = os.environ.get(KEY_VARIABLE, "").strip()
        if not key or not key.isascii() or not key.isprintable():
            raise ModelUnavailableError(
                f"no key for {settings.host}: set the environment variable {KEY_VARIABLE} to it (to any word, for an "
                "endpoint that asks for none)"
            )
        self.settings = settings
        self._notify = notify
        self._key = key
        self._announced: list[str] = []

    def answer(
        self, pictures: Sequence[tuple[float, NDArray[np.uint8]]], instruction: str, *, max_new_tokens: int = 256
    ) -> str:
        """The model's words, as they came.

        Args:
            pictures: (film time in seconds, `[h, w, 3]` uint8 RGB); sent as JPEG of at most 512 pixels a side.
            instruction: what is asked, before the pictures.
            max_new_tokens: of the answer; what the settings leave for thinking comes on top.

        Raises:
            ModelUnavailableError: if the endpoint cannot be reached, refuses, is too slow, or says nothing.
        """
        urls = [data_url(picture) for _, picture in pictures]
        content: list[dict[str, object]] = [{"type": "text", "text": instruction}]
        for (seconds, _), url in zip(pictures, urls, strict=True):
            content.append({"type": "text", "text": f"Time {seconds:.1f}s:"})
            content.append({"type": "image_url", "image_url": {"url": url}})
        body: dict[str, object] = {
            "model": self.settings.model,
            "messages": [{"role": "user", "content": content}],
            # Newer models refuse the older `max_tokens`; endpoints that know only that one ignore this.
            "max_completion_tokens": max_new_tokens + self.settings.thinking_tokens,
        }
        if self.settings.temperature is not None:
            body["temperature"] = self.settings.temperature
        if urls != self._announced:
            self._notify(departure_notice(len(urls), self.settings))
            self._announced = urls
        return self._words_of(self._post(body))

    def describe(self) -> dict[str, object]:
        """For the manifest: all but the key."""
        return {"model": self.settings.model, "endpoint": self.settings.base_url}

    def _post(self, body: dict[str, object]) -> httpx2.Response:
        settings = self.settings
        address = f"{settings.base_url.rstrip('/')}/chat/completions"
        headers = {"Authorization": f"Bearer {self._key}"}
        try:
            timeout = httpx2.Timeout(settings.timeout_seconds, connect=min(CONNECT_SECONDS, settings.timeout_seconds))
            with httpx2.Client(timeout=timeout, headers=headers) as client:
                response = client.post(address, json=body)
                for wait_seconds in RETRY_SECONDS:
                    if response.status_code not in RETRIED_STATUS:
                        break
                    time.sleep(_asked_wait(response, wait_seconds))
                    response = client.post(address, json=body)
        except httpx2.ReadTimeout as error:
            raise self._unavailable(
                f"gave no answer in {settings.timeout_seconds:g} s; raise anchor.api.timeout_seconds"
            ) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise self._unavailable(
                f"cannot be reached: {error or type(error).__name__}; is anchor.api.base_url right?"
            ) from error
        if not response.is_success:
            raise self._unavailable(self._refusal(response))
        return response

    def _words_of(self, response: httpx2.Response) -> str:
        try:
            choice = response.json()["choices"][0]
            words, finish = choice["message"].get("content"), choice.get("finish_reason")
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._unavailable(
                f"gave no chat completion but {self._quoted(response.text)!r}; is anchor.api.base_url right?"
            ) from error
        if not isinstance(words, str) or not words.strip():
            way_out = "raise anchor.api.thinking_tokens" if finish == "length" else "try another anchor.api.model"
            raise self._unavailable(f"wrote nothing (it ended by {finish!r}); {way_out}")
        return words

    def _refusal(self, response: httpx2.Response) -> str:
        ways_out = {
            401: f"is the key in {KEY_VARIABLE} right?",
            403: f"is the key in {KEY_VARIABLE} right?",
            404: "are anchor.api.base_url and anchor.api.model right?",
            429: "wait a while and run the same command again",
        }
        way_out = ways_out.get(response.status_code, "the settings under anchor.api are what was asked for")
        return f"answered {response.status_code} {self._quoted(_own_words(response))!r}; {way_out}"

    def _unavailable(self, what: str) -> ModelUnavailableError:
        return ModelUnavailableError(f"anchor.reader=api: {self.settings.model} at {self.settings.host} {what}")

    def _quoted(self, text: str) -> str:
        """The start of an endpoint's words on one line; it may repeat the key, we never do."""
        if len(self._key) >= SECRET_CHARACTERS:
            text = text.replace(self._key, "***")
        return " ".join(text.split())[:QUOTED_CHARACTERS]


def departure_notice(pictures: int, settings: ApiSettings) -> str:
    """What the user is told before keyframes leave the machine."""
    here = urlsplit(settings.base_url).hostname in ("localhost", "127.0.0.1", "::1")
    leave = "go to another program on this machine" if here else "leave this machine"
    openly = ", over a connection without encryption" if settings.base_url.startswith("http:") and not here else ""
    return f"anchor: keyframes of the film {leave}: {pictures}, for {settings.model} at {settings.host}{openly}"


def data_url(picture: NDArray[np.uint8]) -> str:
    """A picture `[h, w, 3]` as the URL of a JPEG of at most 512 pixels a side, shape kept."""
    image = Image.fromarray(picture)
    image.thumbnail((MAX_SIDE_PIXELS, MAX_SIDE_PIXELS))
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.getvalue()).decode()


def _asked_wait(response: httpx2.Response, seconds: float) -> float:
    """The wait that an endpoint asks for, within reason, else our own."""
    asked = response.headers.get("retry-after", "")
    return min(float(asked), MAX_WAIT_SECONDS) if asked.isdecimal() else seconds


def _own_words(response: httpx2.Response) -> str:
    """An endpoint's message about an error: `{"error": {"message": ...}}`, which Gemini wraps into a list."""
    try:
        data = response.json()
        return str((data[0] if isinstance(data, list) else data)["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return response.text
