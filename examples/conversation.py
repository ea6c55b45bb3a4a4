"""Two turns of one session, and a third one later, from where it was kept."""

import asyncio

import harness


async def main() -> None:
    async with harness.open_session(harness.Options(mode="plan")) as session:
        print((await session.run("What does this project do?")).text)
        print((await session.run("Which part is the oldest?")).text)
    later = harness.Options(mode="plan", resume=session.id)
    async with harness.open_session(later) as session:
        print((await session.run("And what did I ask first?")).text)


if __name__ == "__main__":
    asyncio.run(main())
