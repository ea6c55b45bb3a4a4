"""The command line of a session. Light: `--help` needs nothing else."""

from harness.flags.parse import Flags, nearest, parse
from harness.flags.table import OUTPUT_FORMATS, VENDOR_FLAGS, parser
from harness.flags.values import setting_sources

__all__ = ["OUTPUT_FORMATS", "VENDOR_FLAGS", "Flags", "nearest", "parse", "parser", "setting_sources"]
