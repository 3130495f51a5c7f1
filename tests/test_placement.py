"""Where modules run: loading, moving and unloading them by name."""

import concurrent.futures
import json

import pytest
from placement import TEXT, module_status, move, status, workers
from programs import wait_until

# ---- the original's cases for the orchestrator (module and remote, by name)


def test_a_configured_module_is_loaded_as_module_and_unloaded(serve, kit):
    daemon = serve(env=kit)
    assert daemon.op("jsorc_actions_config", name="example_module",
                     config="jac_misc.config") == {"success": True}
    assert status(daemon, "example_module") is None, "it was never loaded"
    loaded = daemon.op("jsorc_actions_load", name="example_module", mode="module")
    expected = {"mode": "module",
                "module": {"name": "jac_misc.example_module",
                           "loaded_module": "jac_misc.example_module.example_module"},
                "local": {"path": None}, "remote": {"url": None, "status": None}}
    assert loaded == {"success": True, "action_status": expected}
    assert status(daemon, "example_module") == expected
    assert daemon.op("actions_module_list") == ["jac_misc.example_module.example_module"]
    assert daemon.op("actions_module_list", detailed=True) == {
        "jac_misc.example_module.example_module": ["example_module.call"]}
    assert daemon.op("actions_list") == ["example_module.call"]
    assert daemon.op("actions_call", name="example_module.call", ctx={"a": "x"}) == {
        "success": True, "result": "example module received x."}

    assert daemon.op("jsorc_actions_unload", name="example_module", mode="auto") == {
        "success": True, "message": "Action module example_module unloaded."}
    assert daemon.op("actions_list") == []
    assert daemon.op("actions_module_list") == []
    assert daemon.call("example_module.call", a="x").status == 404
    wait_until(lambda: not daemon.op("jsorc_status")["workers"], 10, "the end of its worker")


def test_a_configured_module_becomes_remote_by_polling_and_its_pod_is_retired(serve, kit):
    daemon = serve(env=kit)
    daemon.op("jsorc_actions_config", name="example_module", config="jac_misc.config")
    first = daemon.op("jsorc_actions_load", name="example_module", mode="remote")
    assert first["success"] is True
    assert first["action_status"]["mode"] is None
    assert first["action_status"]["remote"]["status"] == "STARTING"

    def loaded():
        answer = daemon.op("jsorc_actions_load", name="example_module", mode="remote")
        assert answer["success"] is True, answer
        found = answer["action_status"]
        return found if found["remote"]["status"] == "READY" else None

    ready = wait_until(loaded, 30, "READY")
    assert ready["mode"] == "remote"
    assert ready["module"]["name"] is None
    assert daemon.op("actions_list") == ["example_module.call"]
    assert daemon.call("example_module.call", a="x").json() == "example module received x."
    pod, = workers(daemon, "pod")
    assert daemon.op("jsorc_actions_unload", name="example_module", mode="remote",
                     retire_svc=True) == {
        "success": True, "message": f"Remote actions from {ready['remote']['url']} unloaded."}
    assert daemon.op("actions_list") == [], "the action is gone at once"
    wait_until(lambda: pod["pid"] not in daemon.pids(), 10, "the end of the pod")


def test_refusals_of_unload_are_the_originals_word_for_word(serve, text):
    daemon = serve()

    def unload(mode="auto"):
        return daemon.op("jsorc_actions_unload", name="text", mode=mode)

    for mode in ("auto", "module", "local", "remote"):
        assert unload(mode) == {"success": False, "message": "Action is not loaded."}
    assert unload("both") == {"success": False, "message": "Unrecognized action mode both."}

    assert daemon.op("actions_load_local", file=str(text))["success"] is True
    assert unload("remote") == {"success": False, "message": "Action is not loaded as remote."}
    assert unload("local") == {"success": True, "message": "Action module text unloaded."}
    assert unload("module") == {"success": False, "message": "Action is not loaded as module."}
    assert unload() == {"success": False,
                        "message": "Unrecognized action loaded status None"}
    move(daemon, "text", "remote")
    assert unload("module") == {"success": False, "message": "Action is not loaded as module."}


