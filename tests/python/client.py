"""A client that shares no code with ours: grpcio, and stubs that grpcio-tools made from the contract.

    client.py TARGET listen FILTER...            prints what happens to interests of domain PLAYLIST, a JSON line each
    client.py TARGET publish DOMAIN FILTER JSON  prints the answer, or the error with its details

`listen` follows the contract by itself: it saves positions, resumes, moves before it breaks, and drops repeats.
"""

import json
import queue
import random
import sys
import threading
import time

import grpc
from google.protobuf import json_format, struct_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from poke.v1 import poke_pb2 as pb
from poke.v1 import poke_pb2_grpc as pb_grpc

RETRIED = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
# What the transport raises by itself when a connection goes away.
TRANSPORT = {grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}


def details(error: grpc.RpcError) -> list:
    """The messages in an error's google.rpc.Status."""
    status = rpc_status.from_call(error)
    unpacked = []
    for packed in status.details if status else []:
        for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo):
            if packed.Is(kind.DESCRIPTOR):
                message = kind()
                packed.Unpack(message)
                unpacked.append(message)
    return unpacked


def may_retry(error: grpc.RpcError) -> bool:
    found = details(error)
    retry_info = any(isinstance(detail, error_details_pb2.RetryInfo) for detail in found)
    return retry_info or error.code() in RETRIED or (error.code() in TRANSPORT and not found)


def seconds(duration) -> float:
    return duration.ToTimedelta().total_seconds()


class Listener:
    """One subscription over many streams. Everything but reading from the network happens in `run`'s thread."""

    def __init__(self, target: str, filters: list[str]):
        options = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 1000)]
        self.stub = pb_grpc.PokeServiceStub(grpc.insecure_channel(target, options))
        self.positions: dict[str, pb.Position | None] = {name: None for name in filters}
        self.owner: dict[str, int] = {}  # which stream an interest's events are taken from
        self.calls: dict[int, grpc.Call] = {}
        self.latest = 0
        self.happened: queue.Queue = queue.Queue()

    def run(self) -> None:
        self.open()
        while self.positions:
            stream, what = self.happened.get()
            if what is None or isinstance(what, grpc.RpcError):
                self.lost(stream, what)
            else:
                self.handle(stream, what)

    def open(self) -> None:
        request = pb.SubscribeRequest()
        for name, position in self.positions.items():
            subscription = request.subscriptions.add(interest=pb.Interest(domain="PLAYLIST", filter=name))
            if position is not None:
                subscription.after.CopyFrom(position)
        self.latest += 1
        call = self.stub.Subscribe(request, wait_for_ready=True)
        self.calls[self.latest] = call
        threading.Thread(target=self.read, args=(self.latest, call), daemon=True).start()

    def read(self, stream: int, call) -> None:
        try:
            for response in call:
                self.happened.put((stream, response))
            self.happened.put((stream, None))
        except grpc.RpcError as error:
            self.happened.put((stream, error))

    def lost(self, stream: int, error) -> None:
        if self.calls.pop(stream, None) is None or stream != self.latest:
            return  # an old stream, whose place has been taken
        if error is None or not may_retry(error):
            code = "OK" if error is None else error.code().name
            self.say("closed", code=code)
            self.positions.clear()
            return
        self.say("lost", code=error.code().name)
        time.sleep(random.uniform(0.05, 0.5))
        self.open()

    def handle(self, stream: int, response: pb.SubscribeResponse) -> None:
        kind = response.WhichOneof("event")
        event = getattr(response, kind) if kind else None
        if kind == "subscribed":
            self.subscribed(stream, event)
        elif kind in ("poke", "gap", "ended"):
            name = event.filter if kind == "poke" else event.interest.filter
            if self.owner.get(name) == stream and self.advance(kind, name, event):
                self.tell(kind, name, event)
        elif kind == "heartbeat":
            for name in [name for name, owner in self.owner.items() if owner == stream]:
                for checkpoint in event.checkpoints:
                    self.raise_to(name, checkpoint)
        elif kind == "reconnect" and stream == self.latest:
            self.say("reconnect", reason=pb.ReconnectReason.Name(event.reason))
            delay = random.uniform(seconds(event.min_delay), seconds(event.max_delay))
            threading.Timer(delay, lambda: self.happened.put((stream, MOVE))).start()
        elif response is MOVE and stream == self.latest:
            self.open()

    def subscribed(self, stream: int, event: pb.Subscribed) -> None:
        name = event.interest.filter
        if name not in self.positions:
            return  # it has ended on the old stream meanwhile
        old = self.owner.get(name)
        self.owner[name] = stream
        if self.positions[name] is None:
            self.positions[name] = event.position
        self.say("subscribed", filter=name, outcome=pb.Outcome.Name(event.outcome), again=old is not None)
        if old is not None and old not in self.owner.values() and old in self.calls:
            self.calls.pop(old).cancel()  # break, after all have been made

    def advance(self, kind: str, name: str, event) -> bool:
        """Saves the event's position; false for one that has been seen already."""
        saved = self.positions[name]
        if kind == "gap" and event.reason == pb.GAP_REASON_EPOCH_CHANGED:
            self.positions[name] = event.position
            return True
        if saved is not None and saved.epoch == event.position.epoch and event.position.sequence <= saved.sequence:
            return kind == "ended"
        self.positions[name] = event.position
        return True

    def raise_to(self, name: str, checkpoint: pb.Position) -> None:
        saved = self.positions.get(name)
        if saved is not None and saved.epoch == checkpoint.epoch and checkpoint.sequence > saved.sequence:
            self.positions[name] = checkpoint

    def tell(self, kind: str, name: str, event) -> None:
        told = {"filter": name, "epoch": event.position.epoch, "sequence": event.position.sequence}
        if kind == "gap":
            told["reason"] = pb.GapReason.Name(event.reason)
        elif event.HasField("data"):
            told["data"] = json_format.MessageToDict(event.data)
        self.say(kind, **told)
        if kind == "ended":
            del self.positions[name]

    @staticmethod
    def say(event: str, **fields) -> None:
        print(json.dumps({"event": event, **fields}), flush=True)


# Put on the queue by the timer: an event of no kind that the contract has.
MOVE = pb.SubscribeResponse()


def publish(target: str, domain: str, name: str, data: str) -> int:
    stub = pb_grpc.PokeServiceStub(grpc.insecure_channel(target))
    value = json_format.Parse(data, struct_pb2.Value())
    try:
        answer = stub.Publish(pb.PublishRequest(domain=domain, filter=name, data=value), timeout=10)
    except grpc.RpcError as error:
        shown = [{"type": detail.DESCRIPTOR.full_name, **json_format.MessageToDict(detail)} for detail in details(error)]
        print(json.dumps({"code": error.code().name, "message": error.details(), "details": shown}))
        return 1
    print(json.dumps(json_format.MessageToDict(answer)))
    return 0


def main() -> int:
    target, command, *arguments = sys.argv[1:]
    if command == "listen":
        Listener(target, arguments).run()
        return 0
    return publish(target, *arguments)


sys.exit(main())
