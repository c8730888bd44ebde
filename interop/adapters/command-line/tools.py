"""How each tool is called, and what it prints."""

import codecs
import json
import subprocess


class Failed(Exception):
    """A call that failed, with what was said as JSON."""

    def __init__(self, said: dict):
        super().__init__(str(said))
        self.said = said


def said(text: str) -> dict:
    """The error in what a tool printed."""
    start = text.find("{")
    try:
        return json.loads(text[start:])
    except json.JSONDecodeError:
        # grpcurl has no code for that.
        code = {"code": "unavailable"} if "Failed to dial" in text else {}
        return {"message": text.strip()[:300], **code}


def socket(url: str) -> str | None:
    """The path of a UNIX socket."""
    return url.removeprefix("unix:") if url.startswith("unix:") else None


class Printing:
    """A tool that prints messages in JSON, and the error in JSON to standard error."""

    def __init__(self, program: str):
        self.program = program

    def body(self, request: dict, streaming: bool) -> bytes:
        return json.dumps(request).encode()

    def answer(self, process: subprocess.Popen, body: bytes) -> dict:
        output, errors = process.communicate(body)
        if process.returncode != 0:
            raise Failed(said(errors.decode()))
        return json.loads(output)

    def messages(self, process: subprocess.Popen):
        decode, characters, text = json.JSONDecoder().raw_decode, codecs.getincrementaldecoder("utf-8")(), ""
        while chunk := process.stdout.read1():
            text += characters.decode(chunk)
            while text := text.lstrip():
                # A message ends its line, so that no message is read again for each chunk of it.
                if not text.endswith("\n") and "\n}" not in text and len(text) > 10_000:
                    break
                try:
                    message, end = decode(text)
                except json.JSONDecodeError:
                    break
                text = text[end:]
                yield message
        if process.wait() != 0:
            raise Failed(said(process.stderr.read().decode()))


class Grpcurl(Printing):
    """It doesn't know the messages of details unless it asks the server for them, which not every peer answers."""

    def command(self, url: str, method: str, headers: list[str], deadline: int | None) -> list[str]:
        options = [option for header in headers for option in ("-H", header)]
        if deadline:
            options += ["-max-time", str(deadline / 1000)]
        path = socket(url)
        options += ["-unix"] if path else []
        target = [path or url.removeprefix("http://"), f"poke.v1.PokeService/{method}"]
        schema = ["-import-path", "proto", "-proto", "poke/v1/poke.proto"]
        return [self.program, "-plaintext", "-format-error", *schema, *options, "-d", "@", *target]

    def version(self) -> str:
        return "grpcurl 1.9.4"


class BufCurl(Printing):
    def command(self, url: str, method: str, headers: list[str], deadline: int | None) -> list[str]:
        options = [option for header in headers for option in ("-H", header)]
        if deadline:
            options += ["--timeout", f"{deadline}ms"]
        # Without a timeout of its own buf ends a call after two minutes.
        else:
            options += ["--timeout", "0s"]
        if path := socket(url):
            options, url = [*options, "--unix-socket", path], "http://localhost"
        protocol = ["--protocol", "grpc", "--http2-prior-knowledge"]
        target = f"{url}/poke.v1.PokeService/{method}"
        return [self.program, "curl", "--schema", "proto", *protocol, *options, "--data", "@-", target]

    def version(self) -> str:
        return "buf " + subprocess.run([self.program, "--version"], capture_output=True, text=True).stdout


class Curl:
    """Connect by hand: JSON for unary calls, enveloped JSON for streams."""

    # What curl's exit codes are in gRPC's words.
    CODES = {6: "unavailable", 7: "unavailable", 28: "deadline_exceeded", 52: "unavailable", 56: "unavailable"}

    def __init__(self, program: str):
        self.program = program

    def command(self, url: str, method: str, headers: list[str], deadline: int | None) -> list[str]:
        kind = "application/connect+json" if method == "Subscribe" else "application/json"
        options = [option for header in [f"content-type: {kind}", *headers] for option in ("-H", header)]
        if deadline:
            options += ["--max-time", str(deadline / 1000)]
        if path := socket(url):
            options, url = [*options, "--unix-socket", path], "http://localhost"
        target = f"{url}/poke.v1.PokeService/{method}"
        return [self.program, "--silent", "--show-error", "--no-buffer", *options, "--data-binary", "@-", target]

    def body(self, request: dict, streaming: bool) -> bytes:
        message = json.dumps(request).encode()
        return b"\0" + len(message).to_bytes(4, "big") + message if streaming else message

    def answer(self, process: subprocess.Popen, body: bytes) -> dict:
        output, errors = process.communicate(body)
        self.check(process, errors)
        answer = json.loads(output)
        if "code" in answer:
            raise Failed(answer)
        return answer

    def messages(self, process: subprocess.Popen):
        while head := process.stdout.read(5):
            message = json.loads(process.stdout.read(int.from_bytes(head[1:], "big")))
            if head[0] & 2 == 0:
                yield message
            elif "error" in message:
                raise Failed(message["error"])
            else:
                return
        process.wait()
        self.check(process, process.stderr.read())
        raise Failed({"code": "unknown", "message": "the stream has no end"})

    def check(self, process: subprocess.Popen, errors: bytes) -> None:
        if process.returncode != 0:
            code = self.CODES.get(process.returncode, "unknown")
            raise Failed({"code": code, "message": errors.decode().strip()[:300]})

    def version(self) -> str:
        return subprocess.run([self.program, "--version"], capture_output=True, text=True).stdout.split("(")[0]


TOOLS = {"grpcurl": Grpcurl, "buf": BufCurl, "curl": Curl}
