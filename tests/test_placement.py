"""Where modules run: loading, moving and unloading them through the API and the command line."""

import concurrent.futures
import datetime
import json
import threading
import time
from urllib.parse import quote

import pytest
from programs import wait_until

TEXT = """
import os
import jsorc

TAG = "none"

@jsorc.action
def setup(tag: str = "none"):
    global TAG
    TAG = tag

@jsorc.action
def tag():
    return TAG

@jsorc.action(aliases=["capitals"])
def upper(text: str):
    return text.upper()

@jsorc.action
def pid():
    return os.getpid()
"""

NOTHING = {"mode": None, "module": {"name": None, "loaded_module": None}, "local": {"path": None},
           "remote": {"url": None, "status": None}}


@pytest.fixture
def text(write):
    return write("text.py", TEXT)


@pytest.fixture
def kit(write):
    """A package of action configs as the original's kit has them: jac_misc.config, with a package
    that re-exports the functions of an inner module. Returns the environment to find it with."""
    manifests = {
        "Service": {"apiVersion": "v1", "kind": "Service",
                    "metadata": {"name": "test-module", "creationTimestamp": None},
                    "spec": {"selector": {"pod": "test-module"}, "ports": [{"port": 80}]}},
        "Deployment": {"apiVersion": "apps/v1", "kind": "Deployment",
                       "metadata": {"name": "test-module"}, "spec": {"replicas": 1}},
    }
    configs = {"example_module": {"module": "jac_misc.example_module",
                                  "loaded_module": "jac_misc.example_module.example_module",
                                  "remote": manifests}}
    write("kit/jac_misc/__init__.py", "")
    write("kit/jac_misc/config.py", f"ACTION_CONFIGS = {configs!r}\n")
    write("kit/jac_misc/example_module/__init__.py", "from .example_module import *  # noqa\n")
    inner = write("kit/jac_misc/example_module/example_module.py", """
from jaseci.jsorc.live_actions import jaseci_action

@jaseci_action(act_group=["example_module"], allow_remote=True)
def call(a: str):
    return "example module received " + a + "."
""")
    return {"PYTHONPATH": str(inner.parents[2])}


def status(daemon, name):
    answer = daemon.op("jsorc_actions_status", name=name)
    assert answer["success"] is True
    return answer["action_status"]


def move(daemon, name, mode, **options):
    answer = daemon.op("jsorc_actions_load", name=name, mode=mode, wait=True, **options)
    assert answer["success"] is True, answer
    assert answer["action_status"]["mode"] == mode
    return answer["action_status"]


def module_status(daemon, name):
    modules = daemon.op("jsorc_status")["modules"]
    return next((module for module in modules if module["name"] == name), None)


def workers(daemon, role):
    return [worker for worker in daemon.op("jsorc_status")["workers"] if worker["role"] == role]


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
    assert module_status(daemon, "broken")["wanted"] == "none"
    daemon.stop()
    log_size = daemon.log.stat().st_size
    daemon.start()
    wait_until(lambda: daemon.call("text.pid").status == 200, 20, "text")
    assert module_status(daemon, "broken")["wanted"] == "none"
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
        under_way = pool.submit(lambda: daemon.call("slow.pid", seconds=1.5))
        time.sleep(0.3)
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


# ---- by hand: files, import names, servers


def test_a_file_is_loaded_by_hand_and_read_again(serve, text):
    daemon = serve()
    assert daemon.op("actions_load_local", file=str(text), ctx={"tag": "a"}) == {"success": True}
    assert daemon.call("text.tag").json() == "a"
    text.write_text(TEXT.replace("return text.upper()", "return text.upper() + '!'"))
    assert daemon.call("text.upper", text="a").json() == "A"
    assert daemon.op("actions_load_local", file=str(text)) == {"success": True}
    assert daemon.call("text.upper", text="a").json() == "A!"
    assert status(daemon, "text")["local"] == {"path": str(text)}


