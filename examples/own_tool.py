"""Give the model a tool of your own: a function with type hints."""

from typing import Annotated

from pydantic import Field

import harness

STOCK = {"bolts": 120, "nuts": 0}


@harness.tool
def stock(article: Annotated[str, Field(description="Its name, in the plural")]) -> int:
    """How many pieces of an article there are."""
    if article not in STOCK:
        raise harness.ToolError(f"There is no article {article!r}.", f"There are: {', '.join(STOCK)}.")
    return STOCK[article]


def main() -> None:
    options = harness.Options(tools=(stock,), allow=("stock",), builtin=())
    print(harness.run("Which articles must be ordered?", options).check().text)


if __name__ == "__main__":
    main()
