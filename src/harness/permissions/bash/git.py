"""git's read-only forms (data and the few checks that options alone do not decide)."""

import re
from collections.abc import Sequence

from harness.permissions.bash.options import Parsed, Spec, parse_options

_DIFF = (
    "stat? shortstat numstat name-only name-status summary patch no-patch raw unified? color? no-color cached staged "
    "word-diff? ignore-all-space ignore-space-change ignore-blank-lines minimal patience histogram diff-filter= "
    "find-renames? find-copies? check exit-code quiet compact-summary dirstat? merge-base no-renames full-index "
    "binary no-ext-diff no-textconv text function-context relative? diff-algorithm="
)
_LOG = (
    "oneline graph decorate? no-decorate all branches? tags? remotes? max-count= skip= since= after= until= before= "
    "author= committer= grep= invert-grep all-match regexp-ignore-case merges no-merges first-parent follow format? "
    "pretty? abbrev-commit no-abbrev-commit abbrev? date= relative-date reverse topo-order date-order "
    "author-date-order full-history simplify-merges no-walk? boundary left-right cherry-pick cherry-mark ancestry-path "
    "no-show-signature source no-notes parents children pickaxe-regex pickaxe-all"
)

# Options only, per subcommand. Textconv and external diff programs run only when asked for by an option here
# left out; git's own configuration is protected (paths.PROTECTED_DIRS).
SUBCOMMANDS: dict[str, Spec] = {
    "status": Spec("sbvu?z", "short branch porcelain? long verbose untracked-files? ignored? ignore-submodules? "
                   "column? no-column ahead-behind no-ahead-behind show-stash renames no-renames"),
    "diff": Spec("pusRwbaWMCU:S:G:", _DIFF, digits=True),
    "log": Spec("pusn:wbaMCiEFPU:S:G:L:", f"{_DIFF} {_LOG}", digits=True),
    "show": Spec("psn:wbaMCU:", f"{_DIFF} {_LOG}", digits=True),
    "shortlog": Spec("nsec", f"numbered summary email committer group= {_LOG.replace('committer= ', '')}"),
    "blame": Spec("lstfnewcbpML:C", "root show-stats porcelain line-porcelain incremental show-name show-number "
                  "show-email date= abbrev? color-lines color-by-age"),
    "rev-parse": Spec("q", "verify short? abbrev-ref? symbolic symbolic-full-name show-toplevel show-cdup show-prefix "
                      "git-dir git-common-dir absolute-git-dir is-inside-work-tree is-inside-git-dir "
                      "is-bare-repository quiet all branches tags remotes"),
    "rev-list": Spec("n:", f"count objects {_LOG}", digits=True),
    "describe": Spec("", "all tags contains abbrev? candidates= exact-match long match= exclude= always "
                     "first-parent dirty?"),
    "ls-files": Spec("cdmosuizkt", "cached deleted modified others stage unmerged ignored exclude-standard "
                     "error-unmatch full-name eol directory no-empty-directory deduplicate "
                     "recurse-submodules exclude="),
    "ls-tree": Spec("drtlz", "long name-only name-status full-name full-tree abbrev? object-only format="),
    "cat-file": Spec("tsep"),
    "grep": Spec("niIvwhHrcLlqoEGFPae:A:B:C:pW", "line-number column count ignore-case invert-match word-regexp "
                 "files-with-matches files-without-match name-only only-matching quiet cached untracked "
                 "no-exclude-standard extended-regexp basic-regexp fixed-strings perl-regexp context= after-context= "
                 "before-context= show-function function-context break heading color? max-depth= and or not text",
                 digits=True),
    "merge-base": Spec("a", "all octopus is-ancestor fork-point independent"),
    "name-rev": Spec("", "tags name-only all always refs="),
    "for-each-ref": Spec("", "count= sort= format= points-at= merged? no-merged? contains? no-contains? "
                         "ignore-case"),
    "show-ref": Spec("dqs", "head heads tags dereference hash? verify abbrev? quiet"),
    "count-objects": Spec("vH", "verbose human-readable"),
    "branch": Spec("avrqil", "all remotes verbose list show-current contains= no-contains= merged? no-merged? sort= "
                   "format= points-at= column? no-column color? no-color abbrev? no-abbrev ignore-case"),
    "tag": Spec("lin?", "list sort= format= contains= no-contains= merged= no-merged= points-at= column? color? "
                "ignore-case", digits=False),
    "stash": Spec("pu", "stat? patch name-only oneline format? include-untracked", digits=True),
    "remote": Spec("v", "verbose"),
    "reflog": Spec("n:", f"stat? {_LOG}", digits=True),
    "worktree": Spec("vz", "porcelain verbose"),
    "whatchanged": Spec("pn:", f"{_DIFF} {_LOG}", digits=True),
    "check-ignore": Spec("qvnz", "quiet verbose non-matching no-index"),
    "diff-tree": Spec("rpstz", f"no-commit-id root {_DIFF}"),
    "version": Spec("", "build-options"),
}  # fmt: skip
_FORM_FIRST = frozenset({"stash", "worktree"})  # `git stash -p list` is `git stash push -p list`
_FIRST_OPERAND = {  # subcommands of which only these forms read
    "stash": {"list", "show"},
    "remote": set[str](),
    "worktree": {"list"},
    "reflog": {"show", "exists"},
}
# A format that shows a signature has gpg check it.
_SIGNATURE = re.compile(r"%[-+ ]?G|%\([^)]*signature|\A(--sort=)?[-*]*signature")
_HARMLESS_GLOBALS = frozenset(
    {"--no-pager", "-P", "--no-optional-locks", "--literal-pathspecs", "--no-replace-objects"}
)


def judge_git(words: Sequence[str]) -> tuple[str, ...] | str:
    """The operands of a read-only git call (they may be paths), or why it is not known to be one."""
    index = 1
    while index < len(words) and words[index] in _HARMLESS_GLOBALS:
        index += 1
    if index >= len(words):
        return "git without a subcommand is not on the read-only list"
    name, rest = words[index], words[index + 1 :]
    if rest == [] and name in {"--version", "-v"}:
        return ()
    spec = SUBCOMMANDS.get(name)
    parsed = parse_options(spec, rest) if spec else None
    if parsed is None:
        return f"`git {name}` with these options is not on the read-only list"
    if any(map(_SIGNATURE.search, rest)):
        return "it may start gpg to check a signature"
    operands = tuple(rest[i] for i in parsed.operands)
    if not _only_lists(name, operands, parsed) or (name in _FORM_FIRST and operands[:1] != tuple(rest[:1])):
        return f"this form of `git {name}` may change the repository"
    return operands


def _only_lists(name: str, operands: Sequence[str], parsed: Parsed) -> bool:
    """Subcommands that list without operands and change things with them."""
    if name in {"branch", "tag"}:
        return not operands or bool(
            parsed.used & {"list", "l", "contains", "no-contains", "merged", "no-merged", "points-at"}
        )
    if name == "stash":
        return bool(operands) and operands[0] in _FIRST_OPERAND[name]
    if name in {"remote", "worktree"}:
        return (not operands and name == "remote") or (bool(operands) and operands[0] in _FIRST_OPERAND[name])
    if name == "reflog":
        return (
            not operands
            or operands[0] in _FIRST_OPERAND[name]
            or operands[0] not in {"expire", "delete", "drop", "write"}
        )
    if name == "cat-file":
        return bool(parsed.used & set("tsep"))
    return True
