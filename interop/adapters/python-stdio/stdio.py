"""What the adapters in Python have in common: commands come in, answers and events go out. See interop/README.md."""

import json
import sys
import threading

speaking = threading.Lock()


def say(line: dict) -> None:
    text = json.dumps(line)
    with speaking:
        print(text, flush=True)


class Subscription:
    """One call, read by a thread of its own: `events` gives what it receives, `stop` ends it."""

    # What says why a call has failed.
    Failure: type[Exception]

    def __init__(self, name: str, client, interests: list):
        self.name = name
        self.client = client
        self.told = True
        self.reads = threading.Event()
        self.reads.set()
        self.start(interests)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        try:
            for told in self.events():
                self.tell(told)
            self.tell({"event": "over"})
        except self.Failure as failure:
            self.tell({"event": "failed", "error": self.refusal(failure)})

    def tell(self, told: dict) -> None:
        if self.told:
            say({"subscription": self.name, "event": told})

    def cancel(self) -> None:
        self.told = False
        self.stop()
        self.reads.set()
        self.reader.join()


class Adapter:
    """Its methods are the commands."""

    Subscription: type[Subscription]

    def __init__(self):
        self.clients: dict = {}
        self.subscriptions: dict[str, Subscription] = {}

    def handle(self, command: dict) -> None:
        try:
            answer = {"ok": getattr(self, command["command"])(command) or {}}
        except self.Subscription.Failure as failure:
            answer = {"error": self.Subscription.refusal(failure)}
        except Exception as error:
            answer = {"error": {"message": f"{type(error).__name__}: {error}"[:300]}}
        say({"id": command["id"], **answer})

    def subscribe(self, command: dict) -> None:
        name = command["subscription"]
        self.subscriptions[name] = self.Subscription(name, self.clients[command["client"]], command["interests"])

    def pause(self, command: dict) -> None:
        self.subscriptions[command["subscription"]].reads.clear()

    def resume(self, command: dict) -> None:
        self.subscriptions[command["subscription"]].reads.set()

    def cancel(self, command: dict) -> None:
        self.subscriptions.pop(command["subscription"]).cancel()

    def close(self, command: dict) -> None:
        client = self.clients.pop(command["client"])
        for name in [name for name, of in self.subscriptions.items() if of.client is client]:
            self.subscriptions.pop(name).cancel()
        self.closed(client)

    def closed(self, client) -> None:
        """Lets go of what a client holds."""


def run(adapter: Adapter, version: str) -> None:
    say({"ready": True, "version": version})
    for line in sys.stdin:
        threading.Thread(target=adapter.handle, args=(json.loads(line),), daemon=True).start()
