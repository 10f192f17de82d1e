"""The page: what stands on it and what its buttons do. Its state is the studio's, so any tab can be reloaded."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import gradio as gr

from narrascore.anchor import MAX_FIELD_CHARACTERS
from narrascore.errors import NarraScoreError, UsageError
from narrascore.studio import views
from narrascore.studio.films import STATE_FILE, StudioFilm
from narrascore.studio.studio import Studio
from narrascore.studio.wishes import Wish

LOOK_SECONDS = 1.0
AUDIO = {
    "duck": "Duck under the film's sound", "mix": "Mix at one level", "replace": "Replace the film's sound",
    "music-only": "Music only, no film",
}  # fmt: skip
LOUDNESS = (
    ("As the film is", "off"), ("\N{MINUS SIGN}14 LUFS, streaming", -14.0), ("\N{MINUS SIGN}16 LUFS, podcasts", -16.0),
    ("\N{MINUS SIGN}23 LUFS, EBU R 128", -23.0), ("\N{MINUS SIGN}24 LUFS, ATSC A/85", -24.0),
)  # fmt: skip
HEADER = """<header class="ns-header"><h1>NarraScore <span>Studio</span></h1>
<p class="ns-quiet">Music that follows your film. Everything stays on this computer.</p></header>"""
EMPTY = """<div class="ns-empty"><p>Give it a film. NarraScore watches it, draws where its emotion goes, and writes the
music for it.</p><p class="ns-quiet">Then drag the curve where you feel otherwise, and score again: only what changed is
composed anew.</p></div>"""
DROP = """<label class="ns-drop"><input type="file"><strong>Drop a film here, or choose one</strong>
<span class="ns-quiet ns-drop-told">MP4, MOV, MKV, WebM, AVI, GIF and others, up to ${value.most_told}</span></label>
<p class="ns-drop-line" role="status"></p>"""
SHELF_SCRIPT = """
element.addEventListener("click", (event) => {
  const card = event.target.closest("[data-film]"), cross = event.target.closest("[data-remove]");
  if (card) trigger("select", {film: card.dataset.film});
  if (cross && confirm(`Delete ${cross.dataset.name} and all of its music?`))
    trigger("delete", {film: cross.dataset.remove});
});
const keep = () => {
  const current = element.querySelector("[aria-current=true]");
  history.replaceState(null, "", current ? `?film=${current.dataset.film}` : location.pathname);
};
watch("value", keep);
"""


def build_page(studio: Studio, *, max_upload_mib: int, keep_hours: float) -> gr.Blocks:
    """Lay the page out.

    Args:
        studio: what it shows and acts on.
        max_upload_mib: told beside the place for uploads; the server is what enforces it.
        keep_hours: after which an abandoned upload is deleted.
    """
    keep_seconds = round(keep_hours * 3600)
    told = f"{max_upload_mib / 1024:g} GiB" if max_upload_mib >= 1024 else f"{max_upload_mib} MiB"
    limit = {"most_bytes": max_upload_mib * 2**20, "most_told": told}
    uploads = itertools.count(1)
    with gr.Blocks(
        title="NarraScore Studio", analytics_enabled=False, delete_cache=(min(600, keep_seconds), keep_seconds)
    ) as page:
        chosen, seen = gr.State(""), gr.State({})
        html("header", HEADER)
        shelf = html("shelf", script=SHELF_SCRIPT)
        empty = html("empty", EMPTY)
        drop = html("drop", limit, template=DROP, script=script("drop.js"))
        notice = html("notice")
        with gr.Column(visible=False, elem_id="work") as work:
            status = html("status")
            with gr.Row(elem_id="upper"):
                with gr.Column(scale=3, min_width=320):
                    player = html("player", {}, template="", script=script("player.js"))
                with gr.Column(scale=2, min_width=300, elem_id="wishes"):
                    sentence = gr.Textbox(
                        label="Music", lines=3, max_lines=6, max_length=MAX_FIELD_CHARACTERS, elem_id="sentence",
                        info="Genre, instruments, mood and pace. Empty, it is what the film asks for.",
                    )  # fmt: skip
                    unknown = html("unknown")
                    audio = gr.Radio([], label="The film's own sound", elem_id="audio")
                    below = gr.Slider(0, 20, step=0.5, label="Music below the film's sound (LU)", elem_id="below")
                    duck = gr.Slider(0, 20, step=0.5, label="Further down under speech (dB)", elem_id="duck")
                    loudness = gr.Dropdown(list(LOUDNESS), label="Loudness of the scored film", elem_id="loudness")
            desk = html("desk", {}, template="", script=script("curve.js"))
            with gr.Row(elem_id="actions"):
                score = gr.Button("Score again", variant="primary", elem_id="score")
                another = gr.Button("Another take", elem_id="another")
                stop = gr.Button("Stop", elem_id="stop", visible=False)
            with gr.Row(elem_id="redraw-row"):
                spans = gr.Textbox(
                    label="Redraw a stretch", placeholder="0:12-0:20", elem_id="spans", scale=3,
                    info="Other music for this stretch alone. Separate several by semicolons.",
                )  # fmt: skip
                redraw = gr.Button("Redraw", elem_id="redraw", scale=1, min_width=120)
            downloads = html("downloads")
        asked = [chosen, sentence, audio, below, duck, loudness, desk]
        shown = [
            chosen, seen, shelf, empty, notice, work, status, player, desk, sentence, unknown, audio, below, duck,
            loudness, score, another, stop, spans, redraw, downloads,
        ]  # fmt: skip

        def look(name: str, before: dict[str, str]) -> dict[Any, Any]:
            """What is new since this tab last looked. What the user types stays until someone scores otherwise."""
            films = studio.films()
            film = next((film for film in films if film.id == name), None) or next(iter(films), None)
            now = _revisions(films, film, studio)
            new = {part for part in now if now[part] != before.get(part)}
            answer: dict[Any, Any] = {seen: now if new else gr.skip()}
            if "shelf" in new:
                answer |= {
                    chosen: film.id if film else "",
                    shelf: views.shelf(films, film.id if film else "", studio.worker.running),
                    empty: gr.update(visible=not films),
                    work: gr.update(visible=film is not None),
                }
            if film is None:
                return answer
            if "film" in new or studio.worker.place(film.id) is not None:
                answer[status] = views.status(film, studio.worker.place(film.id), studio.worker.step)
            if "film" in new:
                answer |= results(film)
            if "form" in new:
                answer |= form(film)
            return answer

        def results(film: StudioFilm) -> dict[Any, Any]:
            busy, scored = studio.worker.place(film.id) is not None, bool(film.takes())
            told, not_understood = views.sentence_of(film)
            unheard = f"The music model does not know: {', '.join(not_understood)}." if not_understood else ""
            return {
                player: views.player(film),
                desk: views.desk(film),
                sentence: gr.update(placeholder=told),
                unknown: views.notice(unheard),
                score: gr.update(value="Score again" if scored else "Score", visible=not busy),
                stop: gr.update(visible=busy),
                **{each: gr.update(visible=scored and not busy) for each in (another, spans, redraw)},
                downloads: views.downloads(film),
            }

        def form(film: StudioFilm) -> dict[Any, Any]:
            wish, sounds = film.wish, [(AUDIO[mode], mode) for mode in _modes(film)]
            mode = wish.audio or sounds[0][1]
            return {
                sentence: gr.update(value=wish.prompt, placeholder=views.sentence_of(film)[0]),
                audio: gr.update(choices=sounds, value=mode),
                **depths(mode, wish),
                loudness: gr.update(value=wish.loudness),
            }

        def depths(mode: str, wish: Wish | None = None) -> dict[Any, Any]:
            values = ({}, {}) if wish is None else ({"value": wish.music_below_lu}, {"value": wish.duck_db})
            return {
                below: gr.update(visible=mode in ("duck", "mix"), **values[0]),
                duck: gr.update(visible=mode == "duck", **values[1]),
            }

        def begin(request: gr.Request) -> dict[Any, Any]:
            """A page that was loaded shows the film of its address, else the one that is scored, else the latest."""
            names = [request.query_params.get("film", ""), studio.worker.running]
            there = {film.id for film in studio.films()}
            return look(next((name for name in names if name in there), ""), {})

        def choose(event: gr.EventData) -> dict[Any, Any]:
            return {notice: "", **look(event.film, {})}

        def remove(event: gr.EventData) -> dict[Any, Any]:
            return with_notice(lambda: studio.remove(event.film), "")

        def take_in(event: gr.EventData) -> dict[Any, Any]:
            seen_by_drop = {drop: {**limit, "uploads": next(uploads)}}
            try:
                film = studio.take_in(event.path)
            except NarraScoreError as error:
                line = f"Not taken: {error}. Choose a film, an animation or a picture, such as MP4, MOV, MKV or WebM."
                return {**seen_by_drop, notice: views.notice(line)}
            return {**seen_by_drop, notice: "", **look(film.id, {})}

        def with_notice(act: Callable[[], None], name: str) -> dict[Any, Any]:
            try:
                act()
            except NarraScoreError as error:
                return {notice: views.notice(str(error))}
            return {notice: "", **look(name, {})}

        def ask(
            act: Callable[[str, Wish, list[list[float]] | None], None], name: str, prompt: str, mode: str,
            below_lu: float, duck_db: float, loud: float | str, drawn: dict[str, Any], *, another: bool = False,
        ) -> dict[Any, Any]:  # fmt: skip
            def do() -> None:
                if drawn.get("film") not in ("", None, name):
                    raise UsageError("the page was between two films: try again")
                seed = studio.film(name).wish.seed + (1 if another else 0)
                wish = Wish(
                    prompt.strip(), seed, mode, float(below_lu), float(duck_db), "off" if loud == "off" else float(loud)
                )  # type: ignore[arg-type]
                act(name, wish, drawn["values"] if drawn.get("edited") else None)

            return with_notice(do, name)

        def ask_redraw(where: str, *words: Any) -> dict[Any, Any]:
            return ask(lambda name, wish, curve: studio.redraw(name, wish, where, curve), *words)

        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        page.load(begin, None, shown, **quiet)
        gr.Timer(LOOK_SECONDS).tick(look, [chosen, seen], shown, queue=False, **quiet)
        drop.upload(take_in, None, [drop, *shown], **quiet)
        shelf.select(choose, None, shown, **quiet)
        shelf.delete(remove, None, shown, **quiet)
        audio.input(depths, audio, [below, duck], **quiet)
        score.click(lambda *words: ask(studio.score, *words), asked, shown, **quiet)
        another.click(lambda *words: ask(studio.score, *words, another=True), asked, shown, **quiet)
        redraw.click(ask_redraw, [spans, *asked], shown, **quiet)
        stop.click(lambda name: with_notice(lambda: studio.stop(name), name), chosen, shown, **quiet)
    return page


def html(name: str, value: Any = "", *, template: str = "${value}", script: str | None = None) -> gr.HTML:
    """A piece of the page of our own, without Gradio's styles."""
    return gr.HTML(value, html_template=template, js_on_load=script, elem_id=name, apply_default_css=False)


