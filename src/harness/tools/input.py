"""The base of all tool inputs."""

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

# Of a field that is taken, since models know it from elsewhere, and that no model is told of.
UNTOLD: JsonDict = {"untold": True}


class ToolInput(BaseModel):
    """Base of all inputs: unknown fields are refused by name, and nothing is guessed."""

    model_config = ConfigDict(extra="forbid", strict=False, frozen=True)


class AnyInput(BaseModel):
    """Whatever object comes: who serves the tool validates, by a schema that may say what ours cannot."""

    model_config = ConfigDict(extra="allow", frozen=True)
