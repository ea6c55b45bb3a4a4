"""Bash command lines, read with tree-sitter's grammar into a `Script`.

This only decides how often to ask. It reads a string that a shell will read again, so it can be wrong, and it
never is the border: that is the sandbox. Hence what is not on a list is never approved, and every part of the
text must be accounted for.

The only module that imports tree_sitter: import it when a command must be judged, not at start-up.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from harness.permissions.bash import nodes
from harness.permissions.bash.disguise import disguised
from harness.permissions.bash.flow import Flow
from harness.permissions.bash.rough import rough_commands
from harness.permissions.bash.script import Assignment, Command, Redirect, Script
from harness.permissions.bash.words import Word, read_document, read_test, read_word
from harness.permissions.bash.wrappers import base, wrapped

LIMIT = 10_000  # characters; longer lines are still searched for what is denied, and always ask
_HARD_LIMIT = 1_000_000
_MOST_COMMANDS = 2_000
_DEPTH = 150  # of the syntax tree; Python's own recursion ends at about a thousand
_MOVERS = frozenset({"cd", "pushd", "popd"})


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
    # bash joins lines at a backslash even in the middle of a word, the grammar does not: both readings count
    readings = [text, text.replace("\\\n", "")] if "\\\n" in text else [text]
    walks = [_Walk(reading, cwd, home) for reading in readings]
    for walk in walks:
        problems += walk.unreadable
    return Script(
        text,
        tuple(command for walk in walks for command in walk.commands),
        tuple(dict.fromkeys(problems)),
        tuple(dict.fromkeys(note for walk in walks for note in walk.unlisted)),
        tuple(rough_commands(text, cwd)) if any(walk.unreadable for walk in walks) else (),
    )


@dataclass(slots=True)
class _Parts:
    """A simple command as it is gathered. The grammar takes words behind a redirection for its targets."""

    words: list[Word] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)
    redirects: list[Redirect] = field(default_factory=list)


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

    def _visit(self, node: Node, redirects: Sequence[Node] = ()) -> None:
        """`redirects` stand behind the statement: for its last command, or for all of a group."""
        self._depth += 1
        if self._depth > _DEPTH or len(self.commands) >= _MOST_COMMANDS:
            self.unreadable.append("it is nested too deeply or has too many parts")
        else:
            self._statement(node, redirects)
        self._depth -= 1

    def _statement(self, node: Node, redirects: Sequence[Node]) -> None:
        kind = node.type
        if kind in nodes.COMMANDS:
            self._command(node, redirects)
        elif kind == "redirected_statement":
            self._redirected(node, redirects)
        elif kind == "list":
            self._list(node, redirects)
        elif kind in nodes.CHAINS:
            self._chain(node, redirects)
        else:
            self._group(node, node.type)
            if redirects:
                self._loose_redirects(redirects)

    def _group(self, node: Node, kind: str) -> None:
        if kind == "test_command":
            self._test(node)
        elif kind in nodes.BRANCHES:
            self._branch(node)
        elif kind in nodes.SUBSTITUTIONS or kind == "subshell":
            with self._flow.enclosed():
                self._children(node)
        elif kind in nodes.REDIRECTS:
            self._loose_redirects([node])
        else:
            if node.is_named and kind not in nodes.STATEMENTS | nodes.WORDS:
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
        if problem := nodes.gap_problem(node, self._source):
            self.unreadable.append(problem)

    def _list(self, node: Node, redirects: Sequence[Node]) -> None:
        self._covered(node)
        self._visit(node.children[0])
        joined = any(token.type == "&&" for token in node.children[1:-1])
        if not joined:
            self._flow.settle()
        self._visit(node.children[-1], redirects)
        if not joined:
            self._flow.settle()

    def _chain(self, node: Node, redirects: Sequence[Node]) -> None:
        """A pipeline's parts run in shells of their own, but the grammar also puts `cd x && y | z` here.

        Behind `!` what follows `&&` runs after a failure.
        """
        self._covered(node)
        before = self._flow.here
        for child in node.children:
            self._visit(child, redirects if child == node.children[-1] else ())
            self._flow.maybe(before)

    def _branch(self, node: Node) -> None:
        """Loops, conditions, functions: their commands count as run; a `cd` in one makes the place unknown."""
        if node.type == "function_definition":
            self._note(node.type)
        variable = node.child_by_field_name("variable")
        name = self._text(variable) if variable is not None else "_"
        if not re.fullmatch(r"[a-z_][a-z0-9_]*", name) or "proxy" in name:
            self.unlisted.append(f"it assigns the variable {name}")
        before, first = self._flow.here, len(self.commands)
        self._covered(node)
        for child in node.children:
            if child.type in nodes.WORDS:
                self._word(child)
            else:
                self._visit(child)
                self._flow.settle()
        moves = self._flow.here != before
        if moves:
            self._flow.lose()
            self.unlisted.append("it changes directory inside a loop, branch or function")
        if moves or node.type == "function_definition":  # a later round, or the place of the call
            self.commands[first:] = [replace(command, cwds=(None,)) for command in self.commands[first:]]

    def _redirected(self, node: Node, more: Sequence[Node]) -> None:
        self._covered(node)
        body = node.child_by_field_name("body")
        redirects = [*(child for child in node.children if child.type in nodes.REDIRECTS), *more]
        if body is None:
            self._loose_redirects(redirects)
        else:
            self._visit(body, redirects)

    def _loose_redirects(self, redirects: Sequence[Node]) -> None:
        """Those of a group or of nothing: a command without words, so that their targets are judged."""
        parts = _Parts()
        for redirect in redirects:
            self._redirect(redirect, parts)
        if parts.words:
            self.unreadable.append("words stand behind a redirection of a group")
        self._add(" ".join(map(self._text, redirects)), parts)

    # -- simple commands

    def _command(self, node: Node, redirects: Sequence[Node]) -> None:
        parts = _Parts()
        self._covered(node)
        for child in [node] if node.type == "variable_assignment" else node.children:
            if child.type == "variable_assignment":
                parts.assignments.append(self._assignment(child))
            elif child.type in nodes.REDIRECTS:
                self._redirect(child, parts)
            else:
                inner = child.children[0] if child.type == "command_name" and child.children else child
                if inner.is_named and inner.type not in nodes.WORDS:
                    self._note(inner.type)
                parts.words.append(self._word(inner))
        if node.type in {"declaration_command", "unset_command"}:  # `export A=b`: the assignments are its words
            parts.words += [Word(a.value.raw, f"{a.name}={a.value.text}", a.value.loose) for a in parts.assignments]
            parts.assignments = []
        for redirect in redirects:
            self._redirect(redirect, parts)
        self._add(self._text(node), parts)

    def _add(self, raw: str, parts: _Parts) -> None:
        words = tuple(parts.words)
        if words and not words[0].literal:
            self.unlisted.append("which program it runs is known only when it runs")
        if words and words[0].raw in nodes.KEYWORDS:
            self.unreadable.append(f"`{words[0].raw}` stands where a program should")
        command = Command(
            raw,
            words,
            tuple(parts.assignments),
            tuple(parts.redirects),
            self._flow.here,
            self._background,
            self._flow.moved,
        )
        self.commands.append(command)
        if command.program in _MOVERS:
            self._flow.change(command)
        elif any(base(behind[0]) in _MOVERS for behind in wrapped(words)[0]):
            self._flow.lose()

    def _test(self, node: Node) -> None:
        """`[ -f x ]` and the like: a command if it is of the simplest form, else only searched."""
        text = self._text(node)
        if words := read_test(text):
            self._add(text, _Parts(words))
            return
        self._note(node.type)
        for part in node.children:
            self._word(part)

    def _assignment(self, node: Node) -> Assignment:
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is not None and name.type != "variable_name":
            self.unlisted.append("it assigns an array element")
            self._word(name)
        text = self._text(node).partition("=")[0] if name is not None else ""  # `A+` of `A+=b`
        return Assignment(text, self._word(value) if value is not None else Word("", ""))

    def _redirect(self, node: Node, parts: _Parts) -> None:
        """Read a redirection; words that the grammar puts behind its target belong to the command."""
        self._covered(node)
        if node.type != "file_redirect":
            self._here_document(node, parts)
            return
        operator = next((child.type for child in node.children if not child.is_named), "")
        words = [self._word(child) for child in node.children if child.is_named and child.type != "file_descriptor"]
        if operator.endswith("-"):  # `>&-` has no target
            words.insert(0, Word("-", "-"))
        elif not words:
            self.unreadable.append("a redirection has no target")
        parts.redirects += [Redirect(operator, word) for word in words[:1]]
        parts.words += words[1:]

    def _here_document(self, node: Node, parts: _Parts) -> None:
        """A here-document or -string; the rest of its line stands inside its node."""
        if node.type == "heredoc_redirect" and not nodes.plain_heredoc(node, self._source):
            self.unreadable.append("where its here-document ends is not certain")
        literal = nodes.literal_heredoc(node, self._source)
        for child in node.children:
            if child.type in nodes.REDIRECTS:
                self._redirect(child, parts)
            elif (child.type == "heredoc_body" and not literal) or (
                child.type in nodes.WORDS and node.type == "herestring_redirect"
            ):
                self._word(child)
            elif child.type in nodes.WORDS:
                parts.words.append(self._word(child))
            elif child.is_named and not child.type.startswith("heredoc"):
                self._visit(child)

    # -- words

    def _word(self, node: Node) -> Word:
        """Read a word, and visit every command inside it."""
        start, raw = node.start_byte, self._source[node.start_byte : node.end_byte]
        expansions: dict[int, tuple[int, str]] = {}
        for inner in self._expansions(node):
            begin = len(raw[: inner.start_byte - start].decode("utf-8", "replace"))
            expansions[begin] = (begin + len(self._text(inner)), inner.type)
        text = raw.decode("utf-8", "replace")
        word = read_document(text, expansions) if node.type == "heredoc_body" else read_word(text, expansions)
        if "complex" in word.loose:
            self.unlisted.append("it uses an expansion that may execute or assign")
        if "unsure" in word.loose:
            self.unreadable.append("its quoting is not understood")
        return word

    def _expansions(self, node: Node) -> Iterator[Node]:
        """The outermost expansions of a word; commands anywhere inside them are visited on the way."""
        stack = [node]
        while stack:
            current = stack.pop()
            if current.type in nodes.EXPANSIONS:
                yield current
                self._substitutions(current)
            else:
                stack += reversed(current.children)

    def _substitutions(self, node: Node) -> None:
        stack = [node]
        while stack:
            current = stack.pop()
            if current.type in nodes.SUBSTITUTIONS:
                with self._flow.enclosed():
                    self._visit(current)
                self._backticks(self._text(current))
            else:
                stack += reversed(current.children)

    def _backticks(self, text: str) -> None:
        """Backslashes inside backticks are read twice, which the grammar does not do."""
        if not (text.startswith("`") and "\\" in text) or self._depth > _DEPTH // 10:
            return
        self.unlisted.append("it has backslashes inside backticks")
        here = self._flow.here[0] or self._flow.home
        inner = _Walk(re.sub(r"\\([$`\\])", r"\1", text[1:-1]), here, self._flow.home)
        self.commands += inner.commands[: _MOST_COMMANDS - len(self.commands)]

    def _text(self, node: Node) -> str:
        return self._source[node.start_byte : node.end_byte].decode("utf-8", "replace")
