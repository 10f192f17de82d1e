"""The end of a job that only reads, and what later stages show of the reading: the curve, and how sure it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from narrascore.affect import AffectCurve
from narrascore.anchor import MusicalAnchor
from narrascore.files import array_digest, digest, write_text
from narrascore.report import draw_reading
from narrascore.run import Run

PICTURE = "curve.png"
FOLLOWED = "scored_curve.csv"


def show_reading(run: Run, curve: AffectCurve, followed: AffectCurve, anchor: MusicalAnchor) -> None:
    """Draw `curve.png`: the keyframes, and the curve that the music will follow. The job waits for its music then."""
    path, data = run.folder / PICTURE, run.manifest.data
    shown = [array_digest(followed.values), followed.rate_hz, run.options.curve_gain, anchor.sentence]
    key = digest([run.read_key, shown])
    if not run.manifest.has_stage("picture", key, [path]):
        state = data["state"]
        with run.stage("picture", [path]):
            draw_reading(
                path, followed, run.reading.keyframes, title=anchor.sentence, spread=spread_of(run, curve, followed),
                duration_seconds=float(run.film.duration_seconds),
            )  # fmt: skip
        if set(run.shop.ran) == {"picture"}:
            data["state"] = state  # the film's results are as finished as they were
        run.manifest.finish_stage("picture", key, [path])
    if data.pop("forced", False):
        run.manifest.save()


def keep_followed(run: Run, curve: AffectCurve, followed: AffectCurve) -> None:
    """Write `scored_curve.csv`, the curve that the music follows, where markers or directions make it another one."""
    path, key = run.folder / FOLLOWED, digest([array_digest(followed.values), followed.rate_hz])
    if followed != curve and run.manifest.has_stage("bend", key, [path]):
        return
    run.shop.set_aside([path])
    if followed != curve:
        with run.stage("bend", [path]):
            write_text(path, followed.to_csv())
        run.manifest.finish_stage("bend", key, [path])


def spread_of(run: Run, curve: AffectCurve, followed: AffectCurve) -> NDArray[np.float32] | None:
    """How unsure the eye is of each second of the curve, `[F, 2]`: not at all where the user bent it; None if it cannot
    say, or if the curve is the user's."""
    if run.manifest.data["made_from"]["curve.csv"]["source"] != "eye":
        return None
    spread = run.pipeline.read_spread(run.reading)
    if spread is None:
        return None
    seconds = np.arange(len(spread))
    read = np.isclose(curve.at(seconds), followed.at(seconds), atol=1e-4)
    return (spread * abs(run.options.curve_gain) * read).astype(np.float32)
