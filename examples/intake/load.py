"""Sends the documents of make_input.py to a running jsorc and checks each answer.

    python load.py FOLDER [--url http://127.0.0.1:8642] [--seconds 60] [--threads 4] [--json FILE]

A closed loop: each thread sends its next request when it has the answer to the last one. The
requests are a mix of both walkers and of actions called directly. A request has failed when it is
not answered with 200, or when the answer contradicts what manifest.json says of the document.
Prints a table; exits 1 when anything failed.
"""

import argparse
import base64
import difflib
import http.client
import json
import pathlib
import random
import re
import threading
import time
import unicodedata
import urllib.parse

TEXT_RATIO_MIN = 0.95  # of the letters of a picture; measured: 0.968 or more on 272 pictures
TIMEOUT_S = 60
FAILURES_SHOWN = 5

# (walker or action, kind of document, share of the requests)
MIX = [
    ("intake", "image", 2), ("intake", "source", 8), ("intake", "text", 12),
    ("triage", "image", 6), ("triage", "source", 6), ("triage", "text", 8),
    ("filetype.identify", "any", 8), ("ocr.read", "image", 1), ("language.detect", "text", 12),
    ("sentiment.score", "text", 12), ("keywords.extract", "text", 12), ("stats.count", "text", 12),
]  # fmt: skip


# ---- what is true of an answer


def fold(text: str) -> str:
    """Lower-case letters and digits only: the picture reader loses accents and some spaces."""
    text = unicodedata.normalize("NFKD", text.casefold().replace("ł", "l"))
    return re.sub("[^0-9a-z]", "", text)


def check_type(document: dict, answer: dict) -> str:
    """Each check returns what is wrong, "" when nothing is."""
    if answer["label"] != document["type"]:
        return f"type {answer['label']}, not {document['type']}"
    return ""


def check_text(document: dict, text: str) -> str:
    expected, got = fold(document["text"]), fold(text or "")
    ratio = difflib.SequenceMatcher(None, expected, got, autojunk=False).ratio()
    return "" if ratio >= TEXT_RATIO_MIN else f"text read only to {ratio:.3f}: {text!r}"


def check_language(document: dict, answer: dict) -> str:
    if answer["language"] != document["language"]:
        return f"language {answer['language']}, not {document['language']}"
    return ""


def check_sentiment(document: dict, answer: dict | None) -> str:
    label = answer["label"] if answer else None
    expected = document.get("sentiment")
    return "" if label == expected else f"sentiment {label}, not {expected}"


def check_keywords(document: dict, answer: list) -> str:
    found = [entry["keyword"] for entry in answer]
    for wanted in document["keywords"]:
        if any(fold(wanted) in fold(keyword) for keyword in found):
            return ""
    return f"keywords {found}, none of {document['keywords']}"


def check_statistics(document: dict, answer: dict) -> str:
    words = document["text"].split()
    expected = {
        "characters": len(document["text"]),
        "words": len(words),
        "lines": document["text"].count("\n") + 1,
        "word_longest": max(map(len, words)),
    }
    got = {name: answer[name] for name in expected}
    return "" if got == expected else f"statistics {got}, not {expected}"


def check_intake(document: dict, answer: dict) -> str:
    wrong = check_type(document, answer["type"])
    if document["kind"] == "source":
        return wrong or ("" if answer["text"] is None else "a text in a source file")
    wrong = (
        wrong
        or check_text(document, answer["text"])
        or check_language(document, answer["language"])
        or check_keywords(document, answer["keywords"])
        or check_sentiment(document, answer["sentiment"])
    )
    if document["kind"] == "text":
        wrong = wrong or check_statistics(document, answer["statistics"])
    return wrong


def check_triage(document: dict, answer: dict) -> str:
    wrong = check_type(document, answer["type"])
    if document["kind"] == "text":
        return wrong or check_language(document, answer["language"])
    return wrong or ("" if answer["language"] is None else "a language without a text")


def check_read(document: dict, answer: dict) -> str:
    return check_text(document, answer["text"])


CHECKS = {
    "intake": check_intake,
    "triage": check_triage,
    "filetype.identify": check_type,
    "ocr.read": check_read,
    "language.detect": check_language,
    "sentiment.score": check_sentiment,
    "keywords.extract": check_keywords,
    "stats.count": check_statistics,
}


# ---- requests


