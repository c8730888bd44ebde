"""The adapter of grpcurl, `buf curl` or curl: adapter.py TOOL PROGRAM. Each call is a process. See interop/README.md."""

import base64
import re
import subprocess
import sys
from pathlib import Path

from tools import TOOLS, Failed

sys.path.append(str(Path(__file__).parents[1] / "python-stdio"))
import stdio

tool = TOOLS[sys.argv[1]](sys.argv[2])
# gRPC's names and numbers of codes, in the order of the numbers.
CODES = (
    "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED "
    "FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED"
).split()


class Subscription(stdio.Subscription):
    Failure = Failed

    def start(self, interests: list) -> None:
        request = {"subscriptions": [start_of(interest) for interest in interests]}
        command = tool.command(self.client["url"], "Subscribe", headers(self.client), self.client.get("deadlineMs"))
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.process.stdin.write(tool.body(request, streaming=True))
        self.process.stdin.close()

    def events(self):
        try:
            for response in tool.messages(self.process):
                self.reads.wait()
                if told := event(response):
                    yield told
        finally:
            self.process.wait()

    def stop(self) -> None:
        self.process.kill()

    @staticmethod
    def refusal(failed: Failed) -> dict:
        """Of an error as gRPC's tools or as Connect write it."""
        said = failed.said
        code = said.get("code")
        told = {"message": said.get("message", "")}
        if code is not None:
            told["code"] = CODES[code] if isinstance(code, int) else {"canceled": "CANCELLED"}.get(code, code.upper())
        for detail in said.get("details", []):
            if (detail.get("@type") or detail.get("type", "")).endswith("google.rpc.ErrorInfo"):
                # Its first field is the reason.
                value = base64.b64decode((detail.get("@value") or detail["value"]) + "==")
                told["reason"] = value[2 : 2 + value[1]].decode()
        return told


class Adapter(stdio.Adapter):
    Subscription = Subscription

    def open(self, command: dict) -> None:
        self.clients[command["client"]] = command

    def publish(self, command: dict) -> dict:
        answer = self.unary("Publish", command)
        told = {"position": position(answer["position"]), "duplicate": answer.get("duplicate", False)}
        return told | {key: answer[key] for key in ["localReceiverCount"] if key in answer}

    def end(self, command: dict) -> dict:
        return {"position": position(self.unary("EndInterest", command)["position"])}

    def unary(self, method: str, command: dict) -> dict:
        client = self.clients[command["client"]]
        request = {key: command[key] for key in ["domain", "filter", "data", "customerId", "idempotencyKey"] if key in command}
        if "customerId" in request:
            request["audience"] = "AUDIENCE_CUSTOMER"
        line = tool.command(client["url"], method, headers(client), command.get("deadlineMs", 10_000))
        process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return tool.answer(process, tool.body(request, streaming=False))


def headers(client: dict) -> list[str]:
    return [f"authorization: Bearer {client['tokens'][0]}"] if client.get("tokens") else []


def start_of(interest: dict) -> dict:
    named = {"domain": interest["domain"], "filter": interest["filter"]}
    if interest.get("audience") == "customer":
        named["audience"] = "AUDIENCE_CUSTOMER"
    if interest.get("latest"):
        return {"interest": named, "latest": {}}
    return {"interest": named, "after": interest["position"]} if "position" in interest else {"interest": named}


def event(response: dict) -> dict | None:
    """An event from protobuf's JSON, in which what has its default may be left out."""
    kind, of = next(iter(response.items()), (None, {}))
    if kind == "welcome":
        return {"event": "connected", "streamId": of["streamId"]}
    if kind == "heartbeat":
        return {"event": kind, "checkpoints": [position(checkpoint) for checkpoint in of.get("checkpoints", [])]}
    if kind == "reconnect":
        delays = {f"{name}Ms": milliseconds(of.get(name)) for name in ["minDelay", "maxDelay", "closesAfter"]}
        return {"event": kind, "reason": enum(of.get("reason"), "RECONNECT_REASON_"), **delays}
    if kind not in ("subscribed", "rejected", "poke", "gap", "ended"):
        return None
    named = of if kind == "poke" else of.get("interest", {})
    told = {"event": {"subscribed": "live"}.get(kind, kind)}
    told |= {"domain": named.get("domain", ""), "filter": named.get("filter", "")}
    if named.get("audience") == "AUDIENCE_CUSTOMER":
        told["audience"] = "AUDIENCE_CUSTOMER"
    if kind == "rejected":
        said = {"code": CODES[of.get("code", 0)], "reason": of.get("reason", ""), "message": of.get("message", "")}
        return {**told, **said, "final": "retryDelay" not in of}
    told["position"] = position(of.get("position", {}))
    if kind == "subscribed":
        told["outcome"] = enum(of.get("outcome"), "OUTCOME_")
    elif kind == "gap":
        told |= {"reason": enum(of.get("reason"), "GAP_REASON_"), "reloadAfterMs": milliseconds(of.get("reloadSpread"))}
        if "missedCount" in of:
            told["missedCount"] = int(of["missedCount"])
    told |= {key: of[key] for key in ["data", "publishTime"] if key in of}
    return told


def enum(value, prefix: str) -> str:
    return value.removeprefix(prefix) if isinstance(value, str) else "UNSPECIFIED"


def position(of: dict) -> dict:
    return {"epoch": of.get("epoch", ""), "sequence": of.get("sequence", "0")}


def milliseconds(duration: str | None) -> int:
    return round(float(duration.removesuffix("s")) * 1000) if duration else 0


stdio.run(Adapter(), re.sub(r"\s+", " ", tool.version()))
