"""What leaves the machine for an endpoint, what is said before, and how each failure reads; over real HTTP."""

from __future__ import annotations

import base64
import io
import socket

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from narrascore.cli.settings import read_settings
from narrascore.errors import ModelUnavailableError, UsageError
from narrascore.perception.anchor_settings import AnchorSettings, ApiSettings
from narrascore.perception.api_reader import KEY_VARIABLE, MAX_SIDE_PIXELS, ApiAnswerer, departure_notice
from tests.perception.endpoint import Endpoint, Reply, says, serving

KEY = "sk-a-key-that-nobody-may-see"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, f"{KEY}\n")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("OPENAI_API_KEY", "another-vendors-key")
    monkeypatch.setenv("OPENAI_ORG_ID", "another-vendors-organisation")


def picture(red: int, height: int = 36, width: int = 64) -> NDArray[np.uint8]:
    return np.full((height, width, 3), (red, 40, 90), dtype=np.uint8)


PICTURES = [(0.5, picture(10)), (63.25, picture(200, 720, 1280))]


def answerer_of(endpoint: Endpoint, said: list[str] | None = None, timeout_seconds: float = 20.0) -> ApiAnswerer:
    settings = ApiSettings(endpoint.base_url, "some-model", timeout_seconds, thinking_tokens=1000)
    return ApiAnswerer(settings, [].append if said is None else said.append)


def test_instruction_times_and_pictures_are_sent_and_nothing_else() -> None:
    with serving(says("some words")) as endpoint:
        assert answerer_of(endpoint).answer(PICTURES, "What is heard?", max_new_tokens=64) == "some words"
    ((path, headers, body),) = endpoint.requests
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert not any("another-vendors" in value for value in headers.values())
    assert {name: value for name, value in body.items() if name != "messages"} == {
        "model": "some-model", "max_completion_tokens": 1064, "temperature": 0.0,
    }  # fmt: skip
    (message,) = body["messages"]
    assert message["role"] == "user"
    texts = [part["text"] for part in message["content"] if part["type"] == "text"]
    assert texts == ["What is heard?", "Time 0.5s:", "Time 63.2s:"]
    assert [part["type"] for part in message["content"]] == ["text", "text", "image_url", "text", "image_url"]
    urls = [part["image_url"]["url"] for part in message["content"] if part["type"] == "image_url"]
    for url, (_, sent), size in zip(urls, PICTURES, [(64, 36), (MAX_SIDE_PIXELS, 288)], strict=True):
        head, _, data = url.partition(",")
        image = Image.open(io.BytesIO(base64.b64decode(data)))
        assert (head, image.format, image.size) == ("data:image/jpeg;base64", "JPEG", size)
        assert np.abs(np.asarray(image, dtype=int) - sent[0, 0]).max() <= 4


def test_a_temperature_can_be_left_to_the_endpoint() -> None:
    with serving(says("some words")) as endpoint:
        ApiAnswerer(ApiSettings(endpoint.base_url, temperature=None), [].append).answer(PICTURES, "What?")
    assert "temperature" not in endpoint.requests[0][2]


def test_the_user_is_told_before_the_keyframes_of_a_film_leave() -> None:
    said: list[tuple[str, int]] = []
    with serving(says("some words")) as endpoint:
        answerer = ApiAnswerer(
            ApiSettings(endpoint.base_url, "m"), lambda line: said.append((line, len(endpoint.requests)))
        )
        for pictures in (PICTURES, PICTURES, PICTURES[:1]):
            answerer.answer(pictures, "What?")
    host = endpoint.base_url.removeprefix("http://").removesuffix("/v1")
    assert said == [
        (f"anchor: keyframes of the film go to another program on this machine: 2, for m at {host}", 0),
        (f"anchor: keyframes of the film go to another program on this machine: 1, for m at {host}", 2),
    ]
    assert departure_notice(32, ApiSettings()) == (
        "anchor: keyframes of the film leave this machine: 32, for gemini-2.5-pro at generativelanguage.googleapis.com"
    )
    assert "leave this machine" in departure_notice(1, ApiSettings("http://example.org/v1"))
    assert "without encryption" in departure_notice(1, ApiSettings("http://example.org/v1"))


