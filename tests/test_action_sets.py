"""The config ACTION_SETS with a Python module; test_configs.py needs none."""

import json


def test_action_sets_tell_what_is_loaded(serve, write):
    one = write("one.py", "import jsorc\n\n\n@jsorc.action\ndef a():\n    return 1\n")
    daemon = serve()
    assert json.loads(daemon.op("config_get", name="ACTION_SETS")) == {
        "local": [], "remote": [], "module": []}
    assert daemon.op("actions_load_local", file=str(one))["success"]
    assert json.loads(daemon.op("config_get", name="ACTION_SETS"))["local"] == [str(one)]
    assert daemon.op("actions_unload_module", name="one")["success"]
    assert json.loads(daemon.op("config_get", name="ACTION_SETS"))["local"] == []
