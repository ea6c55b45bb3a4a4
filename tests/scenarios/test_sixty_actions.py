"""A working day in sixty actions: how often each mode asks. Headless, so that each question is a denial that is told."""

from functools import partial

import pytest

from tests.scenarios.house import STREAM, Done, House, Json, bash, call, together

# What a person would be asked: in `default`, in `acceptEdits` with the sandbox. Documented: in default every edit and
# every command that does more than read; in acceptEdits only what leaves the project or the sandbox, or is protected.
DAY = """
Read            shop/cart.py                                            -    -
Read            tests/test_cart.py                                      -    -
Read            Makefile                                                -    -
Read            README.md                                               -    -
Glob            **/*.py                                                 -    -
Glob            tests/*                                                 -    -
Grep            def total                                               -    -
Grep            TODO                                                    -    -
Grep            import                                                  -    -
Bash            ls -la                                                  -    -
Bash            cat shop/cart.py                                        -    -
Bash            git status                                              -    -
Bash            git diff                                                -    -
Bash            git log --oneline -5                                    -    -
Bash            git show HEAD --stat                                    -    -
Bash            git blame shop/cart.py                                  -    -
Bash            git branch                                              -    -
Bash            grep -rn total shop                                     -    -
Bash            rg total                                                -    -
Bash            find . -name 'test_*.py'                                -    -
Bash            wc -l shop/cart.py tests/test_cart.py                   -    -
Bash            head -5 README.md && tail -5 README.md                  -    -
Bash            cd shop && ls                                           -    -
Bash            cd .. && pwd                                            -    -
Bash            diff shop/cart.py shop/money.py                         -    -
Bash            sort README.md | uniq -c | head                         -    -
Bash            python3 -m unittest -q                                  ask  -
Bash            python3 -m unittest tests.test_cart 2>&1 | tail -5      ask  -
Bash            python3 -c 'from shop import cart; print(cart.RATE)'    ask  -
Edit            shop/cart.py                                            ask  -
Read            shop/cart.py                                            -    -
Bash            python3 -m unittest -q                                  ask  -
Edit            tests/test_cart.py                                      ask  -
Bash            python3 -m unittest -q                                  ask  -
Write           shop/tax.py                                             ask  -
Write           tests/test_tax.py                                       ask  -
Write           docs/tax.md                                             ask  -
Edit            README.md                                               ask  -
Bash            mkdir -p build/out                                      ask  -
Bash            cp README.md build/out/                                 ask  -
Bash            mv build/out build/pages                                ask  -
Bash            rm -r build                                             ask  -
Bash            echo done > notes.txt                                   ask  -
Bash            sed -i 's/done/over/' notes.txt                         ask  -
Bash            make check                                              ask  -
Bash            make install                                            ask  -
Bash            python3 -m compileall -q shop                           ask  -
Bash            python3 -m venv --without-pip .env-test                 ask  -
Bash            for f in shop/*.py; do wc -l "$f"; done                 ask  -
Bash            git add -A                                              ask  -
Bash            git commit -qm 'Count tax'                              ask  -
Bash            git switch -qc tax                                      ask  -
Bash            git stash list                                          -    -
Bash            git checkout -q main                                    ask  -
Bash            git merge -q tax                                        ask  -
Bash            git tag v1                                              ask  -
TodoWrite       .                                                       -    -
Read            /etc/hostname                                           ask  ask
Write           .vscode/settings.json                                   ask  ask
Outside         git push origin main                                    ask  ask
"""


def actions() -> dict[str, tuple[Json, str, str]]:
    """By id: the call, and whether `default` and `acceptEdits` ask."""
    found = {}
    for number, line in enumerate(DAY.strip().splitlines(), 1):
        tool, rest = line.split(None, 1)
        what, default, accept = rest.rsplit(None, 2)
        made = _call(tool, what.strip())
        found[f"{number:02}"] = ({**made, "id": f"{number:02}"}, default, accept)
    return found


def _call(tool: str, what: str) -> Json:
    match tool:
        case "Bash":
            return bash(what)
        case "Outside":
            return bash(what, dangerouslyDisableSandbox=True)
        case "Read":
            return call("Read", file_path=what)
        case "Write":
            return call("Write", file_path=what, content="x = 1\n")
        case "Edit":
            return call("Edit", file_path=what, old_string="one", new_string="two", replace_all=True)
        case "TodoWrite":
            return call("TodoWrite", todos=[{"content": "tax", "status": "pending", "activeForm": "taxing"}])
    return call(tool, pattern=what)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    houses = {mode: furnished(House.make(tmp_path_factory.mktemp(mode))) for mode in ("default", "acceptEdits")}

    def day(mode: str) -> Done:
        calls = [made for made, _, _ in actions().values()]
        messages = [{"calls": calls[at : at + 10]} for at in range(0, len(calls), 10)]
        return houses[mode].ask(*messages, {"text": "Done."}, flags=(*STREAM, "--permission-mode", mode))

    return together({mode: partial(day, mode) for mode in houses})


def furnished(house: House) -> House:
    files = {
        "shop/__init__.py": "",
        "shop/cart.py": "RATE = 1  # one\n\n\ndef total(prices):\n    return sum(prices) * RATE\n",
        "shop/money.py": "CENT = 100\n",
        "tests/__init__.py": "",
        "tests/test_cart.py": "import unittest\nfrom shop.cart import total\n\n\n"
        "class One(unittest.TestCase):\n    def test_one(self):\n        self.assertEqual(total([1]), 1)\n",
        "README.md": "one shop\n",
        "Makefile": "check:\n\tpython3 -m unittest -q\ninstall:\n\tmkdir -p .local && cp -r shop .local/\n",
    }
    for name, text in files.items():
        (house.project / name).parent.mkdir(exist_ok=True)
        (house.project / name).write_text(text)
    house.git("init", "-q", "-b", "main")
    for name, value in (("user.name", "t"), ("user.email", "t@t")):
        house.git("config", name, value)
    house.git("add", "-A")
    house.git("commit", "-qm", "first")
    return house


def asked(done: Done) -> set[str]:
    return {denial["tool_use_id"] for denial in done.result["permission_denials"]}


def test_a_day_of_sixty_actions_asks_as_documented(days: dict[str, Done], record_property):
    day = actions()
    assert len(day) == 60
    counts = {mode: len(asked(done)) for mode, done in days.items()}
    record_property("questions", counts)
    print(f"questions in sixty actions: {counts}")  # noqa: T201  the figures are this test's report
    assert asked(days["default"]) == {name for name, (_, default, _) in day.items() if default == "ask"}
    assert asked(days["acceptEdits"]) == {name for name, (_, _, accept) in day.items() if accept == "ask"}
    assert counts["acceptEdits"] <= 5
    assert all(done.result["terminal_reason"] == "completed" for done in days.values())


def test_what_ran_unasked_did_its_work(days: dict[str, Done]):
    """The count would be small, too, if nothing worked."""
    failed = {
        block["tool_use_id"]: block["content"]
        for line in days["acceptEdits"].of("user")
        for block in line["message"]["content"]
        if block.get("is_error")
    }
    assert failed.keys() == asked(days["acceptEdits"]), failed
