"""How does the gateway compare with the least and the usual that its work can cost?

Prints `name | ratio | bar | pass`; both sides of a ratio are measured in turns in one run, and the median counts. Only
ratios mean anything: the figures behind them are this machine's. Exit status 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from bench import bound, imports, ledger, tokens
from bench.load import send_all, send_paced
from bench.partner import Partner, Prover, proven, question, residents
from bench.primitive import Floor
from bench.serving import HOUSE, free_port, served, uvicorn
from tests import servers

SINGLE = "/v1/verifications"
BATCH = "/v1/verifications/batch"
BATCH_SIZE = 1000
GROUPS = ("client", "single", "steady", "bound", "tokens", "batch", "import", "ledger")
LOAD = 0.7  # of what it can answer
PAUSE = 0.3  # between batches, so that the agreed burst of 5,000 a second is not what is measured


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: ours in units of theirs (1 = as fast), the bar if there is one, and what was seen."""

    name: str
    ratio: float
    bar: float | None
    seen: str

    @property
    def passed(self) -> str:
        """Whether the bar is reached, in a word."""
        return "–" if self.bar is None else "yes" if self.ratio >= self.bar else "NO"


def in_turns(rounds: int, ours: Callable[[], float], theirs: Callable[[], float]) -> tuple[float, str]:
    """Median of ours/theirs over rounds A B A B, and both medians as text. Rates: higher is faster."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    ratio = statistics.median(one / other for one, other in pairs)
    return ratio, " : ".join(f"{statistics.median(side):,.0f}/s" for side in zip(*pairs, strict=True))


def build_demo(place: Path, database: str | None) -> Path:
    """A fresh demo deployment under `place`. Raises CalledProcessError if the command fails."""
    command = [
        str(Path(sys.executable).with_name("nik-gateway")),
        "demo",
        str(place),
        "--no-serve",
        "--residents",
        "10000",
    ]
    options = ["--host", "127.0.0.1", "--port", str(free_port()), *(["--database", database] if database else [])]
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL, cwd=HOUSE)
    return place


@contextlib.contextmanager
def gateway(demo: Path, *, one_core: bool = False) -> Iterator[tuple[Partner, int]]:
    """The gateway of `demo`, served by one worker: a partner of it, and its port."""
    partner = Partner.from_demo(demo)
    port = httpx.URL(partner.base_url).port or 80
    command = [str(Path(sys.executable).with_name("nik-gateway")), "serve", "--config", str(demo / "gateway.toml")]
    with served(tokens.on_one_core(command) if one_core else command, port):
        yield partner, port


def single_rows(demo: Path, rounds: int, count: int) -> Iterator[Row]:
    """Single verifications: against the crypto floor, the no-op and the gateway built by hand."""
    people = residents(demo)
    with contextlib.ExitStack() as stack:
        partner, port = stack.enter_context(gateway(demo))
        bodies = [json.dumps(question(one, partner.purpose)).encode() for one in people]
        some = [bodies[number % len(bodies)] for number in range(count)]

        def ours() -> float:
            return send_all(port, partner.requests(SINGLE, some)).demand(200).rate

        def theirs(app: str, requests: Callable[[], list[bytes]], **environment: str) -> Callable[[], float]:
            other = free_port()
            stack.enter_context(served(uvicorn(app, other), other, **environment))
            send_all(other, requests()).demand(200)
            return lambda: send_all(other, requests()).demand(200).rate

        def same() -> list[bytes]:
            return proven(partner.prover, "t" * 700, partner.base_url, SINGLE, some)

        ours()
        yield Row(
            "single, DPoP, signed : crypto floor", *_spread(rounds, ours, theirs("bench.floors:crypto", same), 0.75)
        )
        yield Row("single, DPoP, signed : no-op", *_spread(rounds, ours, theirs("bench.floors:noop", same), None))
        plan, requests = handbuilt(Path(stack.enter_context(tempfile.TemporaryDirectory())), people, some)
        few = theirs("bench.handbuilt:app", lambda: requests()[: count // 4], HANDBUILT_PLAN=plan)
        yield Row("single, DPoP, signed : hand-built", *_spread(rounds, ours, few, 5.0))


def steady_row(demo: Path, rounds: int, count: int) -> Row:
    """Five times the median against the slowest hundredth, at 70 % of what the gateway can answer."""
    people = residents(demo)
    with gateway(demo) as (partner, port):
        bodies = [json.dumps(question(one, partner.purpose)).encode() for one in people]
        some = [bodies[number % len(bodies)] for number in range(count)]
        most = statistics.median(send_all(port, partner.requests(SINGLE, some)).demand(200).rate for _ in range(3))
        seen = [send_paced(port, partner.requests(SINGLE, some), LOAD * most).demand(200) for _ in range(rounds)]
    p50, p99 = (statistics.median(times) * 1000 for times in zip(*((one.p50, one.p99) for one in seen), strict=True))
    ratio = statistics.median(5 * one.p50 / one.p99 for one in seen)
    return Row("single at 70 % load, 5 × p50 : p99", ratio, 1.0, f"{p50:.1f} ms, {p99:.1f} ms at {LOAD * most:,.0f}/s")


def bound_row(place: Path, rounds: int, count: int) -> Row:
    """Single verifications under tokens that are bound to a certificate, against the no-op."""
    with bound.behind_a_proxy(place) as partner, contextlib.ExitStack() as stack:
        bodies = [json.dumps(question(one, partner.purpose)).encode() for one in residents(place)]
        some = [bodies[number % len(bodies)] for number in range(count)]
        other = free_port()
        stack.enter_context(served(uvicorn("bench.floors:noop", other), other))

        def ours() -> float:
            return send_all(partner.port, partner.requests(SINGLE, some)).demand(200).rate

        def theirs() -> float:
            return send_all(other, partner.requests(SINGLE, some)).demand(200).rate

        ours(), theirs()
        return Row(bound.NAME, *_spread(rounds, ours, theirs, bound.BAR))


def token_row(demo: Path, place: Path, rounds: int, count: int) -> Row:
    """Tokens a core issues, against oidc-provider."""
    with gateway(demo, one_core=True) as (partner, port), tokens.provider(place) as (client, other):
        ours, theirs = tokens.rate(partner, port, "/oauth2/token", count), tokens.rate(client, other, "/token", count)
        return Row(tokens.NAME, *_spread(rounds, ours, theirs, tokens.BAR))


def _spread(
    rounds: int, ours: Callable[[], float], theirs: Callable[[], float], bar: float | None
) -> tuple[float, float | None, str]:
    ratio, seen = in_turns(rounds, ours, theirs)
    return ratio, bar, seen


def handbuilt(place: Path, people: list[dict[str, Any]], bodies: list[bytes]) -> tuple[str, Callable[[], list[bytes]]]:
    """The comparison's settings, its database filled, and what makes requests that it accepts."""
    issuer, prover = ECKey.generate_key("P-256"), Prover()
    plan = json.dumps(
        {
            "database": f"sqlite:///{place / 'handbuilt.db'}",
            "issuer_key": issuer.as_dict(private=False),
            "index_key": secrets.token_hex(32),
            "record_key": secrets.token_hex(32),
        },
    )
    os.environ["HANDBUILT_PLAN"] = plan
    from bench.handbuilt import fill  # noqa: PLC0415  it reads its plan when imported

    fill(people, "bench")

    def requests() -> list[bytes]:
        claims = {"client_id": "bench", "cnf": {"jkt": prover.thumbprint}, "exp": int(time.time()) + 300}
        token = jwt.encode({"alg": "ES256", "typ": "at+jwt"}, claims, issuer)
        return proven(prover, token, "http://127.0.0.1", SINGLE, bodies)

    return plan, requests


