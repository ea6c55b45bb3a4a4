"""Bash command lines, read with tree-sitter's grammar into a `Script`.

This only decides how often to ask. It reads a string that a shell will read again, so it can be wrong, and it
never is the border: that is the sandbox. Hence what is not on a list is never approved, and every part of the
text must be accounted for.

The only module that imports tree_sitter: import it when a command must be judged, not at start-up.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from harness.permissions.bash.disguise import disguised
from harness.permissions.bash.flow import Flow
from harness.permissions.bash.script import Assignment, Command, Redirect, Script
from harness.permissions.bash.words import Word, read_word
from harness.permissions.bash.wrappers import base, wrapped
from harness.permissions.tables import names

LIMIT = 10_000  # characters; longer lines are still searched for what is denied, and always ask
_HARD_LIMIT = 1_000_000
_MOST_COMMANDS = 2_000
_DEPTH = 150  # of the syntax tree; Python's own recursion ends at about a thousand

_STATEMENTS = names(
    "program list pipeline subshell compound_statement do_group redirected_statement negated_command command "
    "if_statement elif_clause else_clause while_statement for_statement case_statement case_item "
    "command_substitution process_substitution"
)
_WORDS = names(
    "word number string raw_string ansi_c_string translated_string concatenation simple_expansion expansion "
    "command_substitution process_substitution arithmetic_expansion brace_expression"
)
_EXPANSIONS = names("simple_expansion expansion command_substitution process_substitution arithmetic_expansion")
_REDIRECTS = frozenset({"file_redirect", "heredoc_redirect", "herestring_redirect"})
_BEFORE_COMMENT = frozenset({b"", b" ", b"\t", b"\n", b";", b"&", b"|", b"(", b")"})
_MOVERS = frozenset({"cd", "pushd", "popd"})
_BRANCHES = frozenset({"if_statement", "while_statement", "for_statement", "case_statement", "function_definition"})
_TEST = re.compile(r"\[\[?\s+(!\s+)?(-[bcdefhknprsuwxzLS]\s+[\w./-]+|[\w./-]+\s+(=|==|!=)\s+[\w./-]+)\s+\]\]?\Z")


@lru_cache(maxsize=1)
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bash.language()))


@lru_cache(maxsize=256)
def parse(text: str, cwd: Path, home: Path) -> Script:
    """Take a command line apart. Pure, total, and linear in the text's length (up to a hard limit)."""
    problems = [f"it has more than {LIMIT:,} characters"] if len(text) > LIMIT else []
    problems += disguised(text)
    if len(text) > _HARD_LIMIT:
        return Script(text, unreadable=tuple(problems))
    readings = [text, text.replace("\\\n", "")] if "\\\n" in text else [text]
    walks = [_Walk(reading, cwd, home) for reading in readings]
    for walk in walks:
        problems += walk.unreadable
    return Script(
        text,
        tuple(command for walk in walks for command in walk.commands),
        tuple(dict.fromkeys(problems)),
        tuple(dict.fromkeys(note for walk in walks for note in walk.unlisted)),
    )


