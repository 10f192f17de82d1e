"""Turn a downloaded, labelled set into what training reads: `narrascore prepare`, from a checkout."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from narrascore.cli.main import main

sys.exit(main(["prepare", *sys.argv[1:]]))
