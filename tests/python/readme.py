"""Follows the README as a newcomer does: runs its commands in the order in which they stand, and looks at what comes.

Usage: readme.py README.md, in the repository's folder, with `poke` and `grpcurl` on the PATH.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

PATIENCE = 600  # seconds: the first command builds the server


def commands(markdown):
    """The shell commands of the console blocks, continued lines joined."""
    for block in re.findall(r"^```console\n(.*?)^```", markdown, re.S | re.M):
        text = block.replace("\\\n", " ")
        yield from (line[2:] for line in text.splitlines() if line.startswith("$ "))


def shape(value):
    """JSON with the names of its types instead of its values."""
    return {key: shape(of) for key, of in value.items()} if isinstance(value, dict) else type(value).__name__


class Running:
    """A command that goes on, with its output in a file."""

    def __init__(self, command):
        self.output = tempfile.NamedTemporaryFile("w+")
        self.process = subprocess.Popen(
            command, shell=True, stdout=self.output, stderr=subprocess.STDOUT, start_new_session=True
        )

    def shows(self, text, times=1):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            ended = self.process.poll() is not None
            with open(self.output.name) as output:
                if output.read().count(text) >= times:
                    return
            if ended:
                break
            time.sleep(0.1)
        raise SystemExit(f"{self.process.args}: no {text!r} in {open(self.output.name).read()!r}")

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(60)


def main():
    root = os.getcwd()
    text = open(sys.argv[1]).read()
    found = list(commands(text))

    def the(*parts):
        matching = [command for command in found if all(part in command for part in parts)]
        if not matching:
            raise SystemExit(f"the README has no command with {parts}")
        return matching[0]

    server = Running(the("cargo run", "poke-server"))
    try:
        server.shows("Development mode")
        subscriber = Running(the("cargo run", "subscribe"))
        try:
            subscriber.shows("listening to")
            senders = [the("cargo run", "publish"), the("curl -H"), the("grpcurl")]
            for times, command in enumerate(senders, 1):
                print("$", command)
                print(subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout)
                subscriber.shows("  poke  ", times)
            print(open(subscriber.output.name).read())
            status = the("poke status")
            print("$", status)
            print(subprocess.run(status, shell=True, check=True, capture_output=True, text=True).stdout)
            publish = the("poke publish", "--json")
            print("$", publish)
            printed = subprocess.run(publish, shell=True, check=True, capture_output=True, text=True).stdout
            print(printed)
            shown = re.search(r"^\$ " + re.escape(publish) + r"\n(.*)$", text, re.M).group(1)
            if shape(json.loads(printed)) != shape(json.loads(shown)):
                raise SystemExit(f"{publish}: the README shows {shown}")
        finally:
            subscriber.stop()
    finally:
        server.stop()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        subprocess.run(the("openssl req"), shell=True, check=True, capture_output=True)
        server = Running(the("poke-server", "--tls.key"))
        try:
            server.shows("listening on https://")
            publish = the("poke publish", "--ca")
            print("$", publish)
            print(subprocess.run(publish, shell=True, check=True, capture_output=True, text=True).stdout)
        finally:
            server.stop()
            os.chdir(root)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        keys_and_tokens(text, the)
        os.chdir(root)


def keys_and_tokens(text, the):
    """A key that publishes and a token that listens, with the README's configuration."""
    made = subprocess.run(the("poke-server key new"), shell=True, check=True, capture_output=True, text=True)
    key, line = made.stdout.splitlines()
    subprocess.run(the("poke token"), shell=True, check=True)
    first, second, customers = re.findall(r"^```toml\n(.*?)^```", text, re.S | re.M)
    with open("poke.toml", "w") as file:
        # Each run makes a key of its own.
        issuer, domain = customers.split("\n\n", 1)
        file.write(re.sub(r"^playlist-service = .*$", line, first, flags=re.M))
        file.write(second.replace("[issuers.dev]", issuer) + domain)
    subprocess.run(the("--check-config"), shell=True, check=True)
    serve = next(c for c in commands(text) if c == "poke-server --config poke.toml")
    server = Running(serve)
    try:
        server.shows("listening on")
        publish = the("poke publish PLAYLIST playlist-id Updated")
        refused = subprocess.run(publish, shell=True, capture_output=True, text=True)
        if refused.returncode != 3 or "CREDENTIALS_REQUIRED" not in refused.stderr:
            raise SystemExit(f"{publish} without a key: {refused}")
        with_key = {**os.environ, "POKE_TOKEN": key}
        print(subprocess.run(publish, shell=True, check=True, capture_output=True, text=True, env=with_key).stdout)
        subscriber = Running(the("poke subscribe LIBRARY"))
        try:
            subscriber.shows("listening to LIBRARY/alice")
            editor = "poke publish LIBRARY alice Updated --token $(poke token editor --claim role=editor)"
            subprocess.run(editor, shell=True, check=True)
            subscriber.shows("  poke  ")
        finally:
            subscriber.stop()
        subscriber = Running(the("poke subscribe INBOX"))
        try:
            subscriber.shows("listening to INBOX/messages")
            subprocess.run(the("poke publish INBOX"), shell=True, check=True, env=with_key)
            subscriber.shows("  poke  ")
        finally:
            subscriber.stop()
    finally:
        server.stop()


main()
