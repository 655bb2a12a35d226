"""Random stories of launches and ends on a cloud with faults, over real HTTP: is a launch ever sent twice, a machine ever forgotten?

    python bench/lambda_faults.py [--stories 1000] [--first 0] [--output bench/results/lambda_faults.json]

The cloud is that of tests/lambda_cloud (it follows Lambda's API reference; nothing is asked of Lambda), behind an HTTP server on loopback; time
is told, not waited for; tunetui is killed at random moments and starts again.  What must hold in each story is in tests/lambda_cloud/stories.py.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.link_torture import circumstances  # noqa: E402
from tests.lambda_cloud.cloud import KEY, Cloud  # noqa: E402
from tests.lambda_cloud.server import served  # noqa: E402
from tests.lambda_cloud.stories import FAULTS, tell  # noqa: E402
from tunetui.hosts.lambda_cloud.key import ApiKey  # noqa: E402
from tunetui.hosts.lambda_cloud.wire import Wire, server_of  # noqa: E402


def main() -> None:
    """Tell them all, and write down what they came to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--stories", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--steps", type=int, default=12, help="of each story")
    parser.add_argument("--output", type=Path, default=ROOT / "bench" / "results" / "lambda_faults.json")
    asked = parser.parse_args()
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    begun = time.monotonic()
    memory = Path("/dev/shm")  # noqa: S108 - where the ledger's thousands of lines cost no disk
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        for seed in range(asked.first, asked.first + asked.stories):
            with ExitStack() as open_servers:

                def over_http(cloud: Cloud, stack: ExitStack = open_servers) -> Wire:
                    return Wire(server_of(stack.enter_context(served(cloud))), ApiKey(KEY))

                try:
                    story = tell(seed, Path(folder) / str(seed), steps=asked.steps, make_wire=over_http)
                except AssertionError as error:
                    wrong.append(str(error))
                    continue
            counts += story.counts
            counts["requests"] += len(story.cloud.requests)
            counts["launches that arrived"] += len(story.cloud.launches)
            counts["machines"] += len(story.cloud.machines)
            if seed % 50 == 0:
                print(f"{seed - asked.first + 1} of {asked.stories}, {len(wrong)} wrong", flush=True)
    result = {
        "what": "random stories of launches and ends on a mock of Lambda Cloud over HTTP on loopback, with faults and kills",
        **circumstances(),
        "seconds": round(time.monotonic() - begun, 1),
        "stories": asked.stories,
        "first_seed": asked.first,
        "never_launched_twice_and_nothing_forgotten": not wrong,
        "wrong": wrong,
        "faults": {fault: counts.pop(fault) for fault in FAULTS},
        "counts": dict(counts),
    }
    asked.output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
