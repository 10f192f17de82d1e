"""Run by another Python, which has vibenet and nothing of ours: clips in, numbers out.

First it writes a line with vibenet's version. Then, for each clip, it reads the count of its bytes (uint32) and its
samples at 16 kHz (float32), and writes `OUTPUTS` float64; all little-endian. It ends with its input.
"""

from __future__ import annotations

import struct
import sys
from importlib.metadata import version

OUTPUTS = 7


def main() -> None:
    import numpy as np
    from vibenet import load_model  # type: ignore[import-not-found]
    from vibenet.core import SAMPLE_RATE, extract_mel  # type: ignore[import-not-found]

    session, source, sink = load_model().ort_sess, sys.stdin.buffer, sys.stdout.buffer
    sink.write(version("vibenet").encode() + b"\n")
    sink.flush()
    while header := source.read(4):
        clip = np.frombuffer(source.read(struct.unpack("<I", header)[0]), dtype="<f4")
        logits = session.run(None, {"x": extract_mel(clip, SAMPLE_RATE)[np.newaxis]})[0][0]
        sink.write(np.asarray(logits[:OUTPUTS], dtype="<f8").tobytes())
        sink.flush()


if __name__ == "__main__":
    main()
