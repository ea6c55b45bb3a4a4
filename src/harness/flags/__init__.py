"""The command line of a session. Light: `--help` needs nothing else."""

from harness.flags.foreign import VENDOR_FLAGS, nearest
from harness.flags.parse import Flags, parse
from harness.flags.table import OUTPUT_FORMATS, parser
from harness.flags.values import setting_sources

__all__ = ["OUTPUT_FORMATS", "VENDOR_FLAGS", "Flags", "nearest", "parse", "parser", "setting_sources"]
