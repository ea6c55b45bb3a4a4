"""What a request costs, and what is known of models by name."""

import pytest

from harness.messages import Usage
from harness.providers.prices import cost, facts, price_of
from harness.providers.profile import Price, Profile


def test_cached_tokens_have_their_own_price_where_there_is_one():
    usage = Usage(input_tokens=1000, output_tokens=10, cached_tokens=800, reasoning_tokens=5)
    assert cost(usage, Price(1, 10, 0.5)) == pytest.approx((200 + 400 + 100) / 1e6)
    assert cost(usage, Price(1, 10)) == pytest.approx((1000 + 100) / 1e6)


def test_the_person_the_server_and_the_table_in_this_order():
    own, servers = Price(1, 1), Price(2, 2)
    assert price_of("glm", Profile(price=servers), {"glm": own}) == own
    assert price_of("deepseek-v4-pro", Profile(price=servers), {}) == servers
    assert price_of("deepseek/DeepSeek-V4-Pro", None, {}) == Price(0.58, 3.48, 0.14)


@pytest.mark.parametrize("server", ["vLLM", "Ollama", "llama.cpp"])
def test_a_vendors_price_is_not_that_of_a_model_at_home(server: str):
    assert price_of("deepseek-v4-pro", Profile(server=server), {}) is None


@pytest.mark.parametrize("model", ["", "unheard-of", "gpt-5.5-mini", "qwen3-coder:free"])
def test_what_is_not_in_the_table_is_not_known(model: str):
    assert facts(model) is None


def test_an_empty_field_of_the_table_is_unknown_and_each_row_has_source_and_date():
    row = facts("gemma-4-31b")
    assert row
    assert (row.context_window, row.price) == (256000, None)
    assert (row.source, row.date) == ("survey 000", "2026-11-22")
