"""Estimates of tokens."""

from harness.messages import Assistant, Text, Usage, User
from harness.providers.counting import Counter
from harness.providers.tokens import tokens
from tests.providers.server import TOOLS, request

PROSE = "The quick brown fox jumps over the lazy dog and runs into the forest. " * 20


def test_prose_is_about_a_token_a_word():
    assert 0.8 < tokens(PROSE) / len(PROSE.split()) < 1.4


def test_digits_and_chinese_count_by_the_character():
    assert tokens("1234567890") > 7
    assert tokens("中文字符") > 2.5


def test_an_estimate_holds_system_tools_and_messages():
    counter = Counter()
    small = counter.estimate(request(User((Text("Hi"),))))
    large = counter.estimate(request(User((Text(PROSE),)), tools=TOOLS))
    assert large > small + tokens(PROSE)


def test_what_the_server_counted_is_the_anchor():
    counter = Counter()
    first = request(User((Text("Hi"),)))
    counter.counted(first, Usage(5000, 10))
    more = [*first.messages, Assistant("m", (Text("ok"),)), User((Text("again"),))]
    assert 5000 < counter.estimate(request(*more)) < 5100


def test_another_history_starts_afresh():
    counter = Counter()
    counter.counted(request(User((Text("Hi"),))), Usage(5000, 10))
    assert counter.estimate(request(User((Text("Hi"),)))) != 5000
