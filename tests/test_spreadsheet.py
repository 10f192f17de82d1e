"""Tables as spreadsheets write them: read where their meaning is plain, refused in one line where it is not."""

from pathlib import Path

import numpy as np
import pytest

from narrascore.affect import AffectCurve
from narrascore.errors import InputError

TABLE = "time_seconds,valence,arousal\n0,0.25,-0.5\n1,-0.125,1\n"
GERMAN = TABLE.replace(",", ";").replace(".", ",")


@pytest.mark.parametrize(
    "data",
    [
        TABLE.encode("utf-8-sig"),
        TABLE.replace("\n", "\r\n").encode(),
        TABLE.replace(",", ";").encode(),
        TABLE.replace(",", "\t").encode("utf-16"),
        GERMAN.replace("\n", "\r\n").encode("utf-8-sig"),
        GERMAN.replace(";", "\t").encode(),
        b'"time_seconds","valence","arousal"\n"0","0,25","-0,5"\n"1","-0,125","1"\n',
        b"Time_Seconds, valence , arousal,,\n0, .25, -5e-1,,\n,,,,\n1, -0.125, +1,,\n\n",
    ],
)
def test_what_a_spreadsheet_makes_of_a_curve_is_the_same_curve(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_bytes(data)
    assert AffectCurve.from_csv(tmp_path / "c.csv") == AffectCurve(np.array([[0.25, -0.5], [-0.125, 1]], np.float32))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TABLE.replace("0.25", "0,25"), "line 2: three values wanted, got 4; decimals with a comma want semicolons"),
        (GERMAN.replace("-0,125", "-0.125"), "line 3: decimals have a point or a comma, but not both.*0,25 and -0.125"),
        (GERMAN.replace("1;-0,125", "1.000,5;-0,125"), "line 3: '1.000,5' is not a finite number"),
        (GERMAN.replace("0,25", "01. Feb"), "line 2: '01. Feb' is not a finite number"),
        (TABLE.replace("valence", "pleasure"), "line 1: the columns must be time_seconds,valence,arousal"),
    ],
)
def test_a_table_whose_meaning_is_not_plain_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said) as caught:
        AffectCurve.from_csv(tmp_path / "c.csv")
    assert "\n" not in str(caught.value)
