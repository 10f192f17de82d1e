"""Accompaniment patterns, written as small piano rolls: one character a sixteenth.

Inner voices (low, middle, high):   x onset   - held   . silent
Bass:                               R root   5 fifth   8 octave   3 third   a step into the next chord   - .  as above
Percussion:                         X strong   x soft   . nothing

A held tone is struck again where the chord under it changes.
"""

from __future__ import annotations

INNER_4: dict[str, tuple[str, str, str]] = {
    "pad": ("x---------------", "x---------------", "x---------------"),
    "thin pad": ("................", "x---------------", "x---------------"),
    "entering": ("x---------------", "....x-----------", "........x-------"),
    "halves": ("x-------x-------", "x-------x-------", "x-------x-------"),
    "quarter arpeggio": ("x---....x---....", "....x-------....", "............x---"),
    "broken": ("x-------x-------", "..x-------x-----", "....x-------x---"),
    "soft pulse": ("x---x---x---x---", "x---------------", "x---------------"),
    "two and four": ("................", "....x-......x-..", "....x-......x-.."),
    "alberti": ("x---....x---....", "..x-..x-..x-..x-", "....x-......x-.."),
    "rolling": ("x-....x-....x-..", "..x-....x-....x-", "....x-....x-...."),
    "offbeats": ("................", "..x...x...x...x.", "..x...x...x...x."),
    "comping": ("................", "x---..x---......", "x---..x---......"),
    "late comping": ("................", "......x-..x---..", "......x-..x---.."),
    "strum": ("x-------x-------", "....x-x-....x-x-", "....x-x-....x-x-"),
    "pulse": ("x.x.x.x.x.x.x.x.", "x---------------", "x---------------"),
    "ticking": ("................", "x-x-x-x-x-x-x-x-", "x---------------"),
    "sequencer": ("x.....x.....x...", "..x.....x.....x.", "....x.....x....."),
    "sixteenths": ("x.......x.......", ".x.x.x...x.x.x..", "......x.......x."),
    "spiccato": ("x.x.x.x.x.x.x.x.", "................", "x-------x-------"),
    "tresillo": ("x--...x--...x---", "x--...x--...x---", "x--...x--...x---"),
    "stabs": ("x.....x.........", "x.....x.........", "x.....x........."),
    "eighth chords": ("x.x.x.x.x.x.x.x.", "x-------x-------", "x---------------"),
    "fast pad": ("x---------------", "x---------------", "x---------------"),
    "fast pulse": ("x...x...x...x...", "x---------------", "x---------------"),
    "fast stabs": ("x.....x.........", "x.....x.........", "x.....x........."),
    "fast offbeats": ("................", "....x.......x...", "....x.......x..."),
    "fast broken": ("x-------x-------", "....x-------....", "............x---"),
}
INNER_3: dict[str, tuple[str, str, str]] = {
    "pad": ("x-----------", "x-----------", "x-----------"),
    "entering": ("x-----------", "....x-------", "........x---"),
    "oompah": ("............", "....x-..x-..", "....x-..x-.."),
    "broken": ("x---........", "..x-......x-", "....x---x-.."),
    "rolling": ("x-....x-....", "..x-......x-", "....x-..x-.."),
    "full oompah": ("x-..........", "....x-..x-..", "....x-..x-.."),
    "hemiola": ("x-..x-..x-..", "..x-....x-..", "....x-....x-"),
    "fast oompah": ("............", "....x-..x-..", "....x-..x-.."),
    "fast pad": ("x-----------", "x-----------", "x-----------"),
}

BASS_4: dict[str, str] = {
    "pedal": "R---------------", "halves": "R-------R-------", "root fifth": "R-------5-------",
    "dotted": "R-----..R-------",
    "quarters": "R---R---R---R---", "root fifth quarters": "R-..5-..R-..5-..", "walking": "R---3---5---a---",
    "arpeggio": "R---5---8---5---", "eighths": "R-R-R-R-R-R-R-R-", "short eighths": "R.R.R.R.R.R.R.R.",
    "octaves": "R.8.R.8.R.8.R.8.", "tresillo": "R-----R-----R---", "syncopated": "R--R--R-..R-R---",
    "offbeat eighths": "..R...R...R...R.", "driving": "R.R.R.R.R.R.5.a.", "push": "R-----R-....R.5.",
    "fast quarters": "R...R...R...R...", "fast walking": "R---3---5---a---", "fast root fifth": "R---....5---....",
    "fast push": "R-....R-R-..R-..", "fast octaves": "R...8...R...8...", "fast pedal": "R-------R-------",
}  # fmt: skip
BASS_3: dict[str, str] = {
    "pedal": "R-----------", "downbeat": "R---........", "root fifth": "R-----5-----", "walking": "R---3---5---",
    "arpeggio": "R---5---8---", "leading": "R-------5-a-", "fast downbeat": "R---........",
    "fast leading": "R-------5---",
}  # fmt: skip

