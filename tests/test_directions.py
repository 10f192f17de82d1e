from fractions import Fraction

import pytest

from narrascore.directions import Direction, parse_directions
from narrascore.errors import UsageError


def test_a_direction_asks_one_thing_of_one_stretch() -> None:
    texts = ["01:10-01:25 arousal=0.9", "2-3.5 valence=-1", "10:00-14:00 prompt=a lone piano, slow", "5-6 music=off"]
    assert parse_directions(texts) == (
        Direction(Fraction(70), Fraction(85), arousal=0.9),
        Direction(Fraction(2), Fraction(7, 2), valence=-1.0),
        Direction(Fraction(600), Fraction(840), prompt="a lone piano, slow"),
        Direction(Fraction(5), Fraction(6), music=False),
    )


@pytest.mark.parametrize(
    "text",
    ["", "1-2", "1-2 arousal", "1-2 arousal=", "1-2 arousal=loud", "1-2 arousal=1.5", "1-2 arousal=nan",
     "2-1 valence=0",
     "1-2 music=on", "1-2 tempo=3", "1 arousal=0", f"1-2 prompt={'a' * 5000}"],
)  # fmt: skip
def test_a_direction_that_makes_no_sense_is_one_line(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_directions([text])
    assert "\n" not in str(caught.value)