def test_a_pod_that_is_starting_can_be_retired(serve, write):
    slow = write("slow.py", "import time, jsorc\ntime.sleep(30)\n@jsorc.action\ndef f(): pass\n")
    daemon = serve()
    daemon.op("jsorc_actions_config", name="slow", config={"module": str(slow)})
    answer = daemon.op("jsorc_actions_load", name="slow", mode="remote")
    assert answer["action_status"]["remote"]["status"] == "STARTING"
    unloaded = daemon.op("jsorc_actions_unload", name="slow", mode="remote")
    assert unloaded["success"] is True, unloaded
    assert unloaded["message"].startswith("Remote actions from ")
    wait_until(lambda: not daemon.op("jsorc_status")["workers"], 10, "the end of its pod")
    assert status(daemon, "slow")["remote"] == {"url": None, "status": None}


def test_a_module_that_never_loaded_is_not_tried_again_after_a_restart(serve, text, write):
    daemon = serve(text)
    daemon.expect_log("broken")
    path = write("broken.py", "import nonexistent_package\n")
    assert daemon.op("actions_load_local", file=str(path))["success"] is False
    assert module_status(daemon, "broken") is None
    daemon.stop()
    log_size = daemon.log.stat().st_size
    daemon.start()
    wait_until(lambda: daemon.call("text.pid").status == 200, 20, "text")
    assert module_status(daemon, "broken") is None
    assert b"broken" not in daemon.log.read_bytes()[log_size:]


def test_a_move_that_failed_is_not_tried_again_after_a_restart(serve, text):
    daemon = serve()
    daemon.expect_log("text")
    source = text.read_text()
    assert daemon.op("actions_load_local", file=str(text))["success"] is True
    text.write_text("import nonexistent_package\n")
    answer = daemon.op("jsorc_actions_load", name="text", mode="remote", wait=True)
    assert answer["success"] is False
    text.write_text(source)
    daemon.stop()
    daemon.start()
    wait_until(lambda: daemon.call("text.pid").status == 200, 20, "text")
    assert status(daemon, "text")["mode"] == "module"


def test_modes_of_all_and_unknown_names(serve, text, write):
    daemon = serve(text, write("more.py", TEXT))
    wait_until(lambda: daemon.call("more.pid").status == 200, 20, "more")
    move(daemon, "more", "remote")
    assert status(daemon, "") == {"text": {"mode": "module"}, "more": {"mode": "remote"}}
    assert status(daemon, "nobody") is None
    answer = daemon.op("jsorc_actions_load", name="nobody", mode="module")
    assert answer["success"] is False
    assert "module 'nobody' is not known" in answer["message"]
    answer = daemon.op("jsorc_actions_load", name="text", mode="elsewhere")
    assert answer["success"] is False
    assert answer["message"] == "mode 'elsewhere' is none of module, local, remote, auto"
    assert answer["action_status"]["mode"] == "module"


@pytest.mark.parametrize(("config", "says"), [
    ("no_such_package.config", "No module named 'no_such_package'"),
    ("/nonexistent/actions.yaml", "/nonexistent/actions.yaml"),
    ({"module": 7}, "'module' is missing"),
    ({"module": "x", "local_mem_requirement": "much"}, "'local_mem_requirement' is a number"),
])
def test_action_configs_that_cannot_be_used_say_why(serve, config, says):
    daemon = serve()
    answer = daemon.op("jsorc_actions_config", name="x", config=config)
    assert answer["success"] is False
    assert says in json.dumps(answer)
    assert status(daemon, "x") is None


def test_action_configs_from_files(serve, text, write):
    config = write("actions.yaml", f"text:\n  module: {text}\n  local_mem_requirement: 12.5\n")
    write("configs/a.json", json.dumps({"copy": {"module": str(text)}}))
    daemon = serve()
    assert daemon.op("jsorc_actions_config", name="text", config=str(config))["success"] is True
    assert daemon.op("jsorc_actions_config", name="text",
                     config=config.as_uri())["success"] is True
    assert daemon.op("jsorc_actions_config", name="copy",
                     config=str(config.parent / "configs"))["success"] is True
    missing = daemon.op("jsorc_actions_config", name="other", config=str(config))
    assert missing == {"success": False, "message": "there is no action config named 'other'"}
    move(daemon, "text", "module")
    assert daemon.call("text.upper", text="a").json() == "A"


def test_auto_takes_the_module_in_while_it_fits_and_out_when_it_does_not(serve, text):
    daemon = serve()
    daemon.op("jsorc_actions_config", name="text",
              config={"module": str(text), "local_mem_requirement": 10})
    answer = daemon.op("jsorc_actions_load", name="text", mode="auto", wait=True)
    assert answer["action_status"]["mode"] == "module"
    daemon.op("jsorc_actions_config", name="text",
              config={"module": str(text), "local_mem_requirement": 1e9})
    answer = daemon.op("jsorc_actions_load", name="text", mode="auto", wait=True)
    assert answer["action_status"]["mode"] == "remote"