def test_an_edited_file_that_is_broken_leaves_the_old_one_serving(serve, text):
    daemon = serve(text)
    daemon.expect_log("module did not start")
    assert daemon.call("text.upper", text="a").json() == "A"
    text.write_text(TEXT + "\nraise RuntimeError('edited badly')\n")
    answer = daemon.op("actions_load_local", file=str(text))
    assert answer["success"] is False
    assert "RuntimeError: edited badly" in answer["message"]
    assert daemon.call("text.upper", text="b").json() == "B"
    assert status(daemon, "text")["mode"] == "module"
    text.write_text(TEXT.replace("text.upper()", "text.lower()"))
    assert daemon.op("actions_load_local", file=str(text)) == {"success": True}
    assert daemon.call("text.upper", text="B").json() == "b"


def test_a_served_file_that_was_broken_keeps_others_from_moving_in_and_says_so(
        serve, text, write):
    daemon = serve(text, write("more.py", TEXT))
    daemon.expect_log("module did not start")
    move(daemon, "more", "remote")
    assert daemon.call("text.upper", text="a").json() == "A"
    text.write_text("raise RuntimeError('edited badly')\n")
    answer = daemon.op("jsorc_actions_load", name="more", mode="module", wait=True)
    assert answer["success"] is False, answer
    assert "module 'text' serves but does not load any more" in answer["message"]
    assert "RuntimeError: edited badly" in answer["message"]
    assert answer["action_status"]["mode"] == "remote"
    for name in ("text", "more"):
        assert daemon.call(f"{name}.upper", text="a").json() == "A"
    assert daemon.op("jsorc_actions_unload", name="more")["success"] is True
    text.write_text(TEXT)
    assert daemon.op("actions_load_local", file=str(text)) == {"success": True}
    move(daemon, "more", "module")


def test_an_importable_module_is_loaded_by_hand_and_read_again(serve, kit, write):
    daemon = serve(env=kit)
    assert daemon.op("actions_load_module", mod="jac_misc.example_module") == {"success": True}
    assert daemon.call("example_module.call", a="x").json() == "example module received x."
    write("kit/jac_misc/example_module/example_module.py", """
from jaseci.jsorc.live_actions import jaseci_action

@jaseci_action(act_group=["example_module"], allow_remote=True)
def call(a: str):
    return "edited"
""")
    assert daemon.op("actions_load_module", mod="jac_misc.example_module") == {"success": True}
    assert daemon.call("example_module.call", a="x").json() == "edited", "the inner file too"
    assert daemon.op("actions_unload_module",
                     name="jac_misc.example_module.example_module") == {"success": True}
    assert daemon.op("actions_list") == []


def test_a_server_is_loaded_by_hand(serve, host, text):
    server = host(text)
    daemon = serve()
    assert daemon.op("actions_load_remote", url=server.url) == {"success": True}
    assert daemon.op("actions_list") == [
        "text.capitals", "text.pid", "text.setup", "text.tag", "text.upper"]
    assert daemon.call("text.capitals", text="a").json() == "A"
    assert daemon.call("text.upper", txt="a").status == 422
    name = daemon.op("jsorc_status")["modules"][0]["name"]
    found = status(daemon, name)
    assert (found["mode"], found["remote"]) == ("remote", {"url": server.url, "status": "READY"})

    server.stop()
    assert daemon.call("text.upper", text="a").status in (502, 503)
    assert daemon.op("actions_unload_actionset", name="text") == {"success": True}, \
        "also when the server is gone: the names were learnt"
    assert daemon.op("actions_list") == []


def test_what_cannot_be_loaded_by_hand_says_why(serve, write):
    daemon = serve()
    daemon.expect_log("module did not start")
    for operation, argument, says in [
            ("actions_load_local", {"file": "/nonexistent/x.py"}, "/nonexistent/x.py"),
            ("actions_load_module", {"mod": "no.such.module"}, "No module named 'no'"),
            ("actions_load_remote", {"url": "ftp://x"}, "http://"),
            ("actions_load_remote", {"url": "http://127.0.0.1:1"}, "cannot be reached"),
            ("actions_unload_module", {"name": "nobody"}, "no such module"),
            ("actions_unload_action", {"name": "no.body"}, "'no.body' is not loaded"),
            ("actions_unload_actionset", {"name": "nobody"}, "'nobody'"),
            ("actions_call", {"name": "no.body"}, "no action 'no.body'")]:
        answer = daemon.op(operation, **argument)
        assert answer["success"] is False, (operation, answer)
        assert says in answer["message"]


