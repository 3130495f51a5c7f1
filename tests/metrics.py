"""What GET /metrics told, as tests ask for it."""

import re

_SAMPLE = re.compile(r"^([a-z_]+)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


class Metrics:
    """metrics("jsorc_action_calls_total", action="text.upper"): the sum of the samples that have
    these labels, None when there is none."""

    def __init__(self, text):
        self.text = text
        self.samples = []
        for line in text.splitlines():
            if not line.startswith("#"):
                name, labels, value = _SAMPLE.match(line).groups()
                self.samples.append((name, dict(_LABEL.findall(labels or "")), float(value)))

    def __call__(self, name, **labels):
        values = [value for found, has, value in self.samples
                  if found == name and labels.items() <= has.items()]
        return sum(values) if values else None

    def families(self):
        return set(re.findall(r"^# TYPE (\S+)", self.text, re.MULTILINE))


def read_metrics(daemon):
    reply = daemon.get("/metrics")
    assert reply.status == 200, reply.body
    return Metrics(reply.body.decode())
