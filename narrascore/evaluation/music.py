"""The music that is measured: made once for each row and curve, kept on disk, taken from there the next time."""

from __future__ import annotations

import contextlib
import copy
import importlib
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.errors import UsageError
from narrascore.evaluation.curves import EvaluationCurve
from narrascore.evaluation.sound_features import SOUND_UNITS, read_sound
from narrascore.files import digest
from narrascore.media.output import replacing

MODEL, GATES_CLOSED, COMPOSER = "model", "gates closed", "composer"
"""The rows that have music of their own."""

Codes = NDArray[np.int16]
ComposePiece = Callable[[AffectCurve, str, int, int], Any]
"""(curve, style, seed, duration in seconds) -> a piece with `.codes`."""
Progress = Callable[[str], None]


class Player(Protocol):
    """What is asked of a pipeline here: `narrascore.Pipeline` has it."""

    musicgen: Any
    adapter: Any

    @property
    def writes_notes(self) -> bool: ...

    def compose(
        self, duration_seconds: float, curve: AffectCurve, anchor: MusicalAnchor, *, seed: int, film_key: str
    ) -> Any: ...

    def describe(self) -> dict[str, object]: ...


@dataclass(frozen=True)
class Row:
    """One way of making the music.

    Attributes:
        make: codes `[K, T]` for one curve and its sentence.
        settings: what the music depends on beside the curve (weights, sampling, guidance, engine), as JSON can hold it;
            None for music that is made anew each time.
    """

    make: Callable[[EvaluationCurve], ArrayLike]
    settings: dict[str, object] | None


def rows_of(pipeline: Player, composer: ComposePiece | None) -> dict[str, Row]:
    """Music by the pipeline, by the same with its gates closed, and by the composer's rules, as far as they are there.

    Raises:
        UsageError: if the pipeline's music is not notes.
    """
    if not pipeline.writes_notes:
        raise UsageError("tracking and sanity read notes, and this system's music has none: use system=embedded")
    closed = copy.copy(pipeline)
    closed.adapter = None
    rows = {MODEL: played_by(pipeline)} if pipeline.adapter is not None else {}
    rows[GATES_CLOSED] = played_by(closed)
    if composer is not None:
        rows[COMPOSER] = Row(
            lambda asked: composer(asked.curve, asked.style, asked.seed, asked.duration_seconds).codes, None
        )
    return rows


def make_music(
    rows: Mapping[str, Row], curves: Sequence[EvaluationCurve], folder: Path, progress: Progress | None = None
) -> dict[str, list[Codes]]:
    """All rows under all curves; what is on disk under the same settings is not made again.

    Args:
        rows: how each row's music is made.
        curves: what is asked for.
        folder: holds `codes/<row>/<curve>.safetensors` afterwards.
        progress: told what is being made.

    Returns:
        Codes `[K, T]` int16 for each row, in the order of the curves.
    """
    music: dict[str, list[Codes]] = {}
    for name, row in rows.items():
        music[name] = []
        for number, asked in enumerate(curves, start=1):

            def make(row: Row = row, asked: EvaluationCurve = asked, news: str = f"{name}: piece {number}") -> Codes:
                if progress is not None:
                    progress(f"{news} of {len(curves)}, {asked.duration_seconds} s")
                return np.ascontiguousarray(np.asarray(row.make(asked)), dtype=np.int16)

            key = digest({"row": name, "settings": row.settings, **_described(asked)})
            path = folder / "codes" / _file_name(name, asked)
            music[name].append(make() if row.settings is None else kept_or_made(path, key, make))
    return music


def measure_sound(
    music: Mapping[str, Sequence[Codes]],
    curves: Sequence[EvaluationCurve],
    pipeline: Player,
    folder: Path,
    progress: Progress | None = None,
) -> dict[str, list[dict[str, NDArray[np.float64]]]]:
    """`read_sound` of every piece, played by the instruments that its sentence asks for; kept like the music.

    Every row's music goes through the same codec, the composer's too.
    """
    sound: dict[str, list[dict[str, NDArray[np.float64]]]] = {}
    for name, pieces in music.items():
        if progress is not None:
            progress(f"{name}: listening to {len(pieces)} pieces")
        sound[name] = []
        for codes, asked in zip(pieces, curves, strict=True):
            codec = pipeline.musicgen.codec.for_anchor(asked.anchor)

            def measure(codes: Codes = codes, codec: Any = codec) -> NDArray[np.float64]:
                waveform = codec.decode(torch.from_numpy(codes.astype(np.int64)))
                return np.stack(list(read_sound(waveform, codec.sample_rate_hz).values()))

            key = digest([list(SOUND_UNITS), _plain(codec.describe()), asked.anchor.sentence,
                          sha256(codes.tobytes()).hexdigest()])  # fmt: skip
            features = kept_or_made(folder / "sound" / _file_name(name, asked), key, measure)
            sound[name].append(dict(zip(SOUND_UNITS, features, strict=True)))
    return sound


def find_composer(checkout: Path) -> ComposePiece | None:
    """The rule composer's `compose_piece` out of a checkout's recipes, or None where there is no checkout.

    It is the ceiling of every table: made by the rules that the training corpus was made by. It is not in the wheel.
    """
    if not (checkout / "recipes" / "embedded" / "composer.py").is_file():
        return None
    if str(checkout) not in sys.path:
        sys.path.insert(0, str(checkout))
    compose: ComposePiece = importlib.import_module("recipes.embedded.composer").compose_piece
    return compose


def played_by(pipeline: Player) -> Row:
    return Row(
        lambda asked: pipeline.compose(
            asked.duration_seconds, asked.curve, asked.anchor, seed=asked.seed, film_key=f"evaluation {asked.name}"
        ),
        {**_plain(pipeline.describe()), "engine": pipeline.musicgen.engine_name},
    )


def _described(asked: EvaluationCurve) -> dict[str, object]:
    return {
        "curve": asked.curve.values.tolist(),
        "sentence": asked.anchor.sentence,
        "style": asked.style,
        "seed": asked.seed,
    }


def _file_name(row: str, asked: EvaluationCurve) -> Path:
    return Path(re.sub(r"[^\w.-]+", "-", row)) / f"{asked.name}.safetensors"


def _plain(value: object) -> Any:
    """The value as JSON holds it."""
    return json.loads(json.dumps(value, default=str))


def kept_or_made(path: Path, key: str, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """The array saved under this key; made and saved if it is absent, damaged or of other settings."""
    with contextlib.suppress(SafetensorError, OSError), safe_open(path, framework="numpy") as file:
        if (file.metadata() or {}).get("key") == key:
            return np.asarray(file.get_tensor("values"))
    values = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        save_file({"values": values}, partial, metadata={"key": key})
    return values