def test_today_from_the_command_line(serve, write):
    daemon = serve()
    infer = write("infer.py", """
import datetime, jsorc

@jsorc.action
def date_now():
    return datetime.datetime.now(datetime.timezone.utc).date().isoformat()
""")
    assert daemon.cli("actions", "load", "local", infer).returncode == 0
    listed = daemon.cli("actions", "list")
    assert "infer.date_now" in json.loads(listed.stdout)
    called = daemon.cli("actions", "call", "infer.date_now")
    assert called.returncode == 0, called.stderr
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    assert json.loads(called.stdout)["result"] == today


def test_placement_from_the_command_line(serve, text):
    daemon = serve()
    config = json.dumps({"module": str(text)})
    steps = [
        (("jsorc", "actions", "config", "text", config), {"success": True}),
        (("jsorc", "actions", "load", "text", "-mode", "module"), "module"),
        (("jsorc", "actions", "load", "text", "-mode", "remote", "-wait", "true"), "remote"),
        (("jsorc", "actions", "status", "text"), "remote"),
        (("jsorc", "actions", "unload", "text", "-mode", "auto", "-retire_svc", "True"), None),
    ]
    for words, wanted in steps:
        run = daemon.cli(*words)
        assert run.returncode == 0, (words, run.stdout, run.stderr)
        answer = json.loads(run.stdout)
        assert answer["success"] is True
        if isinstance(wanted, str):
            assert answer["action_status"]["mode"] == wanted
    refused = daemon.cli("jsorc", "actions", "load", "nobody", "-mode", "module")
    assert refused.returncode != 0
    assert "module 'nobody' is not known" in refused.stdout + refused.stderr


# ---- names (the original's action table)


def test_modules_and_their_aliases_go_and_come_back(serve, text, write):
    daemon = serve(text, write("more.py", TEXT))
    wait_until(lambda: daemon.call("more.pid").status == 200, 20, "more")
    everything = daemon.op("actions_list")
    assert len(daemon.op("actions_module_list")) == 2
    assert "text.capitals" in everything
    for module in daemon.op("actions_module_list"):
        assert daemon.op("actions_unload_module", name=module) == {"success": True}
    assert (daemon.op("actions_module_list"), daemon.op("actions_list")) == ([], [])
    assert daemon.op("actions_load_local", file=str(text)) == {"success": True}
    assert daemon.op("actions_load_local", file=str(text.parent / "more.py")) == {"success": True}
    assert daemon.op("actions_list") == everything


def test_unloading_each_action_of_a_group_unloads_its_module(serve, text):
    daemon = serve(text)
    assert daemon.call("text.pid").status == 200
    names = daemon.op("actions_list", name="text.")
    for left in range(len(names) - 1, -1, -1):
        name = names[left]
        assert daemon.op("actions_unload_action", name=name) == {"success": True}
        assert daemon.op("actions_list", name="text.") == names[:left]
        assert daemon.call(name).status == 404
        assert len(daemon.op("actions_module_list")) == (1 if left else 0)
    assert daemon.op("actions_load_local", file=str(text)) == {"success": True}
    assert daemon.op("actions_list", name="text.") == names


def test_an_action_set_is_unloaded_in_one_call(serve, text):
    daemon = serve(text)
    assert daemon.call("text.pid").status == 200
    assert daemon.op("actions_unload_actionset", name="text") == {"success": True}
    assert daemon.op("actions_module_list") == []
    assert daemon.op("actions_unload_actionset", name="text")["success"] is False


@pytest.mark.parametrize("mode", ["module", "remote"])
def test_the_newest_of_two_providers_serves_and_unloading_it_uncovers_the_other(
        serve, write, mode):
    source = "import jsorc\n@jsorc.action(group='use')\ndef who():\n    return {!r}\n"
    own = "@jsorc.action(group='use')\ndef only_{}():\n    return 1\n"
    daemon = serve()
    for name in ("enc", "qa"):
        path = write(f"{name}.py", source.format(name) + own.format(name))
        assert daemon.op("actions_load_local", file=str(path)) == {"success": True}
        move(daemon, name, mode)
        assert daemon.call("use.who").json() == name
    assert daemon.op("actions_list", name="use.") == ["use.only_enc", "use.only_qa", "use.who"]
    assert daemon.op("jsorc_actions_unload", name="qa")["success"] is True
    assert daemon.call("use.who").json() == "enc"
    assert daemon.op("actions_list", name="use.") == ["use.only_enc", "use.who"]
    move(daemon, "qa", mode)
    assert daemon.call("use.who").json() == "qa", "it was loaded last"