Strokes = dict[str, str]
"""Stroke name -> its row. Strokes of one hand (low or high) that fall together: the one written first sounds."""

PERCUSSION: dict[str, tuple[tuple[Strokes, ...], tuple[Strokes, ...], tuple[Strokes, ...]]] = {
    "ambient": (
        ({"triangle": "x..............."}, {"shaker": "....x.......x..."}),
        (
            {"timpani": "x...............", "shaker": "x...x...x...x..."},
            {"timpani": "x.......x.......", "triangle": "....x.......x..."},
        ),
        (
            {"timpani": "X.......x.......", "shaker": "X...x...X...x..."},
            {"taiko": "X.......x...x...", "shaker": "X...x...X...x..."},
        ),
    ),
    "minimal": (
        ({"shaker": "x...x...x...x..."}, {"woodblock": "....x.......x..."}),
        (
            {"kick": "X.......x.......", "shaker": "x.x.X.x.x.x.X.x."},
            {"kick": "X.....x.........", "woodblock": "..x...x...x...x."},
        ),
        (
            {"kick": "X.......X.......", "shaker": "x...X...x...X..."},
            {"kick": "X.....x.X.......", "woodblock": "....X.......X..."},
        ),
    ),
    "romance": (
        ({"triangle": "x..........."}, {"tambourine": "....x...x..."}),
        (
            {"timpani": "x...........", "tambourine": "....x...x..."},
            {"timpani": "X.......x...", "snare": "....x.x.x..."},
        ),
        (
            {"timpani": "X...........", "tambourine": "....X...x..."},
            {"timpani": "X.......x...", "snare": "....X...x..."},
        ),
    ),
    "drama": (
        ({"timpani": "x..............."}, {"timpani": "x.............x."}),
        (
            {"timpani": "X.......x.....x.", "snare": "....x...x...x..."},
            {"timpani": "X.....x.X.......", "snare": "....x.x.....x.x."},
        ),
        (
            {"timpani": "X...x...X...x...", "snare": "....X...x...X..."},
            {"timpani": "X.....x.X...x...", "snare": "x...X...x...X..."},
        ),
    ),
    "epic": (
        ({"taiko": "X...........x..."}, {"taiko": "X.....x........."}),
        (
            {"taiko": "X.....X.....X.x.", "snare": "....x.......x..."},
            {"taiko": "X..x..X.X..x..X.", "crash": "X..............."},
        ),
        (
            {"taiko": "X...X...X...X...", "snare": "....X.......X..."},
            {"taiko": "X.....X.X.....X.", "snare": "x...X...x...X..."},
        ),
    ),
    "action": (
        ({"kick": "X...........x...", "closed hat": "x...x...x...x..."}, {"low tom": "X.....x.....x..."}),
        (
            {"kick": "X.....X...X.....", "snare": "....X.......X...", "closed hat": "x.....x.x.....x."},
            {"low tom": "X..X..X...X.x...", "snare": "....X.......X...", "closed hat": "x.......x......."},
        ),
        (
            {"kick": "X...X...X...X...", "snare": "....X.......X..."},
            {"kick": "X.....X.X.......", "snare": "....X.......X...", "closed hat": "x.......x......."},
        ),
    ),
    "suspense": (
        ({"side stick": "x.......x......."}, {"woodblock": "x...x...x...x..."}),
        (
            {"timpani": "X.............x.", "woodblock": "x.x.x.x.x.x.x.x."},
            {"low tom": "X.....x.........", "side stick": "x...x.x.x...x.x."},
        ),
        (
            {"timpani": "X.....X.........", "woodblock": "x...x...x...x..."},
            {"low tom": "X...X...X...X...", "snare": "........X......."},
        ),
    ),
    "electronic": (
        ({"closed hat": "..x...x...x...x."}, {"kick": "X.......X......."}),
        (
            {"kick": "X...X...X...X...", "clap": "....X.......X...", "closed hat": "..x...x...x...x."},
            {"kick": "X...X...X...X...", "open hat": "..X...X...X...X."},
        ),
        (
            {"kick": "X...X...X...X...", "clap": "....X.......X..."},
            {"kick": "X...X...X...X...", "open hat": "....X.......X..."},
        ),
    ),
    "noir": (
        ({"ride": "x...x...x...x..."}, {"closed hat": "....x.......x..."}),
        (
            {"kick": "x.......x.......", "ride": "X...x.x.X...x.x."},
            {"kick": "x.......x.......", "snare": "......x.........", "ride": "X...x...X...x.x."},
        ),
        (
            {"kick": "X.......x.......", "ride": "X...x...X...x..."},
            {"kick": "X.......x.......", "snare": "....X.......X..."},
        ),
    ),
    "folk": (
        ({"tambourine": "....x.......x..."}, {"shaker": "x...x...x...x..."}),
        (
            {"conga": "X.....x.X...x...", "tambourine": "....X.......X..."},
            {"kick": "X.......X.......", "shaker": "x.x.X.x.x.x.X.x."},
        ),
        (
            {"kick": "X.......X.......", "tambourine": "....X.......X..."},
            {"conga": "X.....x.X.......", "tambourine": "....X.......X..."},
        ),
    ),
    "comedy": (
        ({"woodblock": "..x...x...x...x."}, {"triangle": "x.......x......."}),
        (
            {"kick": "X.......X.......", "snare": "....x.......x.x."},
            {"kick": "X...x...X...x...", "woodblock": "..x...x...x.x.x."},
        ),
        (
            {"kick": "X.......X.......", "snare": "....X.......X..."},
            {"kick": "X...x...X...x...", "woodblock": "....X.......X..."},
        ),
    ),
    "rock": (
        ({"kick": "X.......x.......", "side stick": "....x.......x..."}, {"closed hat": "x...x...x...x..."}),
        (
            {"kick": "X.......X.X.....", "snare": "....X.......X...", "closed hat": "x.....x.x.....x."},
            {"kick": "X.....X.X.......", "snare": "....X.......X...", "ride": "x.......x......."},
        ),
        (
            {"kick": "X.......X.......", "snare": "....X.......X...", "crash": "X..............."},
            {"kick": "X.....X.X.......", "snare": "....X.......X...", "closed hat": "x.......x......."},
        ),
    ),
}
"""Per style: two patterns each for the tiers light, full and fastest."""

