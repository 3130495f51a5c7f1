/* The operations mail_*: mails by the service `mail`. */
#include "api/api.h"
#include "api/op.h"
#include "api/services.h"
#include "base/json.h"

static void on_sent(void *arg, struct json_object *result, const char *text)
{
    struct op_call *call = arg;
    (void)json_put(result);
    if (text) {
        op_fail(call, "%s", text);
    } else {
        op_return(call, op_success(true, NULL));
    }
}

static void send_mail(struct op_call *call, struct json_object *kwargs)
{
    op_call_service(
        call,
        &(struct service_call){.service = "mail", .method = "send_custom_email", .kwargs = kwargs},
        on_sent);
}

static void run_send(struct op_call *call)
{
    send_mail(call, op_args(call));
}

extern const struct op op_mail_send, op_mail_test;

const struct op op_mail_send = {
    .name = "mail_send",
    .access = OP_ADMIN,
    .params = {{"recipients", OP_LIST, NULL, "addresses, at most 100"},
               {"subject", OP_STR, NULL, "one line"},
               {"text", OP_STR, NULL, "what a reader without HTML sees"},
               {"html", OP_STR, "\"\"", "the same as HTML; empty = none"},
               {"sender", OP_STR, "\"\"", "empty = the config's sender, else its user"}},
    .positionals = "",
    .help = "Send a mail.",
    .result = "{\"success\": true} once the server has taken it",
    .run = run_send,
};

static void run_test(struct op_call *call)
{
    CLEANUP(json_put) struct json_object *kwargs = json_object_new_object();
    struct json_object *recipients = json_object_new_array();
    (void)json_object_array_add(recipients, json_object_new_string(op_arg_str(call, "recipient")));
    json_set(kwargs, "recipients", recipients);
    json_set_str(kwargs, "subject", "Test of jsorc's mail");
    json_set_str(kwargs, "text", "This mail was sent to see whether mails arrive.\n");
    send_mail(call, kwargs);
}

const struct op op_mail_test = {
    .name = "mail_test",
    .access = OP_ADMIN,
    .params = {{"recipient", OP_STR, NULL, "an address"}},
    .positionals = "recipient",
    .help = "Send a mail to see whether mails arrive.",
    .result = "{\"success\": true} once the server has taken it",
    .run = run_test,
};