# ---- walkers

FLOW = """
import os
import jsorc

@jsorc.walker
def shout(text):
    jsorc.report({"text": jsorc.call("text.upper", text), "there": jsorc.call("text.pid"),
                  "here": os.getpid()})
"""


def shout(daemon, text="a"):
    reply = daemon.post("/walkers/shout", {"ctx": {"text": text}})
    assert reply.status == 200, reply.body
    answer = reply.json()
    assert answer["success"] is True, answer
    report, = answer["report"]
    assert report["text"] == text.upper()
    return report


def test_a_walker_calls_an_action_in_its_process_and_in_a_pod(serve, text, write):
    daemon = serve(text, write("flow.py", FLOW))
    move(daemon, "text", "module")
    report = shout(daemon)
    assert report["here"] == report["there"], "a plain call in the same process"
    move(daemon, "text", "remote")
    report = shout(daemon)
    assert report["here"] != report["there"]
    assert report["there"] == daemon.call("text.pid").json()
    move(daemon, "text", "module")
    report = shout(daemon)
    assert report["here"] == report["there"]


def test_names_beyond_ascii_are_called_from_everywhere(serve, write):
    daemon = serve(write("words.py", "import jsorc\n@jsorc.action\ndef größe(text):\n"
                                     "    return len(text)\n"),
                   write("flow.py", "import jsorc\n@jsorc.walker\ndef zähle(text):\n"
                                    "    jsorc.report(jsorc.call('words.größe', text=text))\n"))
    move(daemon, "words", "remote")
    assert daemon.call(quote("words.größe"), text="abc").json() == 3
    walked = daemon.post("/walkers/" + quote("zähle"), {"ctx": {"text": "abcd"}}).json()
    assert walked["report"] == [4]
    for bad in ("words.gr%0d%0ax", "words%2f..", "%", "a%00b"):
        assert daemon.call(bad).status == 404


def test_walkers_stay_in_the_runtime_worker(serve, text, write):
    daemon = serve(text, write("flow.py", FLOW))
    here = shout(daemon)["here"]
    answer = daemon.op("jsorc_actions_load", name="flow", mode="remote", wait=True)
    assert answer["success"] is False
    assert "has walkers, which run in the runtime worker" in answer["message"]
    assert answer["action_status"]["mode"] == "module"
    assert shout(daemon)["here"] == here
    runtime, = workers(daemon, "runtime")
    assert runtime["pid"] == here


def test_a_module_first_loaded_as_remote_may_not_have_walkers_either(serve, write):
    daemon = serve()
    daemon.expect_log("module did not start")
    daemon.op("jsorc_actions_config", name="flow", config={"module": str(write("flow.py", FLOW))})
    answer = daemon.op("jsorc_actions_load", name="flow", mode="remote", wait=True)
    assert answer["success"] is False, answer
    assert "walkers" in answer["message"]
    assert move(daemon, "flow", "module")["mode"] == "module"


def test_walkers_run_on_while_modules_move(serve, text, write):
    daemon = serve(text, write("flow.py", FLOW))
    shout(daemon)
    stop = threading.Event()

    def keep_shouting():
        count = 0
        while not stop.is_set():
            shout(daemon, f"x{count}")
            count += 1
        return count

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(keep_shouting) for _ in range(4)]
        for mode in ("remote", "module") * 3:
            move(daemon, "text", mode)
        stop.set()
        counts = [run.result() for run in runs]
    assert min(counts) > 0
    figures = daemon.op("jsorc_status")["walker_runs"]
    assert (figures["calls"], figures["failed"]) == (sum(counts) + 1, 0)


def test_a_walker_in_a_request_of_the_original(serve, text, write):
    daemon = serve(text, write("flow.py", FLOW))
    body = {"name": "shout", "ctx": {"text": "a"}}
    connection = daemon.connect_local()
    for path, sent in [("/js/walker_run", body), ("/js/wapi/shout", {"ctx": body["ctx"]})]:
        reply = daemon.post(path, sent, connection=connection)
        assert reply.status == 200, (path, reply.body)
        assert reply.json()["report"][0]["text"] == "A", path
    unknown = daemon.post("/js/walker_run", {"name": "nobody"}, connection=connection).json()
    assert unknown == {"report": [], "success": False, "errors": ["Walker nobody not found!"]}
    connection.close()
    assert daemon.post("/js/walker_run", body).status == 401


