"""`narrascore studio`: the page in the browser."""

from __future__ import annotations

from collections.abc import Sequence

from narrascore.cli.words import Parser
from narrascore.errors import UsageError

USAGE = "[flags] [key=value ...]"
DESCRIPTION = """\
A page in the browser, on this machine alone: drop a film, see where its emotion goes, drag the curve, change the
sentence, compare takes, take the results along. Nothing leaves the machine. Films and results are kept in a folder, so
that a studio started again goes on with them."""
PATHS_AND_TEXT = ("folder", "host", "eye", "probe", "music", "adapter", "soundfont")


def run(words: Sequence[str]) -> int:
    """Serve the page until it is ended."""
    line = _parser().take_apart(words)
    if line.names:
        raise UsageError(f"{line.names[0]}: films are dropped into the page; narrascore studio --help tells more")
    from narrascore.cli.config import compose_settings
    from narrascore.cli.settings import read_settings
    from narrascore.studio.serve import serve
    from narrascore.studio.settings import StudioSettings

    composed = compose_settings(
        "studio", line.flags, line.overrides, groups=("system", "primer"), verbatim=PATHS_AND_TEXT
    )
    serve(read_settings(StudioSettings, composed))
    return 0


def _parser() -> Parser:
    parser = Parser("studio", DESCRIPTION, USAGE)
    parser.add_argument("--folder", metavar="DIR", help="where films and results are kept (default outputs/studio)")
    parser.add_argument("--port", type=int, metavar="N", help="of the page; by default the first free one from 7860")
    parser.add_argument("--host", metavar="ADDRESS", help="of the page; only addresses of this machine itself")
    parser.add_argument("--open", dest="open_browser", action="store_true", help="show the page in the browser at once")
    parser.add_argument("--max-upload", dest="max_upload_mib", type=int, metavar="MIB", help="larger films are refused")
    parser.add_argument(
        "--keep-hours", dest="keep_hours", type=float, metavar="H", help="delete abandoned uploads after so long"
    )
    parser.add_argument("--system", metavar="NAME", help="embedded (default), paper, or a music model's folder")
    parser.add_argument("--eye", metavar="NAME", help="cinematic, vlm, or the folder or id of a VideoLLaMA3")
    parser.add_argument("--probe", metavar="FOLDER", help="a trained probe, or a folder of several")
    parser.add_argument("--music", metavar="NAME", help="embedded, musicgen, a folder or an id on the hub")
    parser.add_argument("--adapter", metavar="FOLDER", help="a trained adapter")
    parser.add_argument("--soundfont", metavar="SF2", help="another sound font for music written as notes")
    parser.add_argument("--device", help="cpu, cuda, mps or auto (default)")
    parser.add_argument("--offline", action="store_true", help="never ask the hub, nor any other host")
    return parser
