#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/state.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/endpoint.h"
#include "cli/prompt.h"
#include "cli/transport.h"

static void append_form(struct buf *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        buf_printf(out, isalnum(*at) || strchr("-_.~", *at) ? "%c" : "%%%02X", *at);
    }
}

/* The session is for url alone, whatever else --url, the environment or a login may say. */
static int send_to(struct cli *cli, const char *url, const struct request *request,
                   struct reply *ret_reply, struct err *err)
{
    struct endpoint endpoint = {.url = xstrdup(url), .name = xstrdup(url)};
    const char *ca = json_str(cli->common, "ca");
    endpoint.ca = ca ? xstrdup(ca) : NULL;
    if (!cli->transport) {
        cli->transport = transport_new();
    }
    int failed = transport_send(cli->transport, &endpoint, request, ret_reply, err);
    endpoint_done(&endpoint);
    return failed;
}

/* Keeps session in the file, or in this process. */
static int keep(struct cli *cli, const struct session *session, struct err *err)
{
    if (json_flag(cli->common, "memory", false)) {
        session_done(&cli->memory);
        cli->memory = (struct session){.url = xstrdup(session->url),
                                       .user = session->user ? xstrdup(session->user) : NULL,
                                       .token = session->token ? xstrdup(session->token) : NULL};
        if (!cli->shell) {
            (void)fprintf(stderr, "jsorc: with --memory the login ends with this command; it is "
                                  "meant for the shell and for scripts\n");
        }
        return 0;
    }
    CLEANUP(str_free) char *state = state_folder(json_str(cli->common, "state"));
    CLEANUP(str_free) char *path = session_path(json_str(cli->common, "session"), state);
    return session_save(path, session, err);
}

/* The token that user and password get at url; owned by the caller. Returns a cli_exit. */
static int get_token(struct cli *cli, const char *url, const char *user, const char *password,
                     char **ret_token)
{
    struct buf form = {0};
    struct err err = {0};
    buf_printf(&form, "email=");
    append_form(&form, user);
    buf_printf(&form, "&password=");
    append_form(&form, password);
    struct request request = {.method = "POST",
                              .path = "/user/token/",
                              .content_type = "application/x-www-form-urlencoded",
                              .body = buf_slice(&form),
                              .timeout_ms = cli_timeout_ms(cli)};
    struct reply reply = {0};
    int failed = send_to(cli, url, &request, &reply, &err);
    explicit_bzero(form.data, form.end);
    buf_done(&form);
    if (failed) {
        return cli_fail(cli, failed == -EHOSTUNREACH ? CLI_UNREACHABLE : CLI_FAILED, &err);
    }
    CLEANUP(json_put) struct json_object *value = NULL;
    cli_reply_value(&reply, &value);
    const char *token = json_str(value, "token");
    int status = CLI_OK;
    if (reply.status < 300 && token) {
        *ret_token = xstrdup(token);
    } else {
        struct json_object *list = json_member(value, "non_field_errors", json_type_array);
        const char *why = list && json_object_array_length(list) > 0
                              ? json_object_get_string(json_object_array_get_idx(list, 0))
                              : json_str(value, "detail");
        status = cli_fail_text(cli, CLI_FAILED, "login failed at '%s': %s (status %d)", url,
                               why ? why : "that is no daemon of jsorc or Jaseci", reply.status);
    }
    reply_done(&reply);
    return status;
}

/* What was given, the content of a line for "-", or an answer to question. */
static int given_or_asked(const char *given, const char *question, bool secret, char **ret_text,
                          struct err *err)
{
    if (given && strcmp(given, "-") != 0) {
        *ret_text = xstrdup(given);
        return 0;
    }
    return secret ? prompt_secret(question, ret_text, err) : prompt_line(question, ret_text, err);
}

static int log_in(struct cli *cli, struct json_object *values, struct session *session)
{
    struct err err = {0};
    char *password = NULL;
    if (endpoint_clean_url(json_str(values, "url"), &session->url, &err) < 0 ||
        given_or_asked(json_str(values, "username"), "Username: ", false, &session->user, &err) <
            0 ||
        given_or_asked(json_str(values, "password"), "Password: ", true, &password, &err) < 0) {
        return cli_usage(cli, "%s", err.text);
    }
    struct endpoint endpoint = {.url = session->url};
    if (endpoint_is_open_to_listeners(&endpoint)) {
        (void)fprintf(stderr,
                      "jsorc: warning: the password for '%s' crosses the network in the clear; use "
                      "https\n",
                      session->url);
    }
    int status = get_token(cli, session->url, session->user, password, &session->token);
    prompt_wipe(password);
    if (status == CLI_OK && keep(cli, session, &err) < 0) {
        return cli_fail(cli, CLI_FAILED, &err);
    }
    return status;
}