def batch_row(demo: Path, rounds: int, engine: str) -> Row:
    """A batch of 1,000 against the same 1,000 items in a tight loop."""
    people = residents(demo)
    items = [question(people[number % len(people)]) for number in range(BATCH_SIZE)]
    with gateway(demo) as (partner, port), tempfile.TemporaryDirectory(dir=demo) as place:
        body = json.dumps(
            {"purpose": partner.purpose, "items": [{"ref": str(ref), **item} for ref, item in enumerate(items)]},
        ).encode()
        _prove_whole(partner, body)
        floor = Floor(Path(place) / "floor.db", people)
        floor.seconds(items)

        def ours() -> float:
            time.sleep(PAUSE)
            return BATCH_SIZE / send_all(port, partner.requests(BATCH, [body]), 1).demand(200).p50

        ratio, seen = in_turns(rounds, ours, lambda: BATCH_SIZE / floor.seconds(items))
        floor.close()
    return Row(f"batch of 1,000 on {engine} : primitive floor", ratio, 0.6, seen)


def _prove_whole(partner: Partner, body: bytes) -> None:
    """Send the batch once and look inside. Raises RuntimeError unless every item is answered, sealed and a match."""
    url, token = partner.base_url + BATCH, partner.token()
    proof = {"authorization": f"DPoP {token}", "dpop": partner.prover.prove(url, token)}
    answer = httpx.post(url, content=body, headers=proof | {"content-type": "application/json"}, timeout=60)
    answered = [one for one in answer.json().get("items", []) if one.get("match") and one.get("entry")]
    if len(answered) != BATCH_SIZE:
        msg = f"{len(answered)} of {BATCH_SIZE} items are matches: {answer.status_code} {answer.text[:1000]}"
        raise RuntimeError(msg)


