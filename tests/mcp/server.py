"""A server in plain JSON, without the protocol's package: what it answers is what its environment says."""

import json
import os
import sys
import threading
import time

TOOLS = [
    {
        "name": "shout",
        "description": "upper-case",
        "inputSchema": {"type": "object", "properties": {"s": {"type": "string"}}, "required": ["s"]},
    },
    {"name": "look", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}},
    {"name": "touch", "inputSchema": {"type": "object"}},
    {"name": "fail", "inputSchema": {"type": "object"}},
    {"name": "refuse", "inputSchema": {"type": "object"}},
    {"name": "long", "inputSchema": {"type": "object"}},
    {"name": "die", "inputSchema": {"type": "object"}},
]
ONLY = os.environ.get("ONLY", "").split()  # in their place: tools that say who serves them
TOOLS = [{"name": name, "description": os.environ["WHO"], "inputSchema": {"type": "object"}} for name in ONLY] or TOOLS
IMAGE = {"type": "image", "data": "aGk=", "mimeType": "image/png"}
RESOURCE = {"type": "resource", "resource": {"uri": "file:///x", "text": "inside"}}


LOCK = threading.Lock()


def text(value):
    return {"type": "text", "text": value}


def called(name, given):
    if name == "shout":
        return {"content": [text(given["s"].upper()), IMAGE, RESOURCE]}
    if name == "look":
        began = time.time()
        time.sleep(0.4)
        return {"content": [], "structuredContent": {"began": began, "ended": time.time()}}
    if name == "touch":
        outside = os.environ.get("OUTSIDE", "")
        done = []
        for path in ("inside", outside):
            try:
                open(path, "w").close()
                done.append(path)
            except OSError:
                pass
        return {"content": [text(" ".join(done) + f" key={os.environ.get('OPENAI_API_KEY')}")]}
    if name == "fail":
        return {"content": [text("it broke")], "isError": True}
    if name == "long":
        return {"content": [text("x" * 200_000)]}
    if name in ONLY:
        return {"content": [text(f"{name} of {os.environ['WHO']}")]}
    if name == "die":
        os._exit(3)
    return None


def main():
    sys.stderr.write("server says hello\n")
    sys.stderr.flush()
    if os.environ.get("BROKEN"):
        sys.exit(7)
    time.sleep(float(os.environ.get("LATE", "0")))
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            threading.Thread(target=serve, args=(message,)).start()


def serve(message):
    answer = {"jsonrpc": "2.0", "id": message["id"]}
    params = message.get("params") or {}
    if message["method"] == "initialize":
        answer["result"] = {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "ext", "version": "1"},
        }
    elif message["method"] == "tools/list":
        at = int(params.get("cursor") or 0)
        answer["result"] = {
            "tools": TOOLS[at : at + 4],
            **({"nextCursor": str(at + 4)} if at + 4 < len(TOOLS) else {}),
        }
    elif message["method"] == "tools/call":
        result = called(params["name"], params.get("arguments") or {})
        if result is None:
            answer["error"] = {"code": -32603, "message": "no such luck"}
        else:
            answer["result"] = result
    else:
        answer["result"] = {}
    with LOCK:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
