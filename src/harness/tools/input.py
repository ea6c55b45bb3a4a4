"""The base of all tool inputs."""

from pydantic import BaseModel, ConfigDict


class ToolInput(BaseModel):
    """Base of all inputs: unknown fields are refused by name, and nothing is guessed."""

    model_config = ConfigDict(extra="forbid", strict=False, frozen=True)


class AnyInput(BaseModel):
    """Whatever object comes: who serves the tool validates, by a schema that may say what ours cannot."""

    model_config = ConfigDict(extra="allow", frozen=True)
