"""Review a project in plan mode, and get the findings as a pydantic model: `python examples/answer.py DIRECTORY`."""

import sys

from pydantic import BaseModel

import harness


class Finding(BaseModel):
    file: str
    line: int
    problem: str


class Review(BaseModel):
    findings: list[Finding]


def main() -> None:
    options = harness.Options(cwd=sys.argv[1] if len(sys.argv) > 1 else ".", mode="plan", answer=Review)
    review: Review = harness.run("Review this project for bugs.", options).check().value
    for finding in review.findings:
        print(f"{finding.file}:{finding.line}: {finding.problem}")
    sys.exit(bool(review.findings))


if __name__ == "__main__":
    main()
