"""Tasks between the released Celery and our queue on a real Redis, in both directions."""

import gc
import json
import uuid

import celery
import pytest
from celery_peers import GET_SECONDS, CeleryWorker, QueueTalk, RedisServer
from programs import wait_until

WALKER = "jsorc.walker"


@pytest.fixture
def server(tmp_path):
    server = RedisServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def app(server):
    app = server.app()
    yield app
    app.close()
    gc.collect()  # what an exception holds shall not look for its server later on


@pytest.fixture
def queue(server):
    with QueueTalk(server) as queue:
        yield queue


def left(server):
    """What the queue holds, in whatever form."""
    return (server.client.llen("celery"), server.client.hlen("unacked"),
            server.client.zcard("unacked_index"), server.client.hlen("jsorc:task:taken"))


def nothing_left(server):
    wait_until(lambda: left(server) == (0, 0, 0, 0), 10, "nothing is left")


# ---- a client of Celery, our queue

def test_a_client_gets_the_result_of_its_task(server, app, queue):
    result = app.send_task(WALKER, args=["greet", {"who": "Zoë"}], kwargs={"n": 1.5, "none": None})
    task = queue.next_task()
    assert task["args"] == ["greet", {"who": "Zoë"}]
    assert task["kwargs"] == {"n": 1.5, "none": None}
    assert (task["task"], task["id"], task["retries"]) == (WALKER, result.id, 0)
    assert result.status == "PENDING" and left(server) == (0, 1, 1, 1)
    queue.finish(task, {"answer": [1, "zwei", None]})
    assert result.get(timeout=GET_SECONDS) == {"answer": [1, "zwei", None]}
    assert result.status == "SUCCESS"
    assert 0 < server.client.ttl(f"celery-task-meta-{result.id}") <= 86400
    nothing_left(server)


def test_a_failure_is_raised_at_the_client(app, queue):
    result = app.send_task(WALKER, args=["greet"])
    queue.finish(queue.next_task(), error="no such thing")
    with pytest.raises(Exception, match="no such thing") as caught:
        result.get(timeout=GET_SECONDS)
    assert type(caught.value).__name__ == "ActionError"
    assert result.status == "FAILURE"


def test_a_result_that_nobody_reads_is_not_stored(server, app, queue):
    app.send_task(WALKER, args=[1], ignore_result=True)
    queue.finish(queue.next_task(), 1)
    nothing_left(server)
    assert server.client.keys("celery-task-meta-*") == []


def test_a_retry_comes_back_with_its_number(server, app, queue):
    result = app.send_task(WALKER, args=[1])
    first = queue.next_task()
    assert first["retries"] == 0
    queue.tell({"retry": first["id"], "delay_ms": 300, "error": "not yet"})
    wait_until(lambda: result.status == "RETRY", 10, "RETRY is told")
    second = queue.next_task()
    assert (second["id"], second["retries"], second["args"]) == (result.id, 1, [1])
    queue.finish(second, "now")
    assert result.get(timeout=GET_SECONDS) == "now"
    nothing_left(server)


def test_priorities_and_times_are_kept(server, app):
    with QueueTalk(server, taken_max=1) as queue:
        block = app.send_task(WALKER, args=["block"])
        queue.next_task()
        late = app.send_task(WALKER, args=["late"], countdown=0.5)
        app.send_task(WALKER, args=["last"], priority=9)
        app.send_task(WALKER, args=["first"])
        queue.finish({"id": block.id})
        order = []
        for _ in range(3):
            task = queue.next_task()
            order.append(task["args"][0])
            queue.finish(task)
        assert set(order) == {"first", "last", "late"}
        assert order.index("first") < order.index("last")
        assert late.get(timeout=GET_SECONDS) is None
        nothing_left(server)


def test_groups_chains_and_chords_are_refused_in_words(server, app, queue):
    one = app.signature(WALKER, args=[1])
    for canvas, text in ((celery.group(one, one), "part of a group"),
                         (celery.chain(one, one, one), "the begin of a chain"),
                         (celery.chord([one, one], one), "part of a chord")):
        with pytest.raises(NotImplementedError, match=text):
            canvas.apply_async().get(timeout=GET_SECONDS)
    with pytest.raises(NotImplementedError, match="callbacks"):
        one.apply_async(link=one).get(timeout=GET_SECONDS)
    for options, text in (({"compression": "gzip"}, "compressed"),
                          ({"serializer": "pickle"}, "task_serializer to json")):
        with pytest.raises(NotImplementedError, match=text):
            app.send_task(WALKER, args=[1], **options).get(timeout=GET_SECONDS)
    nothing_left(server)


def test_what_nobody_can_read_is_laid_aside(server, app, queue):
    bad = ["{", "[]", "no JSON", json.dumps({"properties": {"delivery_tag": "t"}})]
    for text in bad:
        server.client.lpush("celery", text)
    result = app.send_task(WALKER, args=["good"])
    queue.expected = "was laid aside"
    queue.finish(queue.next_task(), 1)
    assert result.get(timeout=GET_SECONDS) == 1
    wait_until(lambda: server.client.llen("jsorc:task:dead") == len(bad), 10, "all are aside")
    nothing_left(server)


# ---- what was begun and not ended

def test_tasks_of_one_that_was_killed_run_elsewhere(server, app):
    result = app.send_task(WALKER, args=[1])
    killed = QueueTalk(server, owner_ms=500)
    assert killed.next_task()["redelivered"] is False
    killed.kill()
    with QueueTalk(server) as queue:
        task = queue.next_task()
        assert (task["id"], task["redelivered"]) == (result.id, True)
        queue.finish(task, 2)
        assert result.get(timeout=GET_SECONDS) == 2
        nothing_left(server)


