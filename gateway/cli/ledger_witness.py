"""How does an auditor witness the log from a machine of its own? A small HTTP server of C2SP tlog-witness."""

from __future__ import annotations

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import rich_click as click

from gateway.cli.output import COULD_NOT_RUN, json_option, say, stop
from gateway.clock import SystemClock, SystemEntropy
from gateway.ledger.log.note import COSIGNATURE, POST_QUANTUM, NoteFault, VerifierKey, new_signer_text, parse_signer
from gateway.ledger.publication.witness import LONGEST, Witness, WitnessReply

_TYPES = {"ed25519": COSIGNATURE, "ml-dsa-44": POST_QUANTUM}


@click.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--type", "form", type=click.Choice(list(_TYPES)), default="ed25519", show_default=True,
    help="ml-dsa-44 also holds against quantum computers; fewer programs know it yet.",
)  # fmt: skip
@json_option
def witness_key(name: str, file: Path, form: str, as_json: bool) -> None:  # noqa: FBT001
    """Make a witness's key: NAME is a URL without scheme; the secret goes into FILE, the verifier key is printed."""
    try:
        secret, key = new_signer_text(name, _TYPES[form], SystemEntropy().bytes(32))
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secret + "\n")
    except (NoteFault, OSError) as fault:
        stop(COULD_NOT_RUN, f"nik-gateway: {fault}")
        return
    say(as_json, {"vkey": str(key)}, lambda: str(key))


@click.command()
@click.option("--listen", required=True, metavar="HOST:PORT", help="Address to listen on; port 0 takes a free one.")
@click.option(
    "--key", "key", required=True, type=click.Path(path_type=Path, exists=True), help="File of `witness-key`."
)
@click.option(
    "--log", "logs", required=True, multiple=True, help="Verifier key of a log to be witnessed; may be repeated."
)
@click.option(
    "--state", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File of what was cosigned last."
)
@json_option
def witness(listen: str, key: Path, logs: tuple[str, ...], state: Path, as_json: bool) -> None:  # noqa: FBT001
    """Cosign a log's checkpoints as long as each extends the last one; run it on a machine that is not the log's."""
    try:
        signer = parse_signer(key.read_text("utf-8"))
        cosigner = Witness(signer, [VerifierKey.parse(log) for log in logs], state, SystemClock())
        host, _, port = listen.rpartition(":")
        server = ThreadingHTTPServer((host.strip("[]"), int(port)), _handler(cosigner, as_json=as_json))
    except (NoteFault, OSError, ValueError) as fault:
        stop(COULD_NOT_RUN, f"nik-gateway: {fault}")
        return
    port_taken = server.server_address[1]
    words = f"witness {signer.key} on {host}:{port_taken}"
    say(as_json, {"witness": str(signer.key), "host": host, "port": port_taken}, lambda: words)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.shutdown()


def _handler(cosigner: Witness, *, as_json: bool) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def do_POST(self) -> None:
            declared = self.headers.get("content-length", "")
            if not declared.isdecimal() or int(declared) > LONGEST:
                self.close_connection = True
                self._answer(WitnessReply(400, "a body of known length, of at most 64 KiB, is needed\n"))
                return
            body = self.rfile.read(int(declared))
            if self.path.rpartition("/")[2] != "add-checkpoint":
                self._answer(WitnessReply(404, "POST …/add-checkpoint\n"))
                return
            reply = cosigner.add_checkpoint(body)
            self._answer(reply)
            asked = body.split(b"\n")[0].decode("utf-8", "replace")
            say(as_json, {"status": reply.status, "old": asked}, lambda: f"{reply.status} {asked}")

        def do_GET(self) -> None:
            self._answer(WitnessReply(404, "POST …/add-checkpoint\n"))

        def _answer(self, reply: WitnessReply) -> None:
            content = reply.body.encode()
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.media)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing: one line is told for each checkpoint."""

    return Handler