FILLS: dict[str, Strokes] = {
    "ambient": {"triangle": "............x..."},
    "minimal": {"woodblock": "............x.x."},
    "romance": {"timpani": "........x.x."},
    "drama": {"timpani": "............x.X."},
    "epic": {"taiko": "............XXXX"},
    "action": {"high tom": "............X...", "low tom": "..............X."},
    "suspense": {"timpani": "............x.x."},
    "electronic": {"clap": "............X.XX"},
    "noir": {"snare": "............x.x."},
    "folk": {"conga": "............x.x."},
    "comedy": {"woodblock": "............x.X."},
    "rock": {"high tom": "............X...", "mid tom": ".............x..", "low tom": "..............X."},
}
"""What the last beat of a phrase's fourth bar plays from the full tier on, in place of the pattern."""

Hand = dict[int, tuple[str, bool]]
"""Sixteenth -> (stroke, strong)."""
LOW_STROKES = frozenset({"kick", "low tom", "mid tom", "high tom", "timpani", "taiko", "conga"})
"""Strokes of the low hand; all others are the high hand's."""


def split_hands(strokes: Strokes) -> tuple[Hand, Hand]:
    """(low hand, high hand) of some strokes."""
    low: Hand = {}
    high: Hand = {}
    for name, row in strokes.items():
        hand = low if name in LOW_STROKES else high
        for at, mark in enumerate(row):
            if mark != ".":
                hand.setdefault(at, (name, mark == "X"))
    return low, high
