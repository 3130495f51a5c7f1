"""Actions in C through a daemon: no Python in any process (test_host_native.py: without one)."""

import pytest

ECHO = """
#include <jsorc/action.h>

static int run_echo(struct jsorc_call *call)
{
    size_t size;
    const char *text = jsorc_arg_text(call, "text", &size);
    jsorc_put_text(call, text, size);
    return JSORC_OK;
}

static int run_fail(struct jsorc_call *call)
{
    return jsorc_fail(call, 409, "this one always fails");
}

static const struct jsorc_action actions[] = {
    {.name = "echo", .run = run_echo, .params = {{"text", "str", NULL, "any text"}}},
    {.name = "fail", .run = run_fail},
    {.name = NULL},
};

JSORC_MODULE = {JSORC_MODULE_HEAD, .group = "tiny", .actions = actions};
"""

pytestmark = pytest.mark.sanitize
TEXT = 'quotes " and ünïcödé ✓ and \\ '


def test_the_daemon_serves_a_shared_object_and_stops_cleanly(serve, compile_module):
    daemon = serve(compile_module("tiny", ECHO))
    reply = daemon.call("tiny.echo", text=TEXT)
    assert (reply.status, reply.json()) == (200, TEXT)
    assert "this one always fails" in daemon.call("tiny.fail").json()["detail"]
    assert daemon.call("tiny.none").status == 404
    assert daemon.op("actions_list", name="tiny.") == ["tiny.echo", "tiny.fail"]
