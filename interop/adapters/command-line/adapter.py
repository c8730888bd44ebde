"""The adapter of grpcurl, `buf curl` or curl: adapter.py TOOL PROGRAM. Each call is a process. See interop/README.md."""

import base64
import json
import re
import subprocess
import sys
import threading

from tools import TOOLS, Failed

speaking = threading.Lock()
tool = TOOLS[sys.argv[1]](sys.argv[2])
# gRPC's names and numbers of codes, in the order of the numbers.
CODES = (
    "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED "
    "FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED"
).split()


def say(line: dict) -> None:
    text = json.dumps(line)
    with speaking:
        print(text, flush=True)


class Subscription:
    """One process, read by a thread."""

    def __init__(self, name: str, client: dict, interests: list):
        self.name, self.client, self.told = name, client, True
        self.reads = threading.Event()
        self.reads.set()
        request = {"subscriptions": [start_of(interest) for interest in interests]}
        command = tool.command(client["url"], "Subscribe", headers(client), client.get("deadlineMs"))
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.process.stdin.write(tool.body(request, streaming=True))
        self.process.stdin.close()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        try:
            for response in tool.messages(self.process):
                self.reads.wait()
                if told := event(response):
                    self.tell(told)
            self.tell({"event": "over"})
        except Failed as failed:
            self.tell({"event": "failed", "error": refusal(failed)})
        finally:
            self.process.wait()

    def tell(self, told: dict) -> None:
        if self.told:
            say({"subscription": self.name, "event": told})

    def cancel(self) -> None:
        self.told = False
        self.process.kill()
        self.reads.set()
        self.reader.join()


class Adapter:
    def __init__(self):
        self.clients: dict[str, dict] = {}
        self.subscriptions: dict[str, Subscription] = {}

    def handle(self, command: dict) -> None:
        try:
            answer = {"ok": getattr(self, command["command"])(command) or {}}
        except Failed as failed:
            answer = {"error": refusal(failed)}
        except Exception as error:
            answer = {"error": {"message": f"{type(error).__name__}: {error}"[:300]}}
        say({"id": command["id"], **answer})

    def open(self, command: dict) -> None:
        self.clients[command["client"]] = command

    def subscribe(self, command: dict) -> None:
        name = command["subscription"]
        self.subscriptions[name] = Subscription(name, self.clients[command["client"]], command["interests"])

    def pause(self, command: dict) -> None:
        self.subscriptions[command["subscription"]].reads.clear()

    def resume(self, command: dict) -> None:
        self.subscriptions[command["subscription"]].reads.set()

    def cancel(self, command: dict) -> None:
        self.subscriptions.pop(command["subscription"]).cancel()

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

    def close(self, command: dict) -> None:
        client = self.clients.pop(command["client"])
        for name in [name for name, of in self.subscriptions.items() if of.client is client]:
            self.subscriptions.pop(name).cancel()


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


def main() -> None:
    adapter = Adapter()
    say({"ready": True, "version": re.sub(r"\s+", " ", tool.version())})
    for line in sys.stdin:
        threading.Thread(target=adapter.handle, args=(json.loads(line),), daemon=True).start()


main()
