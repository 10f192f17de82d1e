"""Who reads the musical anchor, and by which instruction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

ReaderName = Literal["cinematic", "vlm", "api", "none"]
InstructionName = Literal["hmc", "plain"]


@dataclass(frozen=True)
class ApiSettings:
    """An OpenAI-compatible endpoint. The key is no setting: it comes from the environment alone.

    Attributes:
        base_url: what `/chat/completions` is appended to.
        model: its name there; the defaults are those of the paper's Gemini rows.
        timeout_seconds: for one reply.
        thinking_tokens: room for a model that thinks before it answers, on top of the answer's own; models that do not
            think are done earlier and cost no more.
        temperature: of the sampling, or None to leave it to the endpoint: some models accept no other.
    """

    base_url: str = "https://generativelanguage.googleapis.com/v1beta/openai"
    model: str = "gemini-2.5-pro"
    timeout_seconds: float = 120.0
    thinking_tokens: int = 4096
    temperature: float | None = 0.0

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.base_url)
            plain = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
        except ValueError:  # a port that is no number, half a bracket
            plain = False
        # Settings stand in the manifest, so nothing in an address may be a secret. The address is not repeated here
        # for the same reason.
        if not plain or parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(
                "anchor.api.base_url must be http(s)://HOST[:PORT][/PATH], without user, password or query, such as "
                f"{ApiSettings.base_url}; a key belongs into the environment"
            )
        if not self.model:
            raise ValueError("anchor.api.model must name a model of the endpoint: it is empty")
        if self.timeout_seconds <= 0:
            raise ValueError(f"anchor.api.timeout_seconds must be positive: got {self.timeout_seconds}")
        if self.thinking_tokens < 0:
            raise ValueError(f"anchor.api.thinking_tokens must be 0 or more: got {self.thinking_tokens}")

    @property
    def host(self) -> str:
        """The machine that is asked, with its port if the address names one."""
        return urlsplit(self.base_url).netloc


@dataclass(frozen=True)
class AnchorSettings:
    """The settings under `anchor` in `configs/score.yaml`.

    Attributes:
        reader: `vlm` or `api`, a language model that sees the keyframes, `cinematic`, or `none`, which leaves the music
            without a sentence; None is the eye's own.
        instruction: `hmc`, the paper's musical schema, or `plain`, a caption of what is seen ("w/o HMC").
        api: the endpoint of the reader `api`.
    """

    reader: ReaderName | None = None
    instruction: InstructionName = "hmc"
    api: ApiSettings = ApiSettings()