static int run_login(struct cli *cli, struct json_object *values)
{
    struct session session = {0};
    int status = json_str(values, "url") ? log_in(cli, values, &session)
                                         : cli_usage(cli, "argument URL is missing");
    if (status == CLI_OK) {
        (void)printf("Login successful: %s at %s\n", session.user, session.url);
    }
    session_done(&session);
    return status;
}

static int run_publogin(struct cli *cli, struct json_object *values)
{
    struct session session = {0};
    struct err err = {0};
    const char *url = json_str(values, "url");
    if (!url || endpoint_clean_url(url, &session.url, &err) < 0) {
        return cli_usage(cli, "%s", url ? err.text : "argument URL is missing");
    }
    struct request request = {
        .method = "GET", .path = "/js_public/health", .timeout_ms = cli_timeout_ms(cli)};
    struct reply reply = {0};
    int failed = send_to(cli, session.url, &request, &reply, &err);
    int status = CLI_OK;
    if (failed) {
        status = cli_fail(cli, failed == -EHOSTUNREACH ? CLI_UNREACHABLE : CLI_FAILED, &err);
    } else if (reply.status >= 300) {
        status = cli_fail_text(cli, CLI_FAILED, "'%s' is no daemon of jsorc (status %d)",
                               session.url, reply.status);
    } else if (keep(cli, &session, &err) < 0) {
        status = cli_fail(cli, CLI_FAILED, &err);
    } else {
        (void)printf("Login successful: without an account at %s\n", session.url);
    }
    reply_done(&reply);
    session_done(&session);
    return status;
}

static int run_logout(struct cli *cli, struct json_object *values)
{
    (void)values;
    struct err err = {0};
    bool in_memory = cli->memory.url != NULL;
    session_done(&cli->memory);
    CLEANUP(str_free) char *state = state_folder(json_str(cli->common, "state"));
    CLEANUP(str_free) char *path = session_path(json_str(cli->common, "session"), state);
    int failed = session_remove(path, &err);
    if (failed && failed != -ENOENT) {
        return cli_fail(cli, CLI_FAILED, &err);
    }
    (void)printf(failed && !in_memory ? "You are not logged in!\n" : "Logout successful!\n");
    return CLI_OK;
}

#define URL_ROW                                                                                    \
    {                                                                                              \
        .name = "url", .kind = PARAM_ARGUMENT, .required = true,                                   \
        .help = "address of the daemon, http://HOST:PORT or https://HOST"                          \
    }

static const struct param LOGIN_PARAMS[] = {
    URL_ROW,
    {.name = "username",
     .letter = 'u',
     .placeholder = "USER",
     .help = "e-mail address of the account; asked for when missing"},
    {.name = "password",
     .letter = 'p',
     .placeholder = "PASSWORD",
     .help = "@FILE and - (a line of standard input) keep it out of the process list; asked for "
             "when missing"},
    {.name = NULL},
};

static const struct param PUBLOGIN_PARAMS[] = {URL_ROW, {.name = NULL}};

static const struct example LOGIN_EXAMPLES[] = {
    {"jsorc login https://models.example.com -u ann@example.com", "Asks for the password."},
    {"jsorc --local status", "Speaks to the daemon of this host all the same."},
    {NULL, NULL},
};

static const struct exit_row EXITS[] = {
    {CLI_OK, "logged in"},
    {CLI_FAILED, "the account or the password is wrong, or the session could not be kept"},
    {CLI_USAGE, "the command line is wrong"},
    {CLI_UNREACHABLE, "there is no daemon at that address"},
    {0, NULL},
};

const struct command COMMAND_LOGIN = {
    .words = "login",
    .summary = "Log in to a daemon elsewhere, for the commands that follow",
    .detail = "Keeps the address and the token in the session file (js.session in the state "
              "folder, or --session FILE), readable by you only. From then on commands speak to "
              "that daemon; 'jsorc logout' ends it. The daemon of this host needs no login.",
    .params = LOGIN_PARAMS,
    .examples = LOGIN_EXAMPLES,
    .exits = EXITS,
    .run = run_login,
};

const struct command COMMAND_PUBLOGIN = {
    .words = "publogin",
    .summary = "Speak to a daemon elsewhere without an account",
    .detail = "As 'jsorc login', for what anybody may do there.",
    .params = PUBLOGIN_PARAMS,
    .exits = EXITS,
    .run = run_publogin,
};

const struct command COMMAND_LOGOUT = {
    .words = "logout",
    .summary = "Forget the login",
    .detail = "Removes the session file. The token stays valid until it expires or is revoked "
              "there.",
    .offline = true,
    .run = run_logout,
};