class Request:
    """One request that can be sent many times. label: row of the table."""

    def __init__(self, name: str, document: dict, data: str):
        self.name = name
        self.document = document
        self.label = name
        if "." in name:
            self.path = f"/actions/{name}"
            body = self.arguments(data)
        else:
            self.label += f" ({document['kind']})"
            self.path = f"/walkers/{name}"
            body = {"ctx": {"data": data}}
        self.body = json.dumps(body).encode()

    def arguments(self, data: str) -> dict:
        if self.name == "filetype.identify":
            return {"data": data}
        if self.name == "ocr.read":
            return {"image": data}
        arguments = {"text": self.document["text"]}
        if self.name == "keywords.extract":
            arguments["language"] = self.document["language"]
        return arguments

    def wrong(self, status: int, body: bytes) -> str:
        """What is wrong with the answer; "" when nothing is."""
        if status != 200:
            return f"status {status}: {body[:300].decode('utf-8', 'replace')}"
        try:
            answer = json.loads(body)
            if "." not in self.name:
                if not answer["success"]:
                    return f"walker failed: {answer['errors']}"
                answer = answer["report"][0]
            return CHECKS[self.name](self.document, answer)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            return f"unexpected answer ({error!r}): {body[:300]!r}"


def requests_of(folder: pathlib.Path) -> tuple[list[list[Request]], list[int]]:
    """For each row of MIX: the requests that it allows, and its share."""
    documents = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["documents"]
    groups, shares = [], []
    for name, kind, share in MIX:
        group = []
        for document in documents:
            # The sentiment is known, and found out, for English only.
            fits = kind in ("any", document["kind"])
            if fits and (name != "sentiment.score" or "sentiment" in document):
                data = base64.b64encode((folder / document["file"]).read_bytes()).decode()
                group.append(Request(name, document, data))
        if group:
            groups.append(group)
            shares.append(share)
    return groups, shares


# ---- load


class Tally:
    """What came of the requests; shared by the threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.seconds = {}  # label -> list of durations
        self.failures = []  # {at, label, file, reason}; at: seconds of the Unix clock

    def add(self, request: Request, seconds: float, wrong: str):
        with self.lock:
            self.seconds.setdefault(request.label, []).append(seconds)
            if wrong:
                self.failures.append({
                    "at": time.time(), "label": request.label,
                    "file": request.document["file"], "reason": wrong,
                })  # fmt: skip

    def rows(self) -> list[dict]:
        rows = []
        for label, durations in sorted(self.seconds.items()):
            durations = sorted(durations)
            rows.append({
                "name": label,
                "calls": len(durations),
                "p50_ms": 1000 * durations[len(durations) // 2],
                "p99_ms": 1000 * durations[min(len(durations) - 1, len(durations) * 99 // 100)],
                "failed": sum(failure["label"] == label for failure in self.failures),
            })  # fmt: skip
        return rows


def client(url: str, rng: random.Random, requests, end: float, tally: Tally):
    """One thread of the load: until time.monotonic() is end."""
    groups, shares = requests
    address = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=TIMEOUT_S)
    while time.monotonic() < end:
        request = rng.choice(rng.choices(groups, shares)[0])
        start = time.perf_counter()
        try:
            connection.request("POST", request.path, request.body,
                               {"content-type": "application/json"})  # fmt: skip
            response = connection.getresponse()
            status, body = response.status, response.read()
            seconds = time.perf_counter() - start
            wrong = request.wrong(status, body)
        except (OSError, http.client.HTTPException) as error:
            seconds = time.perf_counter() - start
            wrong = f"no answer: {error!r}"
            connection.close()
            time.sleep(0.1)  # a server that is gone must not be asked in a tight loop
        tally.add(request, seconds, wrong)
    connection.close()


def run(folder: pathlib.Path, url: str, seconds: float, threads: int, seed: int = 1) -> Tally:
    requests = requests_of(folder)
    tally = Tally()
    end = time.monotonic() + seconds
    clients = [
        threading.Thread(target=client, daemon=True,
                         args=(url, random.Random(seed + number), requests, end, tally))
        for number in range(threads)
    ]  # fmt: skip
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--url", default="http://127.0.0.1:8642")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=pathlib.Path, help="write the figures there, no table")
    arguments = parser.parse_args()

    tally = run(arguments.folder, arguments.url, arguments.seconds, arguments.threads,
                arguments.seed)  # fmt: skip
    rows = tally.rows()
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": rows, "failures": tally.failures}))
    else:
        print(f"{'request':24} {'calls':>7} {'p50 ms':>9} {'p99 ms':>9} {'failed':>7}")
        for row in rows:
            print(f"{row['name']:24} {row['calls']:7} {row['p50_ms']:9.2f} {row['p99_ms']:9.2f} "
                  f"{row['failed']:7}")  # fmt: skip
        for failure in tally.failures[:FAILURES_SHOWN]:
            print(f"{failure['label']}, {failure['file']}: {failure['reason']}")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
