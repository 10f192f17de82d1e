"""How a score shows itself in a notebook: its music to listen to, what was asked for, and what it was made for."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from narrascore.display import clock, show_anchor, show_curve, show_table

if TYPE_CHECKING:
    from narrascore.score import Score

INLINE_SECONDS = 60.0
"""A notebook holds what its cells show, so of longer music only so much is in it: about a megabyte of MP3."""


def show_score(score: Score) -> str:
    """A player, the curve, the anchor and the film's facts.

    The music is rendered for it anew, and only as far as it is heard.
    """
    film = score.film
    duration = float(film.duration_seconds)
    heard = "" if duration <= INLINE_SECONDS else _told_of_the_rest(duration)
    facts = {
        "film": film.name,
        "length": clock(duration),
        "picture": f"{film.width} x {film.height}, {film.video_codec}" if film.has_picture else "none",
        "sound": ", ".join(f"{track.codec}, {track.layout}" for track in film.audio_tracks) or "none",
        "system": score.pipeline.system,
    }
    warnings = "".join(f"<p>Warning: {html.escape(line)}</p>" for line in score.warnings)
    sound = base64.b64encode(encode_opening(score)).decode()
    return (
        f'<audio controls src="data:audio/mpeg;base64,{sound}"></audio>{heard}'
        f"{show_curve(score.curve)}{show_anchor(score.anchor)}{show_table(facts.items())}{warnings}"
    )


def encode_opening(score: Score, most_seconds: float = INLINE_SECONDS) -> bytes:
    """The beginning of the music as MP3."""
    rate_hz = score.sample_rate_hz
    most, samples = round(most_seconds * rate_hz), 0
    blocks = []
    for block in score.blocks():
        blocks.append(block[:, : most - samples])
        samples += blocks[-1].shape[1]
        if samples >= most:
            break
    file = io.BytesIO()
    soundfile.write(file, np.clip(np.concatenate(blocks, axis=1).T, -1, 1), rate_hz, format="MP3")
    return file.getvalue()


def _told_of_the_rest(duration: float) -> str:
    return (
        f"<p>The first {clock(INLINE_SECONDS)} of {clock(duration)}; <code>score.save(folder)</code> writes all of it."
        "</p>"
    )
