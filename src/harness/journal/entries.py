"""Events as lines of the session file. Messages are lines of the shared form, one for each block; what that form
lacks (decisions, notices, results) is a line of our own type `harness`, or rides in a `harness` key.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from harness import __version__
from harness.codec import assistant_pieces, message_json, plain
from harness.events import AssistantMessage, Event, System, UserMessage
from harness.messages import Text, ToolResult, User

Json = dict[str, Any]


class Entries:
    """Makes the entries of one session and chains them. `parent` is the uuid that the next one follows."""

    def __init__(self, session_id: str, cwd: Path, branch: str, entrypoint: str = "") -> None:
        self.session_id = session_id
        self._fields = {
            "sessionId": session_id,
            "cwd": str(cwd),
            "gitBranch": branch,
            "version": __version__,
            **({"entrypoint": entrypoint} if entrypoint else {}),
        }
        self.agent = ""  # the sub-agent whose entries these are
        self.parent: str | None = None
        self.calls: dict[str, str] = {}  # call id -> uuid of the entry that holds it

    def of(self, event: Event, state: Mapping[str, Any]) -> Iterator[Json]:
        """The entries of an event; `state` of the session changed with it and rides in the first of them.

        It rides, instead of having a line of its own, so that neither is there without the other, and so that
        programs which copy only the shared form's lines (the SDK's fork) keep it.
        """
        rides: Json = {"state": dict(state)} if state else {}
        match event:
            case AssistantMessage(message=message, interrupted=interrupted, cost=cost):
                mark: Json = {"interrupted": True} if interrupted else {}
                for payload, extra in assistant_pieces(message):
                    if cost is not None and "of" in extra:  # once a message, in its first piece
                        extra["cost"] = cost
                    entry = self._entry("assistant", message=payload, harness={**extra, **mark, **rides})
                    self.calls |= {b["id"]: entry["uuid"] for b in payload["content"] if b["type"] == "tool_use"}
                    rides = {}
                    yield entry
            case UserMessage(message=ToolResult() as result):
                self.parent = self.calls.pop(result.call_id, self.parent)
                extra = {} if result.data is None else {"toolUseResult": result.data}
                if rides:
                    extra["harness"] = rides
                yield self._entry("user", message=message_json(result), **extra)
            case UserMessage(message=User(parts) as user, source=source):
                # The prompt as the person wrote it; what we added to it for the model rides beside it.
                harness: Json = {"source": source, **rides}
                added = [part.text for part in parts[1:] if isinstance(part, Text)]
                if added and len(added) == len(parts) - 1:
                    user, harness["added"] = User(parts[:1]), added
                meta: Json = {"isMeta": True} if source == "harness" else {}  # readers show the person's own prompts
                yield self._entry("user", event.uuid, message=message_json(user), harness=harness, **meta)
            case System(subtype="compact_boundary", data=data, fold=fold) if fold:
                yield from self._boundary(data, fold, rides)
            case System(fold=fold) if fold:
                yield {**self.own(state), "event": plain(event), "fold": fold}
            case _:
                yield {**self.own(state), "event": plain(event)}

    def _boundary(self, data: Mapping[str, Any], fold: Mapping[str, Any], rides: Json) -> Iterator[Json]:
        """What others read of a compaction: the boundary, where their chain begins, and the summary."""
        before, summary = self.parent, [text for text in fold.get("texts", ()) if isinstance(text, str)]
        if summary:
            self.parent = None
        told = {"harness": {"fold": fold, **rides}, "compactMetadata": dict(data)}
        entry = self._entry("system", subtype="compact_boundary", content="Conversation compacted", **told)
        yield {**entry, "logicalParentUuid": before}
        if summary:
            message = {"role": "user", "content": "\n\n".join(summary)}
            yield self._entry("user", message=message, isCompactSummary=True, harness={"shown": True})

    def own(self, state: Mapping[str, Any]) -> Json:
        """The beginning of a line of our own type, with what has changed of the session's state."""
        return {"type": "harness", "timestamp": _now(), **self._fields, **({"state": dict(state)} if state else {})}

    def named(self, title: str) -> Json:
        return {"type": "custom-title", "customTitle": title, "sessionId": self.session_id}

    def back_to(self, uuid: str | None) -> Json:
        """What follows continues from that entry; what came after it counts no more."""
        self.parent = uuid
        return {**self.own({}), "rewind": uuid}

    def rewound(self) -> Json:
        """The last `back_to` is undone."""
        return {**self.own({}), "rewound": True}

    def _entry(self, kind: str, uuid: str = "", /, **content: object) -> Json:
        entry = {"type": kind, "uuid": uuid or str(uuid4()), "parentUuid": self.parent, "isSidechain": bool(self.agent)}
        if self.agent:
            entry["agentId"] = self.agent
        self.parent = str(entry["uuid"])
        return {**entry, **self._fields, "timestamp": _now(), **content}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