# ---- moves


def test_a_module_moves_back_and_forth_and_its_old_process_ends(serve, text):
    daemon = serve(text)
    places, pids = [], []
    for mode in ("module", "remote", "module"):
        found = move(daemon, "text", mode)
        pids.append(daemon.call("text.pid").json())
        places.append((found["module"]["name"] is not None, found["remote"]["status"]))
        assert daemon.call("text.capitals", text="a").json() == "A"
    assert len(set(pids)) == 3
    assert places[1] == (False, "READY")
    wait_until(lambda: not {pids[0], pids[1]} & set(daemon.pids()), 10, "the end of the old ones")
    moves = daemon.op("jsorc_status")["moves"]
    assert [(one["from"], one["to"]) for one in moves] == [("module", "remote"),
                                                           ("remote", "module")]


def test_loading_what_is_there_changes_nothing(serve, text):
    daemon = serve(text)
    for mode in ("module", "remote"):
        move(daemon, "text", mode)
        pid = daemon.call("text.pid").json()
        move(daemon, "text", mode)
        assert daemon.call("text.pid").json() == pid


def test_ctx_reaches_setup_and_another_one_sets_up_anew(serve, text):
    daemon = serve(text)
    for mode in ("module", "remote"):
        for tag in ("one", "two"):
            move(daemon, "text", mode, ctx={"tag": tag})
            assert daemon.call("text.tag").json() == tag
    move(daemon, "text", "module")
    assert daemon.call("text.tag").json() == "two", "a move keeps the arguments of setup"


@pytest.mark.parametrize("mode", ["module", "remote"])
def test_a_load_that_is_refused_changes_nothing(serve, write, text, mode):
    """Not what serves, nor what the next start and the loads of others begin with."""
    daemon = serve(text, write("other.py", TEXT))
    daemon.expect_log("module did not start")
    move(daemon, "text", mode, ctx={"tag": "good"})
    for ctx in ({"tga": "bad"}, {"tag": "x", "more": 1}):
        answer = daemon.op("jsorc_actions_load", name="text", mode=mode, ctx=ctx, wait=True)
        assert answer["success"] is False, answer
        assert daemon.call("text.tag").json() == "good"
    for other in ("remote", "module"):
        move(daemon, "other", other, ctx={"tag": other})
        assert daemon.call("other.tag").json() == other
    move(daemon, "text", "remote" if mode == "module" else "module")
    assert daemon.call("text.tag").json() == "good"
    daemon.stop()
    daemon.start()
    assert daemon.call("text.tag").json() == "good"


def test_a_call_under_way_ends_where_it_began(serve, write):
    daemon = serve(write("slow.py", """
import os, time, jsorc

@jsorc.action
def pid(seconds: float = 0):
    time.sleep(seconds)
    return os.getpid()
"""))
    first = daemon.call("slow.pid").json()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        under_way = pool.submit(lambda: daemon.call("slow.pid", seconds=3))
        daemon.under_way(1)
        move(daemon, "slow", "remote")
        assert daemon.call("slow.pid").json() != first
        reply = under_way.result()
    assert (reply.status, reply.json()) == (200, first)


def test_calls_wait_while_their_module_starts(serve, write):
    slow = write("slow.py", "import time, jsorc\ntime.sleep(1)\n@jsorc.action\n"
                            "def f(n: int):\n    return n\n")
    daemon = serve(slow)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda n: daemon.call("slow.f", n=n), range(8)))
    assert [(reply.status, reply.json()) for reply in replies] == [(200, n) for n in range(8)]
    assert daemon.call("slow.g").status == 404


def test_the_wait_for_a_module_has_an_end(serve, write):
    slow = write("slow.py", "import time, jsorc\ntime.sleep(4)\n@jsorc.action\n"
                            "def f():\n    return 1\n")
    daemon = serve(slow, options=("--wait-timeout-s", "0.3"))
    reply = daemon.call("slow.f")
    assert reply.status == 503, reply.body
    assert reply.headers["retry-after"] == "1"
    wait_until(lambda: daemon.call("slow.f").status == 200, 20, "its module")
