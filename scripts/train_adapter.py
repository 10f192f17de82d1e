"""Train the adapter: `narrascore train-adapter`, from a checkout."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from narrascore.cli.main import main

sys.exit(main(["train-adapter", *sys.argv[1:]]))