class _Walk:
    """One pass over the syntax tree, in the order of execution, gathering simple commands."""

    def __init__(self, text: str, cwd: Path, home: Path) -> None:
        self.commands: list[Command] = []
        self.unreadable: list[str] = []
        self.unlisted: list[str] = []
        self._source = text.encode("utf-8", "surrogatepass")
        self._flow = Flow(cwd, home)
        self._depth = 0
        self._background = False
        root = _parser().parse(self._source).root_node
        if root.has_error:
            self.unreadable.append("it is not a command line that can be parsed")
        self._visit(root)

    # -- statements

    def _visit(self, node: Node) -> None:
        self._depth += 1
        if self._depth > _DEPTH or len(self.commands) >= _MOST_COMMANDS:
            self.unreadable.append("it is nested too deeply or has too many parts")
        else:
            self._statement(node)
        self._depth -= 1

    def _statement(self, node: Node) -> None:
        kind = node.type
        if kind in _REDIRECTS:
            self._loose_redirect(node)
        elif kind in {"command", "declaration_command", "unset_command", "variable_assignment", "variable_assignments"}:
            self._command(node, ())
        elif kind == "test_command":
            self._test(node)
        elif kind == "redirected_statement":
            self._redirected(node)
        elif kind == "list":
            self._list(node)
        elif kind in _BRANCHES:
            self._branch(node)
        elif kind in {"subshell", "pipeline", "command_substitution", "process_substitution"}:
            with self._flow.enclosed():
                self._children(node)
        else:
            if node.is_named and kind not in _STATEMENTS | _WORDS and kind != "comment":
                self._note(kind)
            self._children(node)

    def _note(self, kind: str) -> None:
        if kind != "ERROR":
            self.unlisted.append(f"it uses a construct that is not judged ({kind.replace('_', ' ')})")

    def _children(self, node: Node) -> None:
        """Statements one after the other; a following `&` sends one to the background."""
        self._covered(node)
        children = node.children
        for index, child in enumerate(children):
            behind = index + 1 < len(children) and children[index + 1].type == "&"
            before, self._background = self._background, self._background or behind
            self._visit(child)
            self._background = before
            self._flow.settle()

    def _covered(self, node: Node) -> None:
        """No text may lie between the parts the grammar names, else we would not have seen it."""
        if node.type in _WORDS or node.type.startswith("heredoc"):
            return
        end = node.start_byte
        for child in node.children:
            gap = self._source[end : child.start_byte]
            if gap.replace(b"\\\n", b"").strip(b" \t\n"):
                self.unreadable.append("a part of it is not understood")
            before = self._source[child.start_byte - 1 : child.start_byte]
            if child.type == "comment" and before not in _BEFORE_COMMENT:
                self.unreadable.append("what looks like a comment may not be one")
            end = max(end, child.end_byte)

    def _list(self, node: Node) -> None:
        left, operator, right = node.children[0], node.children[1:-1], node.children[-1]
        self._covered(node)
        self._visit(left)
        if any(token.type == "&&" for token in operator):
            self._visit(right)
        else:
            self._flow.settle()
            self._visit(right)
            self._flow.settle()

    def _branch(self, node: Node) -> None:
        """Loops, conditions, functions: their commands count as run; a `cd` in one makes the place unknown."""
        if node.type == "function_definition":
            self._note(node.type)
        variable = node.child_by_field_name("variable")
        name = self._text(variable) if variable is not None else "_"
        if not re.fullmatch(r"[a-z_][a-z0-9_]*", name) or "proxy" in name:
            self.unlisted.append(f"it assigns the variable {name}")
        before = self._flow.here
        self._covered(node)
        for child in node.children:
            if child.type in _WORDS:
                self._word(child)
            else:
                self._visit(child)
                self._flow.settle()
        if self._flow.here != before:
            self._flow.lose()
            self.unlisted.append("it changes directory inside a loop, branch or function")

    def _redirected(self, node: Node) -> None:
        self._covered(node)
        body = node.child_by_field_name("body")
        redirects = [child for child in node.children if child.type in _REDIRECTS]
        if body is None or body.type in {"command", "declaration_command", "unset_command", "variable_assignment"}:
            self._command(body or node, redirects)
            return
        self._visit(body)
        for redirect in redirects:
            self._loose_redirect(redirect)

    def _loose_redirect(self, node: Node) -> None:
        """A redirect of a group or of nothing: a command without words, so that its target is judged."""
        self._add(Command(self._text(node), redirects=tuple(self._redirects(node))))

    # -- simple commands

    def _command(self, node: Node, redirects: list[Node] | tuple[()]) -> None:
        words: list[Word] = []
        assignments: list[Assignment] = []
        found: list[Redirect] = []
        if node.type == "redirected_statement":
            parts = []
        else:
            parts = node.children if node.type != "variable_assignment" else [node]
            if parts != [node]:
                self._covered(node)
        for part in parts:
            if part.type == "variable_assignment":
                assignments.append(self._assignment(part))
            elif part.type in _REDIRECTS:
                found += self._redirects(part)
            elif part.type == "command_name":
                words.append(self._word(part.children[0] if part.children else part))
            elif part.type in _WORDS or not part.is_named or part.type in {"variable_name", "special_variable_name"}:
                words.append(self._word(part))
            else:
                self._note(part.type)
                words.append(self._word(part))
        if node.type in {"declaration_command", "unset_command"}:
            words += [Word(item.value.raw, f"{item.name}={item.value.text}", item.value.loose) for item in assignments]
            assignments = []
        for redirect in redirects:
            found += self._redirects(redirect)
        self._add(Command(self._text(node), tuple(words), tuple(assignments), tuple(found)))

    def _add(self, command: Command) -> None:
        if command.words and not command.words[0].literal:
            self.unlisted.append("which program it runs is known only when it runs")
        loose = {kind for word in command.words for kind in word.loose}
        if "complex" in loose:
            self.unlisted.append("it uses an expansion that may execute or assign")
        if "unsure" in loose:
            self.unreadable.append("its quoting is not understood")
        placed = Command(
            command.raw, command.words, command.assignments, command.redirects,
            self._flow.here, self._background, self._flow.moved,
        )  # fmt: skip
        self.commands.append(placed)
        if placed.program in _MOVERS:
            self._flow.change(placed)
        elif any(base(words[0]) in _MOVERS for words in wrapped(placed.words)[0]):
            self._flow.lose()

    def _test(self, node: Node) -> None:
        """`[ -f x ]` and the like: a command if it is of the simplest form, else only searched."""
        text = self._text(node)
        if _TEST.match(text):
            self._add(Command(text, tuple(read_word(part) for part in text.split())))
            return
        self._note(node.type)
        for part in node.children:
            self._word(part)

    def _assignment(self, node: Node) -> Assignment:
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is not None and name.type != "variable_name":
            self.unlisted.append("it assigns an array element")
            self._word(name)
        text = self._text(name) if name is not None else ""
        if self._text(node).startswith(text + "+="):
            text += "+"
        return Assignment(text, self._word(value) if value is not None else Word("", ""))

    def _redirects(self, node: Node) -> Iterator[Redirect]:
        if node.type != "file_redirect":  # here-documents and -strings: commands may hide inside
            if node.type == "heredoc_redirect" and not self._plain_heredoc(node):
                self.unreadable.append("where its here-document ends is not certain")
            for child in node.children:
                if child.type in _REDIRECTS:
                    yield from self._redirects(child)
                elif child.type in _WORDS | {"heredoc_body"}:
                    self._word(child)
                elif child.is_named and not child.type.startswith("heredoc"):
                    self._visit(child)
            return
        operator = next((child.type for child in node.children if not child.is_named), "")
        targets = [child for child in node.children if child.is_named and child.type != "file_descriptor"]
        for target in targets:
            yield Redirect(operator, self._word(target))
        if not targets and not operator.endswith("-"):
            self.unreadable.append("a redirection has no target")

    def _plain_heredoc(self, node: Node) -> bool:
        """Whether bash ends this document where the grammar does: at the first line that is the delimiter."""
        parts = {child.type: child for child in node.children}
        delimiter = self._text(parts["heredoc_start"]) if "heredoc_start" in parts else ""
        name = re.fullmatch(r"(['\"]?)(\w+)\1", delimiter)
        if not name or "heredoc_end" not in parts:
            return False
        if "heredoc_body" not in parts:
            return True
        body = self._source[parts["heredoc_body"].start_byte : parts["heredoc_end"].start_byte].decode(
            "utf-8", "replace"
        )
        strip = "\t" if any(child.type == "<<-" for child in node.children) else ""
        return not any(line.lstrip(strip) == name[2] if strip else line == name[2] for line in body.split("\n"))

    # -- words

    def _word(self, node: Node) -> Word:
        """Read a word, and visit every command inside it."""
        start, raw = node.start_byte, self._source[node.start_byte : node.end_byte]
        expansions: dict[int, tuple[int, str]] = {}
        for inner in self._expansions(node):
            begin = len(raw[: inner.start_byte - start].decode("utf-8", "replace"))
            expansions[begin] = (begin + len(self._text(inner)), inner.type)
        if node.type == "heredoc_body":
            return Word("", "")
        return read_word(raw.decode("utf-8", "replace"), expansions)

    def _expansions(self, node: Node) -> Iterator[Node]:
        """The outermost expansions of a word; commands anywhere inside them are visited on the way."""
        stack = [node]
        while stack:
            current = stack.pop()
            if current.type in _EXPANSIONS:
                yield current
                self._substitutions(current)
            else:
                stack += reversed(current.children)

    def _substitutions(self, node: Node) -> None:
        stack = [node]
        while stack:
            current = stack.pop()
            if current.type in {"command_substitution", "process_substitution"}:
                with self._flow.enclosed():
                    self._visit(current)
            else:
                stack += reversed(current.children)

    def _text(self, node: Node) -> str:
        return self._source[node.start_byte : node.end_byte].decode("utf-8", "replace")