def client_row(rounds: int, count: int) -> Row:
    """Is the load generator cheaper than what it measures? Its share of a core against a bare ASGI no-op."""
    port = free_port()
    requests = proven(Prover(), "t" * 700, "http://127.0.0.1", SINGLE, [b'{"nik":""}'] * count)
    with served(uvicorn("bench.floors:bare", port), port):
        outcomes = [send_all(port, requests).demand(200) for _ in range(rounds)]
    busy = statistics.median(one.busy for one in outcomes)
    rate = statistics.median(one.rate for one in outcomes)
    return Row(
        "what the load client could send : a bare ASGI no-op", 1 / busy, 1.25, f"{rate / busy:,.0f}/s : {rate:,.0f}/s"
    )


def main() -> int:
    """Measure and print. Returns 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="bench.run", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="pairs of measurements for each ratio")
    parser.add_argument("--count", type=int, default=2000, help="single verifications in each measurement")
    parser.add_argument(
        "--only", choices=GROUPS, action="append", help="measure these rows alone; may be given more than once"
    )
    parser.add_argument("--demo", type=Path, help="measure this demo deployment (made with --no-serve) on its database")
    words = parser.parse_args()
    wanted = set(words.only or GROUPS)
    rows = [client_row(3, words.count)] if "client" in wanted else []
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nik-bench-", dir=servers.open_place())))
        place.chmod(0o711)  # PostgreSQL may run as another user
        demo = words.demo or build_demo(place / "demo", None)
        if "single" in wanted:
            rows.extend(single_rows(demo, words.rounds, words.count))
        if "steady" in wanted:
            rows.append(steady_row(demo, words.rounds, words.count))
        if "bound" in wanted:
            rows.append(bound_row(place / "demo-tls", words.rounds, words.count))
        if "tokens" in wanted:
            (place / "node").mkdir()
            rows.append(token_row(demo, place / "node", words.rounds, words.count // 2))
        if "batch" in wanted:
            rows.append(batch_row(demo, words.rounds, "its database" if words.demo else "SQLite"))
        if "batch" in wanted and not words.demo:
            postgresql = servers.Postgresql(place / "postgresql", durable=True)
            postgresql.start()
            stack.callback(postgresql.stop)
            rows.append(batch_row(build_demo(place / "demo-postgresql", postgresql.url), words.rounds, "PostgreSQL"))
    if "import" in wanted:
        with imports.prepared() as each:
            rows.extend(
                Row(f"import on {name} : bare insert", *_spread(3, ours, theirs, imports.BAR))
                for name, ours, theirs in each
            )
    if "ledger" in wanted:
        rows.extend(
            Row(name, *_spread(words.rounds, ours, theirs, bar)) for name, ours, theirs, bar in ledger.measured()
        )
    width = max(len(row.name) for row in rows)
    print(f"{'name':{width}} | ratio |  bar | pass | medians")
    for row in rows:
        bar = "   –" if row.bar is None else f"{row.bar:4.2f}"
        print(f"{row.name:{width}} | {row.ratio:5.2f} | {bar} | {row.passed:4} | {row.seen}")
    return int(any(row.passed == "NO" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
