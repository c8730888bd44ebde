"""The adapter of Python's grpcio with generated stubs. See interop/README.md for what it speaks."""

import platform

import grpc
import stdio
from google.protobuf import json_format, struct_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from poke.v1 import poke_pb2 as pb
from poke.v1 import poke_pb2_grpc as pb_grpc


class Client:
    def __init__(self, command: dict):
        self.channel = grpc.insecure_channel(command["url"].removeprefix("http://"))
        self.stub = pb_grpc.PokeServiceStub(self.channel)
        tokens = command.get("tokens", [])
        self.metadata = [("authorization", f"Bearer {tokens[0]}")] if tokens else None
        self.deadline = command["deadlineMs"] / 1000 if "deadlineMs" in command else None


class Subscription(stdio.Subscription):
    Failure = grpc.RpcError

    def start(self, interests: list) -> None:
        request = pb.SubscribeRequest(subscriptions=[start_of(interest) for interest in interests])
        self.call = self.client.stub.Subscribe(request, metadata=self.client.metadata, timeout=self.client.deadline)

    def events(self):
        while self.reads.wait() and (response := next(self.call, None)) is not None:
            self.reads.wait()
            if told := event(response):
                yield told

    def stop(self) -> None:
        self.call.cancel()

    @staticmethod
    def refusal(error: grpc.RpcError) -> dict:
        told = {"code": error.code().name, "message": error.details()}
        status = rpc_status.from_call(error)
        for packed in status.details if status else []:
            info = error_details_pb2.ErrorInfo()
            if packed.Unpack(info):
                told["reason"] = info.reason
        return told


class Adapter(stdio.Adapter):
    Subscription = Subscription

    def open(self, command: dict) -> None:
        self.clients[command["client"]] = Client(command)

    def publish(self, command: dict) -> dict:
        answer = self.unary("Publish", pb.PublishRequest, command)
        told = {"position": position(answer.position), "duplicate": answer.duplicate}
        if answer.HasField("local_receiver_count"):
            told["localReceiverCount"] = answer.local_receiver_count
        return told

    def end(self, command: dict) -> dict:
        return {"position": position(self.unary("EndInterest", pb.EndInterestRequest, command).position)}

    def unary(self, method: str, kind, command: dict):
        client = self.clients[command["client"]]
        request = kind(domain=command["domain"], filter=command["filter"])
        if "data" in command:
            json_format.ParseDict(command["data"], request.data)
        if "customerId" in command:
            request.audience, request.customer_id = pb.AUDIENCE_CUSTOMER, command["customerId"]
        request.idempotency_key = command.get("idempotencyKey", "")
        timeout = command.get("deadlineMs", 10_000) / 1000
        return getattr(client.stub, method)(request, metadata=client.metadata, timeout=timeout)

    def closed(self, client: Client) -> None:
        client.channel.close()


def start_of(interest: dict) -> pb.Subscription:
    audience = pb.AUDIENCE_CUSTOMER if interest.get("audience") == "customer" else pb.AUDIENCE_UNSPECIFIED
    named = pb.Interest(domain=interest["domain"], filter=interest["filter"], audience=audience)
    start = pb.Subscription(interest=named)
    if interest.get("latest"):
        start.latest.SetInParent()
    elif "position" in interest:
        after = interest["position"]
        start.after.CopyFrom(pb.Position(epoch=after["epoch"], sequence=int(after["sequence"])))
    return start


def event(response: pb.SubscribeResponse) -> dict | None:
    kind = response.WhichOneof("event")
    if kind is None:
        return None
    of = getattr(response, kind)
    if kind == "welcome":
        return {"event": "connected", "streamId": of.stream_id}
    if kind == "heartbeat":
        return {"event": kind, "checkpoints": [position(checkpoint) for checkpoint in of.checkpoints]}
    if kind == "reconnect":
        delays = {"minDelayMs": of.min_delay, "maxDelayMs": of.max_delay, "closesAfterMs": of.closes_after}
        delays = {name: milliseconds(delay) for name, delay in delays.items()}
        return {"event": kind, "reason": enum(pb.ReconnectReason, "RECONNECT_REASON_", of.reason), **delays}
    told = {"event": {"subscribed": "live"}.get(kind, kind), **interest_of(of if kind == "poke" else of.interest)}
    if kind == "rejected":
        code = next(code.name for code in grpc.StatusCode if code.value[0] == of.code)
        final = not of.HasField("retry_delay")
        return {**told, "code": code, "reason": of.reason, "message": of.message, "final": final}
    told["position"] = position(of.position)
    if kind == "subscribed":
        told["outcome"] = enum(pb.Outcome, "OUTCOME_", of.outcome)
    elif kind == "gap":
        told |= {"reason": enum(pb.GapReason, "GAP_REASON_", of.reason), "reloadAfterMs": milliseconds(of.reload_spread)}
        if of.HasField("missed_count"):
            told["missedCount"] = of.missed_count
    else:
        if of.HasField("data"):
            told["data"] = json_format.MessageToDict(of.data)
        if kind == "poke":
            told["publishTime"] = of.publish_time.ToJsonString()
    return told


def interest_of(named) -> dict:
    told = {"domain": named.domain, "filter": named.filter}
    return told | {"audience": "AUDIENCE_CUSTOMER"} if named.audience == pb.AUDIENCE_CUSTOMER else told


def enum(kind, prefix: str, value: int) -> str:
    return kind.Name(value).removeprefix(prefix) if value in kind.values() else "UNSPECIFIED"


def position(of: pb.Position) -> dict:
    return {"epoch": of.epoch, "sequence": str(of.sequence)}


def milliseconds(duration) -> int:
    return duration.ToMilliseconds()


stdio.run(Adapter(), f"grpcio {grpc.__version__}, Python {platform.python_version()}")
