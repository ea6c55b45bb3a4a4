"""A home, a project and an owner's directory to write settings files into, and the settings they come to."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.settings import Asked, Settings, load

Content = dict[str, Any] | list[Any] | bytes | str | int | None


@dataclass(frozen=True)
class Room:
    base: Path

    @property
    def home(self) -> Path:
        return self.base / "home"

    @property
    def project(self) -> Path:
        return self.base / "project"

    @property
    def state(self) -> Path:
        return self.home / ".harness"

    @property
    def env(self) -> dict[str, str]:
        return {"HOME": str(self.home)}

    def write(self, name: str, content: Content) -> Path:
        path = self.base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    def user(self, content: Content) -> Path:
        return self.write("home/.harness/settings.json", content)

    def committed(self, content: Content) -> Path:
        return self.write("project/.claude/settings.json", content)

    def load(self, cwd: Path | None = None, **asked: Any) -> Settings:
        owners = (self.base / "etc/claude-code", self.base / "etc/harness")
        return load(cwd or self.project, self.env, Asked(managed=owners, **asked))


def nested(key: str, value: Any) -> dict[str, Any]:
    for name in reversed(key.split(".")):
        value = {name: value}
    return dict(value)
