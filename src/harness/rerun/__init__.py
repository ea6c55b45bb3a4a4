"""A session run again: the person's words and the tools' results from its journal, the answers from a recording.

All that makes requests of them is what it is in any session: decoding, the loop, compaction, tools' specs, encoding.
`plan` reads the journal, `cassette` the recording, `player` stands in for what cannot happen again, `run` does it.
"""

from harness.rerun.cassette import Cassette
from harness.rerun.difference import Difference
from harness.rerun.plan import Plan
from harness.rerun.run import rerun

__all__ = ["Cassette", "Difference", "Plan", "rerun"]
