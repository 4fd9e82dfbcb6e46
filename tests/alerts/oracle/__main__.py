"""`python -m tests.alerts.oracle [part of a name]`: replay what AWS answered, print who agrees as one JSON document."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.alerts.oracle.all_scenarios import judged
from tests.alerts.oracle.sns_lambda import functions
from tests.alerts.stand import a_stand

if __name__ == "__main__":
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    with tempfile.TemporaryDirectory() as folder, a_stand(Path(folder)) as stand:
        stand.functions = functions(stand.folder)
        stand.start_subscribers()
        print(json.dumps(judged(stand, part), indent=1))
