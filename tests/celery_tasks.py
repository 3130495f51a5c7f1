"""What Celery's own worker runs in tests and bench/tasks.py: `celery -A celery_tasks worker`."""

import os

from celery import Celery

URL = os.environ["TEST_CELERY_URL"]
app = Celery("celery_tasks", broker=URL, backend=URL)
app.conf.update(
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    broker_transport_options={"visibility_timeout":
                              float(os.environ.get("TEST_CELERY_VISIBILITY_S", "3600"))})


@app.task(name="peer.echo")
def echo(value=None, **named):
    return {"value": value, "named": named} if named else value


@app.task(name="peer.fail")
def fail(text):
    raise ValueError(text, 2)
