"""Inspects the export named on the command line; the last line on standard output is the findings as JSON."""

import json
import sys

from .findings import findings

if __name__ == "__main__":
    print(json.dumps(list(findings(sys.argv[1]))))