def script(name: str) -> str:
    """A script or style sheet of this package."""
    return (files("narrascore.studio") / name).read_text(encoding="utf-8")


def _modes(film: StudioFilm) -> list[str]:
    """What can be done with its sound, its default first."""
    if not film.data["has_picture"]:
        return ["music-only"]
    return list(AUDIO) if film.data["has_sound"] else ["replace", "music-only"]


def _revisions(films: list[StudioFilm], film: StudioFilm | None, studio: Studio) -> dict[str, str]:
    """Words that are others as soon as there is something new to show; progress within a stage is nothing new."""
    about = {"shelf": f"{[each.id for each in films]} {film and film.id} {studio.worker.running}"}
    if film is None:
        return about
    changed = [
        path.stat().st_mtime_ns if path.is_file() else 0 for path in (film.folder / STATE_FILE, film.job / "curve.csv")
    ]
    return {
        **about,
        "film": f"{film.id} {studio.worker.place(film.id)} {changed}",
        "form": f"{film.id} {film.wish.done()}",
    }


def theme(fonts: list[str]) -> gr.themes.Base:
    """Plain, in the fonts that the machine has: nothing is fetched."""
    return gr.themes.Base(
        primary_hue="neutral", secondary_hue="neutral", neutral_hue="neutral", font=fonts, font_mono=["ui-monospace"],
        radius_size="lg", text_size="md",
    ).set(
        body_background_fill="#fcfcfb", body_background_fill_dark="#181817",
        block_background_fill="transparent", block_background_fill_dark="transparent",
        block_border_width="0px", block_padding="0px", block_shadow="none", layout_gap="18px",
        block_label_background_fill="transparent", block_label_background_fill_dark="transparent",
        block_title_text_weight="600", block_label_text_weight="600",
        button_primary_background_fill="#1d1d1b", button_primary_background_fill_dark="#ececea",
        button_primary_background_fill_hover="#3a3a37", button_primary_background_fill_hover_dark="#ffffff",
        button_primary_text_color="#ffffff", button_primary_text_color_dark="#181817",
    )  # fmt: skip
