"""Show an answer as it comes, and each tool's name: `python examples/stream.py "what to do"`."""

import asyncio
import sys

import harness


async def main(prompt: str) -> None:
    async for event in harness.query(prompt, harness.Options(mode="acceptEdits")):
        match event:
            case harness.StreamEvent(delta=harness.TextDelta(text)):
                print(text, end="", flush=True)
            case harness.AssistantMessage(message=message):
                for call in message.calls:
                    print(f"\n[{call.name}]", flush=True)
            case harness.Result(num_turns=requests, duration_ms=took):
                print(f"\n{requests} requests, {took} ms")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
