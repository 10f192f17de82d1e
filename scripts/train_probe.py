"""Train the affect probe: `narrascore train-probe`, from a checkout."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from narrascore.cli.main import main

sys.exit(main(["train-probe", *sys.argv[1:]]))