ERROR = {"error": {"message": f"no, {KEY}\nis wrong"}}


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(ERROR, 401), "answered 401 'no, *** is wrong'; is the key in NARRASCORE_API_KEY right?"),
        (Reply([ERROR], 400), "answered 400 'no, *** is wrong'"),
        (Reply("x" * 190 + KEY, 400), "answered 400"),
        (Reply("<html>nowhere</html>", 404), "answered 404 '<html>nowhere</html>'; are anchor.api.base_url"),
        (Reply({"error": "no"}, 403), "answered 403"),
        (Reply("", 307, {"Location": "http://127.0.0.1:9/elsewhere"}), "answered 307"),
        (Reply("<html>hello</html>"), "gave no chat completion but '<html>hello</html>'"),
        (Reply({"choices": []}), "gave no chat completion"),
        (Reply({"choices": [{"message": "words"}]}), "gave no chat completion"),
        (Reply([]), "gave no chat completion"),
        (says(None, "length"), "wrote nothing (it ended by 'length'); raise anchor.api.thinking_tokens"),
        (says("  ", "content_filter"), "wrote nothing (it ended by 'content_filter'); try another anchor.api.model"),
    ],
)
def test_a_failure_is_one_line_without_the_key(reply: Reply, said: str) -> None:
    with serving(reply) as endpoint, pytest.raises(ModelUnavailableError) as caught:
        answerer_of(endpoint).answer(PICTURES, "What?")
    assert len(endpoint.requests) == 1
    line = str(caught.value)
    assert said in line
    assert "\n" not in line
    assert KEY[:10] not in line
    assert caught.value.exit_code == 4


def test_a_busy_endpoint_is_asked_three_times_at_most() -> None:
    busy = Reply(ERROR, 503, {"Retry-After": "0"})
    with serving(busy, busy, says("some words")) as endpoint:
        assert answerer_of(endpoint).answer(PICTURES, "What?") == "some words"
    assert len(endpoint.requests) == 3
    with serving(busy) as endpoint, pytest.raises(ModelUnavailableError, match="answered 503"):
        answerer_of(endpoint).answer(PICTURES, "What?")
    assert len(endpoint.requests) == 3


def test_patience_ends() -> None:
    said = r"no answer in 0\.2 s; raise anchor\.api\.timeout_seconds"
    with serving(Reply("", after_seconds=0.6)) as endpoint, pytest.raises(ModelUnavailableError, match=said):
        answerer_of(endpoint, timeout_seconds=0.2).answer(PICTURES, "What?")
    assert len(endpoint.requests) == 1


def test_nobody_there_is_said() -> None:
    with socket.socket() as bound:  # bound, but it does not listen
        bound.bind(("127.0.0.1", 0))
        nobody = Endpoint(f"http://127.0.0.1:{bound.getsockname()[1]}/v1", [])
        with pytest.raises(ModelUnavailableError, match=r"cannot be reached: .+; is anchor\.api\.base_url right"):
            answerer_of(nobody).answer(PICTURES, "What?")


@pytest.mark.parametrize("key", [None, "", " \n", "two\nlines", "schlüssel"])
def test_without_a_key_nothing_begins(key: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE)
    if key is not None:
        monkeypatch.setenv(KEY_VARIABLE, key)
    with pytest.raises(ModelUnavailableError, match=f"set the environment variable {KEY_VARIABLE}"):
        ApiAnswerer(ApiSettings(), [].append)


@pytest.mark.parametrize(
    "url",
    [
        "", "example.org", "ftp://example.org", "http://", "http://user:secret@example.org", "https://secret@example.org",
        "https://example.org/v1?key=secret", "https://example.org/#secret", "http://example.org:secret", "http://[secret",
    ],
)  # fmt: skip
def test_an_address_holds_no_secret_and_a_wrong_one_is_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match=r"anchor\.api\.base_url must be") as caught:
        ApiSettings(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [({"model": ""}, "model"), ({"timeout_seconds": 0.0}, "timeout_seconds"), ({"thinking_tokens": -1}, "thinking")],
)
def test_settings_that_make_no_sense_are_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ApiSettings(**values)


def test_settings_are_read_from_nested_keys() -> None:
    api = {"base_url": "http://127.0.0.1:8000/v1", "model": "m", "timeout_seconds": 9, "temperature": None}
    assert read_settings(AnchorSettings, {"reader": "api", "instruction": "plain", "api": api}) == AnchorSettings(
        "api", "plain", ApiSettings("http://127.0.0.1:8000/v1", "m", 9.0, temperature=None)
    )
    assert read_settings(AnchorSettings, {"reader": None}) == AnchorSettings()
    for values in ({"reader": "nobody"}, {"instruction": None}, {"api": {"key": "secret"}}, {"api": {"base_url": "x"}}):
        with pytest.raises(UsageError):
            read_settings(AnchorSettings, values, "anchor.")
