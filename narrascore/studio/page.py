"""What the page answers. All state is the studio's: a tab may be reloaded at any moment, and several see the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from narrascore.errors import NarraScoreError, UsageError
from narrascore.studio import views
from narrascore.studio.films import STATE_FILE, StudioFilm
from narrascore.studio.layout import AUDIO, lay_out
from narrascore.studio.studio import Studio
from narrascore.studio.wishes import Off, Wish

LOOK_SECONDS = 1.0
"""How often a tab looks whether there is anything new."""

Answer = dict[Any, Any]
"""Component -> its new value or properties; the others stay as they are."""


def build_page(studio: Studio, *, max_upload_mib: int, keep_hours: float) -> gr.Blocks:
    """The page of a studio.

    Args:
        studio: what it shows and acts on.
        max_upload_mib: larger films are refused before they are sent; the server refuses them too.
        keep_hours: after which an upload that became no film is deleted.
    """
    keep_seconds = round(keep_hours * 3600)
    told = f"{max_upload_mib / 1024:g} GiB" if max_upload_mib >= 1024 else f"{max_upload_mib} MiB"
    with gr.Blocks(
        title="NarraScore Studio", analytics_enabled=False, delete_cache=(min(600, keep_seconds), keep_seconds)
    ) as blocks:
        page = Page(studio, {"most_bytes": max_upload_mib * 2**20, "most_told": told})
        page.wire(blocks)
    assert isinstance(blocks, gr.Blocks)
    return blocks


class Page:
    """The components and what happens when they are used.

    Args:
        studio: what is shown and acted on.
        limit: of uploads, for `drop.js`.
    """

    def __init__(self, studio: Studio, limit: dict[str, Any]) -> None:
        self.studio, self.limit, self.on = studio, limit, lay_out(limit)
        self._uploads = itertools.count(1)

    def wire(self, blocks: gr.Blocks) -> None:
        """Tie every event to its answer."""
        on, shown = self.on, self.on.shown
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        blocks.load(self.begin, None, shown, **quiet)
        gr.Timer(LOOK_SECONDS).tick(self.look, [on.chosen, on.seen], shown, queue=False, **quiet)
        on.drop.upload(self.take_in, None, shown, **quiet)
        on.shelf.select(self.choose, None, shown, **quiet)
        on.shelf.delete(self.remove, None, shown, **quiet)
        on.audio.input(self.choose_audio, on.audio, [on.below, on.duck], **quiet)
        on.score.click(self.score, on.asked, shown, **quiet)
        on.another.click(self.another, on.asked, shown, **quiet)
        on.redraw.click(self.redraw, [on.spans, *on.asked], shown, **quiet)
        on.stop.click(self.stop, on.chosen, shown, **quiet)

    def begin(self, request: gr.Request) -> Answer:
        """A page that was loaded shows the film of its address, else the one that is scored, else the latest."""
        there = {film.id for film in self.studio.films()}
        names = (request.query_params.get("film", ""), self.studio.worker.running)
        return self.look(next((name for name in names if name in there), ""), {})

    def look(self, name: str, before: dict[str, str]) -> Answer:
        """What is new since this tab last looked. What the user types stays until someone scores otherwise.

        Args:
            name: the id of the film that the tab shows.
            before: the revisions that it was told last.
        """
        on, films = self.on, self.studio.films()
        film = next((film for film in films if film.id == name), None) or next(iter(films), None)
        now = self._revisions(films, film)
        new = {part for part in now if now[part] != before.get(part)}
        answer: Answer = {on.seen: now if new else gr.skip()}
        if "shelf" in new:
            chosen = film.id if film else ""
            answer |= {
                on.chosen: chosen,
                on.shelf: views.shelf(films, chosen, self.studio.worker.running),
                on.empty: gr.update(visible=not films),
                on.work: gr.update(visible=film is not None),
            }
        if film is None:
            return answer
        place = self.studio.worker.place(film.id)
        if "film" in new or place is not None:
            answer[on.status] = views.status(film, place, self.studio.worker.step)
        if "film" in new:
            answer |= self._results(film, busy=place is not None)
        if "form" in new:
            answer |= self._form(film)
        return answer

    def take_in(self, event: gr.EventData) -> Answer:
        """Look at what was uploaded."""
        answer: Answer = {self.on.drop: {**self.limit, "uploads": next(self._uploads)}}
        try:
            film = self.studio.take_in(str(event.path))
        except NarraScoreError as error:
            line = f"Not taken: {error}. Choose a film, an animation or a picture, such as MP4, MOV, MKV or WebM."
            return {**answer, self.on.notice: views.notice(line)}
        return {**answer, self.on.notice: "", **self.look(film.id, {})}

    def choose(self, event: gr.EventData) -> Answer:
        return {self.on.notice: "", **self.look(str(event.film), {})}

    def remove(self, event: gr.EventData) -> Answer:
        return self._after(lambda: self.studio.remove(str(event.film)), "")

    def stop(self, name: str) -> Answer:
        return self._after(lambda: self.studio.stop(name), name)

    def score(self, name: str, *words: Any) -> Answer:
        return self._after(lambda: self.studio.score(name, self._wish(name, *words), _curve(name, words)), name)

    def another(self, name: str, *words: Any) -> Answer:
        def act() -> None:
            wish = self._wish(name, *words)
            self.studio.score(name, replace(wish, seed=wish.seed + 1), _curve(name, words))

        return self._after(act, name)

    def redraw(self, spans: str, name: str, *words: Any) -> Answer:
        return self._after(lambda: self.studio.redraw(name, self._wish(name, *words), spans, _curve(name, words)), name)

    def choose_audio(self, mode: str) -> Answer:
        return self._depths(mode)

    def _after(self, act: Callable[[], None], name: str) -> Answer:
        """Do it and show what came of it, or the line that says why not; nothing of what was typed is lost then."""
        try:
            act()
        except NarraScoreError as error:
            return {self.on.notice: views.notice(str(error))}
        return {self.on.notice: "", **self.look(name, {})}

    def _wish(
        self, name: str, prompt: str, cues: str, mode: Any, below_lu: float, duck_db: float, loudness: Any, _desk: Any
    ) -> Wish:
        loud: float | Off = "off" if loudness == "off" else float(loudness)
        seed = self.studio.film(name).wish.seed
        return Wish(prompt.strip(), seed, mode, float(below_lu), float(duck_db), loud, cues=cues.strip())

    def _results(self, film: StudioFilm, *, busy: bool) -> Answer:
        """What came of a film, and what can be done with it now."""
        on, scored = self.on, bool(film.takes())
        told, not_understood = views.sentence_of(film)
        unheard = f"The music model does not know: {', '.join(not_understood)}." if not_understood else ""
        return {
            on.player: views.player(film),
            on.desk: views.desk(film),
            on.sentence: gr.update(placeholder=told),
            on.unknown: views.notice(unheard),
            on.cues: gr.update(placeholder=views.spoken_cues(film)),
            on.score: gr.update(value="Score again" if scored else "Score", visible=not busy),
            on.stop: gr.update(visible=busy),
            **{each: gr.update(visible=scored and not busy) for each in (on.another, on.spans, on.redraw)},
            on.downloads: views.downloads(film),
        }

    def _form(self, film: StudioFilm) -> Answer:
        """What was asked of a film last."""
        on, wish, modes = self.on, film.wish, _modes(film)
        mode = wish.audio or modes[0]
        depths = self._depths(mode)
        return {
            on.sentence: gr.update(value=wish.prompt, placeholder=views.sentence_of(film)[0]),
            on.cues: gr.update(value=wish.cues, placeholder=views.spoken_cues(film)),
            on.audio: gr.update(choices=[(AUDIO[each], each) for each in modes], value=mode),
            on.below: {**depths[on.below], "value": wish.music_below_lu},
            on.duck: {**depths[on.duck], "value": wish.duck_db},
            on.loudness: gr.update(value=wish.loudness),
        }

    def _depths(self, mode: str) -> dict[Any, dict[str, Any]]:
        """Which depths a mode has."""
        return {
            self.on.below: gr.update(visible=mode in ("duck", "mix")),
            self.on.duck: gr.update(visible=mode == "duck"),
        }

    def _revisions(self, films: list[StudioFilm], film: StudioFilm | None) -> dict[str, str]:
        """Words that are others as soon as there is something new to show; progress within a stage is nothing new."""
        worker = self.studio.worker
        about = {"shelf": f"{[each.id for each in films]} {film and film.id} {worker.running}"}
        if film is None:
            return about
        files = (film.folder / STATE_FILE, film.job / "curve.csv")
        changed = [path.stat().st_mtime_ns if path.is_file() else 0 for path in files]
        return {
            **about,
            "film": f"{film.id} {worker.place(film.id)} {changed}",
            "form": f"{film.id} {film.wish.done()}",
        }


def _curve(name: str, words: Sequence[Any]) -> list[list[float]] | None:
    """The curve as it was dragged, if it was."""
    desk: dict[str, Any] = words[-1]
    if desk.get("film") not in (None, name):
        raise UsageError("the page was between two films: try again")
    return desk["values"] if desk.get("edited") else None


def _modes(film: StudioFilm) -> list[str]:
    """What can be done with its sound, its default first."""
    if not film.data["has_picture"]:
        return ["music-only"]
    return list(AUDIO) if film.data["has_sound"] else ["replace", "music-only"]
