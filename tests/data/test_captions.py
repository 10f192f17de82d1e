"""A caption says what the set says of the song, and nothing else."""

from __future__ import annotations

import pytest

from narrascore.data.captions import SongText, write_caption


@pytest.mark.parametrize(
    ("text", "caption"),
    [
        (SongText(), ""),
        (SongText(genres=("blues",)), "Blues music."),
        (SongText(tags=("calm", "piano")), "Music, calm, piano."),
        (SongText("Slow Rain"), "Music, titled Slow Rain."),
        (
            SongText("Slow Rain", ("electronic", "trip-hop"), ("chillout", "Electronic")),
            "Electronic, trip-hop music, chillout.\nElectronic, trip-hop music, chillout, titled Slow Rain.",
        ),
    ],
)
def test_a_caption_is_made_of_what_is_known(text: SongText, caption: str) -> None:
    assert write_caption(text) == caption