# ---- names that several modules have, seen from a walker

WHO = """
import jsorc

@jsorc.action(group="use")
def who():
    return {0!r}

@jsorc.action(group="use")
def {0}():
    return {0!r}
"""

ASK = """
import jsorc

@jsorc.walker
def ask():
    jsorc.report(jsorc.call("use.who"))
"""


@pytest.fixture
def shared(serve, write):
    """A daemon with modules `old` and `new` that both have the action use.who, and a walker that
    calls it. Returns the daemon and a function: what clients and walkers get."""
    daemon = serve(write("flow.py", ASK))
    for name in ("old", "new"):
        path = write(f"{name}.py", WHO.format(name))
        assert daemon.op("actions_load_local", file=str(path)) == {"success": True}

    def who():
        reply = daemon.call("use.who")
        walked = daemon.post("/walkers/ask", {"ctx": {}}).json()
        return (reply.json() if reply.status == 200 else reply.status,
                walked["report"][0] if walked["success"] else "failed")

    return daemon, who


def same(name):
    return (name, name)


@pytest.mark.parametrize("old", ["module", "remote"])
@pytest.mark.parametrize("new", ["module", "remote"])
def test_the_newest_provider_serves_walkers_too_wherever_the_two_are(shared, old, new):
    daemon, who = shared
    move(daemon, "old", old)
    move(daemon, "new", new)
    wait_until(lambda: who() == same("new"), 20, f"new, not {who()}")
    assert daemon.op("actions_unload_action", name="use.who") == {"success": True}
    assert who() == same("old")
    assert daemon.call("use.new").json() == "new", "the module itself stays"
    assert daemon.op("jsorc_actions_unload", name="old")["success"] is True
    assert who() == (404, "failed")
    assert daemon.op("actions_load_local",
                     file=module_status(daemon, "new")["source"]) == {"success": True}
    wait_until(lambda: who() == same("new"), 20, "its names are back when it is loaded again")


def test_loading_the_older_provider_again_makes_it_the_newest(shared):
    daemon, who = shared
    wait_until(lambda: who() == same("new"), 20, "new")
    assert daemon.op("actions_load_local",
                     file=module_status(daemon, "old")["source"]) == {"success": True}
    wait_until(lambda: who() == same("old"), 20, "old")


def test_providers_keep_their_order_when_the_daemon_starts_anew(shared):
    daemon, who = shared
    move(daemon, "new", "remote")
    assert daemon.op("actions_unload_action", name="use.who") == {"success": True}
    assert who() == same("old")
    daemon.stop()
    daemon.start()
    wait_until(lambda: daemon.call("use.old").status == 200, 20, "old")
    wait_until(lambda: who() == same("old"), 20, f"old, not {who()}")


# ---- calls that come back

BACK = """
import jsorc

@jsorc.walker
def go(n):
    jsorc.report(jsorc.call("there.and_back", n))

@jsorc.walker
async def go_async(n):
    jsorc.report(await jsorc.call_async("there.and_back", n))

@jsorc.action
def leaf(n):
    return n
"""

THERE = """
import jsorc

@jsorc.action
def and_back(n):
    return jsorc.call("back.leaf", n)
"""


@pytest.mark.parametrize("walker", ["go", "go_async"])
def test_walkers_whose_calls_come_back_do_not_take_each_others_threads(serve, write, walker):
    """32 walkers on 4 call threads: each waits for an action in a pod that calls one beside it."""
    daemon = serve(write("back.py", BACK), write("there.py", THERE),
                   options=("--call-threads", "4", "--timeout-s", "20"))
    move(daemon, "there", "remote")
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        replies = list(pool.map(
            lambda n: daemon.post(f"/walkers/{walker}", {"ctx": {"n": n}}).json(), range(64)))
    assert [reply.get("report") for reply in replies] == [[n] for n in range(64)]
    daemon.fds_at_start = {}  # connections to workers are kept for a minute
