"""A server with a tool that answers permission questions: what its environment's ANSWERS hold, one after the other.

Each question is appended to the file of its environment's LOG. An answer is text as it is; "!FAIL" fails, "!SLOW"
takes long, "!DIE" ends the server.
"""

import json
import os
import sys
import time

SCHEMA = {"type": "object", "properties": {"tool_name": {"type": "string"}, "input": {"type": "object"}}}
TOOLS = [{"name": "ask", "inputSchema": SCHEMA}, {"name": "other", "inputSchema": {"type": "object"}}]
answers = json.loads(os.environ["ANSWERS"])


def called(given):
    with open(os.environ["LOG"], "a") as log:
        log.write(json.dumps(given) + "\n")
    said = answers.pop(0)
    if said == "!DIE":
        os._exit(3)
    if said == "!SLOW":
        time.sleep(20)
    if said == "!FAIL":
        return {"content": [{"type": "text", "text": "the desk is closed"}], "isError": True}
    return {"content": [{"type": "text", "text": said}]}


def result(method, params):
    if method == "initialize":
        about = {"name": "desk", "version": "1"}
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": about}
    if method == "tools/list":
        return {"tools": TOOLS}
    return called(params["arguments"]) if method == "tools/call" else {}


time.sleep(float(os.environ.get("LATE", "0")))
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        answer = {
            "jsonrpc": "2.0",
            "id": message["id"],
            "result": result(message["method"], message.get("params") or {}),
        }
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
