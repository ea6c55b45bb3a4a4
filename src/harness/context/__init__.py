"""What the next request holds and whether it fits: accounting, and the compaction that makes it fit."""
