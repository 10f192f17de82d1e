"""What the backbone is told around the pictures (Eq. 2): X = [T_inst, clock 1, frame 1, clock 2, frame 2, ...].

    <|im_start|>system
    {semantic primer}<|im_end|>
    <|im_start|>user
    Time 0.0s:{frame},Time 1.0s:{frame}, ...

Attention is causal, so the primer must stand before the first frame: what follows a frame cannot change its state. The
clocks are the backbone's native string, in film time, whatever window they stand in. The primers' texts are settings:
configs/primer/*.yaml.
"""

from __future__ import annotations

from collections.abc import Sequence

from narrascore.errors import UsageError

END_OF_TURN = "<|im_end|>"
END_OF_TEXT = "<|endoftext|>"
LATEST_SECONDS = 99_999.0  # no clock is longer than that of a film of 27 hours


def opening(primer: str) -> str:
    """Everything before the first clock; without a primer there is no system turn.

    Raises:
        UsageError: if the primer holds one of the chat's own marks.
    """
    if "<|" in primer:
        raise UsageError(f"primer {primer[:60]!r}: plain text is expected, but it holds '<|', which marks turns")
    system = f"<|im_start|>system\n{primer.strip()}{END_OF_TURN}\n" if primer.strip() else ""
    return f"{system}<|im_start|>user\n"


def clock(seconds: float) -> str:
    """The semantic clock in the backbone's native form."""
    return f"Time {seconds:.1f}s:"


def film_strip(seconds: Sequence[float], frames: Sequence[str], *, first: bool = True) -> str:
    """Clock and frame in turn, as the backbone's own video prompt has them.

    Args:
        seconds: film time of each frame.
        frames: each frame's run of picture marks.
        first: whether nothing of the film stands before; else a comma joins on.
    """
    strip = ",".join(clock(time) + frame for time, frame in zip(seconds, frames, strict=True))
    return strip if first else "," + strip


def question(seconds: Sequence[float], frames: Sequence[str], instruction: str) -> str:
    """The whole chat for a reply: the pictures with their clocks, the instruction, and the reply's beginning.

    Raises:
        UsageError: if the instruction holds one of the chat's own marks.
    """
    if "<|" in instruction:
        raise UsageError(f"instruction {instruction[:60]!r}: plain text is expected, but it holds '<|'")
    strip = film_strip(seconds, frames) + "\n" if frames else ""
    return f"{opening('')}{strip}{instruction.strip()}{END_OF_TURN}\n<|im_start|>assistant\n"
