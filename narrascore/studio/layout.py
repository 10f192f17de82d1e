"""What stands on the page, from top to bottom, and how it looks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from importlib.resources import files
from typing import Any

import gradio as gr

from narrascore.anchor import MAX_FIELD_CHARACTERS

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
FONTS = ("ui-sans-serif", "system-ui", "sans-serif")


@dataclass(frozen=True, eq=False)
class Layout:
    """The components that are read or written; `chosen` and `seen` are this tab's own: its film, what it was told."""

    chosen: gr.State
    seen: gr.State
    shelf: gr.HTML
    empty: gr.HTML
    drop: gr.HTML
    notice: gr.HTML
    work: gr.Column
    status: gr.HTML
    player: gr.HTML
    sentence: gr.Textbox
    unknown: gr.HTML
    cues: gr.Textbox
    audio: gr.Radio
    below: gr.Slider
    duck: gr.Slider
    loudness: gr.Dropdown
    desk: gr.HTML
    score: gr.Button
    another: gr.Button
    stop: gr.Button
    spans: gr.Textbox
    redraw: gr.Button
    downloads: gr.HTML

    @property
    def shown(self) -> list[Any]:
        """All of them: what an answer may change."""
        return [getattr(self, each.name) for each in fields(self)]

    @property
    def asked(self) -> list[Any]:
        """What a wish is made of, in the order in which `Page` takes it."""
        return [self.chosen, self.sentence, self.cues, self.audio, self.below, self.duck, self.loudness, self.desk]


def lay_out(limit: dict[str, Any]) -> Layout:
    """Make the components, inside of `gr.Blocks`.

    Args:
        limit: of uploads, for `drop.js`.
    """
    part: dict[str, Any] = {"chosen": gr.State(""), "seen": gr.State({})}
    _html("header", HEADER)
    part["shelf"] = _html("shelf", script=SHELF_SCRIPT)
    part["empty"] = _html("empty", EMPTY)
    part["drop"] = _html("drop", limit, template=DROP, script=package_text("drop.js"))
    part["notice"] = _html("notice")
    with gr.Column(visible=False, elem_id="work") as part["work"]:
        part["status"] = _html("status")
        with gr.Row(elem_id="upper"):
            with gr.Column(scale=3, min_width=320):
                part["player"] = _html("player", {}, template="", script=package_text("player.js"))
            with gr.Column(scale=2, min_width=300, elem_id="wishes"):
                part |= _wishes()
        part["desk"] = _html("desk", {}, template="", script=package_text("curve.js"))
        with gr.Row(elem_id="actions"):
            part["score"] = gr.Button("Score again", variant="primary", elem_id="score")
            part["another"] = gr.Button("Another take", elem_id="another")
            part["stop"] = gr.Button("Stop", elem_id="stop", visible=False)
        with gr.Row(elem_id="redraw-row"):
            part["spans"] = gr.Textbox(
                label="Redraw a stretch", placeholder="0:12-0:20", elem_id="spans", scale=3,
                info="Other music for this stretch alone. Separate several by semicolons.",
            )  # fmt: skip
            part["redraw"] = gr.Button("Redraw", elem_id="redraw", scale=1, min_width=120)
        part["downloads"] = _html("downloads")
    return Layout(**part)


def _wishes() -> dict[str, Any]:
    """The music and the mix."""
    return {
        "sentence": gr.Textbox(
            label="Music", lines=3, max_lines=6, max_length=MAX_FIELD_CHARACTERS, elem_id="sentence",
            info="Genre, instruments, mood and pace. Empty, it is what the film asks for.",
        ),
        "unknown": _html("unknown"),
        "cues": gr.Textbox(
            label="Where there is music", elem_id="cues",
            info="Such as 0:00-0:40; 1:10-2:00, with silence between. auto proposes it; empty, it is everywhere.",
        ),
        "audio": gr.Radio([], label="The film's own sound", elem_id="audio"),
        "below": gr.Slider(0, 20, step=0.5, label="Music below the film's sound (LU)", elem_id="below"),
        "duck": gr.Slider(0, 20, step=0.5, label="Further down under speech (dB)", elem_id="duck"),
        "loudness": gr.Dropdown(list(LOUDNESS), label="Loudness of the scored film", elem_id="loudness"),
    }  # fmt: skip


def _html(name: str, value: Any = "", *, template: str = "${value}", script: str | None = None) -> gr.HTML:
    """A piece of the page of our own, without Gradio's styles."""
    return gr.HTML(value, html_template=template, js_on_load=script, elem_id=name, apply_default_css=False)


def package_text(name: str) -> str:
    """A script or style sheet of this package."""
    return (files("narrascore.studio") / name).read_text(encoding="utf-8")


def theme() -> gr.themes.Base:
    """Plain, in the fonts that the machine has: nothing is fetched."""
    return gr.themes.Base(
        primary_hue="neutral", secondary_hue="neutral", neutral_hue="neutral", font=list(FONTS),
        font_mono=["ui-monospace"], radius_size="lg", text_size="md",
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
