"""Loading by hand: files, import names and servers; and the table of actions that results."""

import datetime
import json

import pytest
from metrics import read_metrics
from placement import TEXT, module_status, move, status
from programs import wait_until

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


# ---- ctx that nothing takes

NO_SETUP = "import jsorc\n\n@jsorc.action\ndef f():\n    return 1\n"


def test_a_ctx_without_a_setup_is_told_and_the_module_serves(serve, write):
    daemon = serve()
    daemon.expect_log("module loaded")
    path = str(write("plain.py", NO_SETUP))
    note = "it has no setup, so its ctx was not used"
    assert daemon.op("actions_load_local", file=path, ctx={"tag": 1}) == {
        "success": True, "message": note}
    assert daemon.call("plain.f").json() == 1
    assert daemon.log_text().count(note) == 1
    moved = daemon.op("jsorc_actions_load", name="plain", mode="remote", wait=True)
    assert (moved["success"], moved["message"]) == (True, note)
    assert daemon.op("actions_load_local", file=path) == {"success": True}, "without one: well"
    shown = daemon.cli("actions", "load", "local", path, "-ctx", '{"tag": 1}')
    assert shown.returncode == 0 and note in shown.stdout


def test_a_ctx_for_a_native_module_or_a_server_is_told_too(serve, host, text, compile_module):
    daemon = serve()
    daemon.expect_log("module loaded")
    library = compile_module("plainc", """
#include <jsorc/action.h>
static int f(struct jsorc_call *call) { jsorc_put_int(call, 1); return JSORC_OK; }
static const struct jsorc_action actions[] = {{.name = "f", .run = f}, {.name = NULL}};
JSORC_MODULE = {JSORC_MODULE_HEAD, .actions = actions};
""")
    answer = daemon.op("actions_load_local", file=str(library), ctx={"tag": 1})
    assert answer == {"success": True, "message": "it has no setup, so its ctx was not used"}
    ignore = daemon.op("actions_load_local", file=str(library), ctx={"_ignore_setup_error": True})
    assert ignore == {"success": True}, "that is no argument of a setup"
    answer = daemon.op("actions_load_remote", url=host(text).url, ctx={"tag": 1})
    assert answer["success"] is True and "ctx was not used" in answer["message"]


# ---- names without end

SLOTS = 1024  # modules that may be known at once


def test_forgotten_modules_make_room_for_others(serve, text, tmp_path):
    """More names than there are slots, one after the other, while one module serves."""
    daemon = serve(text)
    assert daemon.call("text.upper", text="a").json() == "A"
    connection = daemon.connect_local()

    def op(operation, **parameters):
        return daemon.post(f"/js_admin/{operation}", parameters, connection=connection).json()

    for number in range(SLOTS + 20):
        name = f"m{number}"
        assert op("jsorc_actions_config", name=name, config={"module": "nowhere"}) == {
            "success": True}, number
        assert op("actions_unload_module", name=name) == {"success": True}, number
    again = tmp_path / "again.py"
    again.write_text(TEXT)
    assert op("actions_load_local", file=str(again)) == {"success": True}
    connection.close()
    assert daemon.call("again.upper", text="b").json() == "B"
    assert daemon.call("text.upper", text="a").json() == "A"
    assert read_metrics(daemon)("jsorc_action_calls_total", action="text.upper") == 2
    move(daemon, "again", "remote")
    assert daemon.call("again.upper", text="c").json() == "C"


# ---- what jsorc serve is given


@pytest.mark.parametrize("source", ["nosuchdir", "no_such_package.inner"])
def test_a_mistyped_path_is_told_at_once(serve, source):
    daemon = serve(source, start=False)
    daemon.start(wait=False)
    assert daemon.process.wait(60) == 1
    told = daemon.log_text()
    assert f"cannot load '{source}': there is no such file or folder" in told
    assert "finds no Python module of that name; give a path that exists" in told


def test_an_import_name_needs_no_more_than_its_package_to_be_there(serve, kit):
    daemon = serve("jac_misc.example_module", env=kit)
    wait_until(lambda: daemon.call("example_module.call", a="x").status == 200, 30)


def test_a_memory_limit_that_no_worker_can_live_with_is_named(serve, text, tmp_path):
    (tmp_path / "jsorc.yaml").write_text(
        f"modules:\n  text: {{source: {text}, memory_max_mb: 1}}\n")
    daemon = serve(options=["-c", tmp_path / "jsorc.yaml"])
    daemon.expect_log("module did not start")

    def error():
        return (module_status(daemon, "text") or {}).get("error")

    wait_until(error, 60, "the error of its start")
    assert "memory_max_mb lets its worker allocate 1 MB, which is little" in error()


def test_a_misspelt_setting_is_told_with_what_may_be_meant(serve, tmp_path):
    (tmp_path / "jsorc.yaml").write_text("timeot_s: 3\n")
    daemon = serve(options=["-c", tmp_path / "jsorc.yaml"], start=False)
    daemon.start(wait=False)
    assert daemon.process.wait(30) == 2
    assert "unknown setting 'timeot_s'; did you mean 'timeout_s'?" in daemon.log_text()
    other = serve(options=["--memory_mx_mb", "3"], start=False)
    other.start(wait=False)
    assert other.process.wait(30) == 2
    assert "unknown option '--memory_mx_mb'; did you mean '--memory-max-mb'?" in other.log_text()
