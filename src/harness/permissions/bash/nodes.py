"""tree-sitter-bash's node types, sorted, and checks that its tree accounts for the text as bash would."""

import re
from typing import TYPE_CHECKING

from harness.permissions.tables import names

if TYPE_CHECKING:
    from tree_sitter import Node

STATEMENTS = names(
    "program list pipeline subshell compound_statement do_group redirected_statement negated_command command "
    "if_statement elif_clause else_clause while_statement for_statement case_statement case_item "
    "command_substitution process_substitution comment"
)
COMMANDS = names("command declaration_command unset_command variable_assignment variable_assignments")
WORDS = names(
    "word number string raw_string ansi_c_string translated_string concatenation simple_expansion expansion "
    "command_substitution process_substitution arithmetic_expansion brace_expression variable_name "
    "special_variable_name"
)
EXPANSIONS = names("simple_expansion expansion command_substitution process_substitution arithmetic_expansion")
SUBSTITUTIONS = names("command_substitution process_substitution")
REDIRECTS = names("file_redirect heredoc_redirect herestring_redirect")
BRANCHES = names("if_statement while_statement for_statement case_statement function_definition")
# Statements whose last command a redirection behind them belongs to, as against groups that it holds for.
CHAINS = names("list pipeline negated_command")
_WORDLIKE = WORDS | {"command_name", "variable_assignment"}
_BEFORE_COMMENT = re.compile(rb"(\A|(\A|[^\\])[ \t\n;&|()])\Z")
# Where one of these is a program's name, the grammar did not see the statement that it begins.
KEYWORDS = names("if then elif else fi for while until do done case esac select function { } in coproc")


def gap_problem(node: "Node", source: bytes) -> str:
    """What lies between a node's parts and is not accounted for by any; '' where nothing does."""
    if node.type in WORDS or node.type.startswith("heredoc"):
        return ""
    end, before = node.start_byte, ""
    blanks = b" \t" if node.type in COMMANDS | REDIRECTS else b" \t\n"  # the grammar may join two lines to one
    for child in node.children:
        if source[end : child.start_byte].replace(b"\\\n", b"").strip(blanks):
            return "a part of it is not understood"
        if child.type == "comment" and not _BEFORE_COMMENT.search(
            source, max(0, child.start_byte - 2), child.start_byte
        ):
            return "what looks like a comment may not be one"
        if child.start_byte == end and {child.type, before} <= _WORDLIKE and node.type in COMMANDS | REDIRECTS:
            return "its words run into each other"  # one word to bash
        before, end = child.type, max(end, child.end_byte)
    return ""


def plain_heredoc(node: "Node", source: bytes) -> bool:
    """Whether bash ends this document where the grammar does: at the first line that is the delimiter."""
    parts = {child.type: child for child in node.children}
    if "heredoc_start" not in parts or "heredoc_end" not in parts:
        return False
    start, end = parts["heredoc_start"], parts["heredoc_end"]
    begun = source[source.rfind(b"\n", 0, start.start_byte) + 1 :].partition(b"\n")[0]
    if len(re.findall(rb"(?<!<)<<(?!<)", begun)) > 1:
        return False  # of several in a line the grammar takes one's body for the other's
    name = re.fullmatch(rb"(['\"]?)(\w+)\1", source[start.start_byte : start.end_byte])
    tabs = b"\t" if any(child.type == "<<-" for child in node.children) else b""
    last = source[source.rfind(b"\n", 0, end.start_byte) + 1 :].partition(b"\n")[0]
    if not name or last.lstrip(tabs or b"\n") != name[2] or b"\n" not in source[start.end_byte : end.start_byte]:
        return False
    if "heredoc_body" not in parts:
        return True
    lines = source[parts["heredoc_body"].start_byte : end.start_byte].split(b"\n")
    return name[2] not in [line.lstrip(tabs) if tabs else line for line in lines]


def literal_heredoc(node: "Node", source: bytes) -> bool:
    """Whether a quoted delimiter keeps the document from being expanded."""
    starts = (child.start_byte for child in node.children if child.type == "heredoc_start")
    return any(source[start : start + 1] in {b"'", b'"'} for start in starts)
