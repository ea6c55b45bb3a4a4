"""Comments stripped, imports found, code left alone."""

from hypothesis import given
from hypothesis import strategies as st

from harness.memory.memory import braces
from harness.memory.text import imports, stripped


def test_block_comments_are_for_people():
    assert stripped("a\n<!-- for\npeople -->\nb") == "a\nb"
    assert stripped("```\n<!-- code -->\n```") == "```\n<!-- code -->\n```"
    assert stripped("see <!-- inline --> this") == "see <!-- inline --> this"


def test_imports_outside_of_code_only():
    text = (
        "See @README.md and @docs/a.md, @~/mine.md. mail me@example.org\n"
        "`@span.md` ``a `@b.md` c``\n```sh\n@fenced.md\n```\n<!-- @hidden.md -->\n- @./last.md\n@with\\ space.md"
    )
    assert list(imports(text)) == ["README.md", "docs/a.md", "~/mine.md", "./last.md", "with space.md"]


def test_a_fence_that_does_not_close_is_code_to_the_end():
    assert list(imports("@a.md\n~~~\n@b.md\n```\n@c.md")) == ["a.md"]


def test_braces():
    assert braces("src/{a,b}/{c,d}.ts") == ["src/a/c.ts", "src/a/d.ts", "src/b/c.ts", "src/b/d.ts"]
    assert braces("{a") == ["{a"]
    assert len(braces("{a,b,c,d,e,f,g,h}" * 20)) < 5000


@given(st.text(alphabet="@`~<!->/.ab \n", max_size=200))
def test_any_text(text: str):
    assert len(stripped(text)) <= len(text)
    for name in imports(text):
        assert name in text.replace("\\ ", " ")