def test_celerys_worker_restores_what_we_took(server, app):
    result = app.send_task("peer.echo", args=[3])
    killed = QueueTalk(server)
    killed.next_task()
    killed.kill()
    index = server.client.zrange("unacked_index", 0, -1, withscores=True)
    server.client.zadd("unacked_index", {index[0][0]: index[0][1] - 60})  # a minute passes
    with CeleryWorker(server, visibility_s=30):
        assert result.get(timeout=GET_SECONDS) == 3


def test_we_restore_what_celerys_worker_took(server, app):
    result = app.send_task(WALKER, args=[4])
    with app.connection() as connection:
        taken = connection.default_channel.basic_get("celery")
        assert taken.headers["id"] == result.id and left(server)[:2] == (0, 1)
        with QueueTalk(server, visibility_s=1) as queue:
            task = queue.next_task()
            assert (task["id"], task["redelivered"]) == (result.id, True)
            queue.finish(task, 5)
            assert result.get(timeout=GET_SECONDS) == 5
        nothing_left(server)


def test_a_task_that_takes_long_is_not_restored_meanwhile(server, app):
    result = app.send_task(WALKER, args=[6])
    with QueueTalk(server, owner_ms=600) as queue:
        task = queue.next_task()
        tag = server.client.hkeys("jsorc:task:taken")[0]
        first = server.client.zscore("unacked_index", tag)
        wait_until(lambda: server.client.zscore("unacked_index", tag) > first, 10, "it is renewed")
        # As if it were a day old: ours know that its daemon lives.
        server.client.zadd("unacked_index", {tag: first - 86400})
        wait_until(lambda: server.client.zscore("unacked_index", tag) > first, 10, "it is renewed")
        queue.finish(task, 7)
        assert result.get(timeout=GET_SECONDS) == 7
        assert sum("task" in line for line in queue.lines) == 1
        nothing_left(server)


def test_results_outlive_a_lost_redis(server, app, queue):
    task_id = app.send_task(WALKER, args=[8]).id
    task = queue.next_task()
    server.kill()
    queue.line_where("it is down", lambda line: line.get("up") is False)
    queue.finish(task, 9)
    queue.tell({"send": "peer.echo", "id": "never-sent", "args": [1]})
    assert queue.line_where("refused", lambda line: "sent" in line)["sent"] < 0
    server.start()
    wait_until(lambda: left(server) == (0, 0, 0, 0), 20, "the end is told")
    stored = json.loads(server.client.get(f"celery-task-meta-{task_id}"))
    assert (stored["status"], stored["result"]) == ("SUCCESS", 9)


# ---- our queue, a worker of Celery

def test_celerys_worker_runs_what_we_send(server):
    with QueueTalk(server, taken_max=0) as queue, CeleryWorker(server):
        done, failed, late = (str(uuid.uuid4()) for _ in range(3))
        queue.tell({"send": "peer.echo", "id": done, "args": ["wört"], "kwargs": {"k": [1, None]},
                    "priority": 6})
        queue.tell({"send": "peer.fail", "id": failed, "args": ["boom"]})
        queue.tell({"send": "peer.echo", "id": late, "args": [1], "expires_unix_ms": 1})
        assert queue.answer(done) == {
            "answer": done, "status": "SUCCESS", "error": None,
            "value": {"value": "wört", "named": {"k": [1, None]}}}
        assert queue.answer(failed) == {"answer": failed, "status": "FAILURE", "value": None,
                                        "error": "ValueError: boom, 2"}
        assert queue.answer(late)["status"] == "REVOKED"


def test_a_result_that_does_not_come_is_not_waited_for(queue):
    assert queue.answer("nobody-knows", 0)["status"] == "PENDING"
    assert queue.answer("nobody-knows", 0.2)["status"] is None


# ---- the whole program

WALKERS = """
import jsorc

@jsorc.walker
def add(a: int = 1, b: int = 1):
    return a + b

@jsorc.walker
def fail():
    raise ValueError("not today")
"""


def test_walkers_run_for_a_client_of_celery(serve, write):
    daemon = serve(write("work.py", WALKERS))
    answer = daemon.op("service_config_set", name="redis", config={"automated": True})
    assert answer["state"] == "RUNNING", answer
    socket = daemon.folder / "state/run/redis.sock"
    url = f"redis+socket://{socket}?virtual_host=1"
    client = celery.Celery("client", broker=url, backend=url)
    client.conf.result_backend_transport_options = {"retry_policy": {"max_retries": 0}}
    daemon.op("service_config_set", name="task", config={"celery_queue": "celery"})
    done = client.send_task(WALKER, kwargs={"name": "add", "ctx": {"a": 40, "b": 2}})
    older = client.send_task("jaseci.svc.task.common.Queue", args=["add", None, [{"a": 3}, {}, 0]])
    failed = client.send_task(WALKER, args=["fail"])
    other = client.send_task("peer.echo", args=[1])
    assert done.get(timeout=GET_SECONDS)["response"]["report"] == [42]
    assert older.get(timeout=GET_SECONDS)["response"]["report"] == [4]
    with pytest.raises(Exception, match="not today"):
        failed.get(timeout=GET_SECONDS)
    with pytest.raises(Exception, match="nothing here runs a task of that name"):
        other.get(timeout=GET_SECONDS)
    daemon.expect_log("task is dead")
    client.close()
    del done, older, failed, other
    gc.collect()
