/* Mail: somebody else's SMTP server, by libcurl. A connection a message, so that none is kept until
 * the server closes it; the certificate is always verified. */
#include <curl/curl.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/suggest.h"
#include "base/utf8.h"
#include "service/mail_message.h"
#include "service/service_priv.h"

#define SERVER_LINE_BYTES 256 /* of its words, the rest is cut */
#define SEND_TIMEOUT_MS                                                                            \
    60000 /* of a message: servers look at it while we wait (RFC 5321, 4.5.3.2) */

/* ---- config ---- */

static const char *security_of(struct json_object *config)
{
    const char *security = json_str(config, "security");
    return security ? security : json_flag(config, "tls", true) ? "starttls" : "tls";
}

static int check_template_names(struct json_object *templates, struct err *err)
{
    static const char *const known[] = {"activation_subj",      "activation_body",
                                        "activation_html_body", "resetpass_subj",
                                        "resetpass_body",       "resetpass_html_body"};
    if (!templates) {
        return 0;
    }
    json_object_object_foreach(templates, name, value)
    {
        struct suggest nearest = suggest_for(name);
        (void)value;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            suggest_try(&nearest, known[i]);
        }
        if (nearest.distance > 0) {
            const char *best = suggest_best(&nearest);
            return err_set(err, EINVAL, "there is no template '%s'; did you mean '%s'?", name,
                           best ? best : nearest.best);
        }
    }
    return 0;
}

/* A mail without its code would be of no use. */
static int check_templates(struct json_object *templates, struct err *err)
{
    static const struct {
        const char *key;
        const char *words[2]; /* one of them must occur */
    } bodies[] = {
        {"activation_body", {"{{code}}", "{{link}}"}},
        {"activation_html_body", {"{{code}}", "{{link}}"}},
        {"resetpass_body", {"{{token}}", "{{token}}"}},
        {"resetpass_html_body", {"{{token}}", "{{token}}"}},
    };
    if (check_template_names(templates, err) < 0) {
        return -EINVAL;
    }
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        const char *text = json_str(templates, bodies[i].key);
        if (text && !strstr(text, bodies[i].words[0]) && !strstr(text, bodies[i].words[1])) {
            return err_set(err, EINVAL, "the template '%s' must have %s in it", bodies[i].key,
                           bodies[i].words[0]);
        }
    }
    return 0;
}

static int check_config(struct json_object *config, struct err *err)
{
    const char *security = security_of(config), *sender = json_str(config, "sender");
    char address[MAIL_ADDRESS_BYTES + 1];
    if (strcmp(security, "starttls") != 0 && strcmp(security, "tls") != 0 &&
        strcmp(security, "none") != 0) {
        return err_set(err, EINVAL, "'security' must be starttls, tls or none, not '%s'", security);
    }
    if (strcmp(security, "none") == 0 && json_str(config, "user") && *json_str(config, "user")) {
        return err_set(err, EINVAL, "with security 'none' the password would be sent in the clear");
    }
    if (sender && *sender && mail_address(sender, address, err) < 0) {
        return err_wrap(err, "'sender'");
    }
    return check_templates(json_member(config, "templates", json_type_object), err);
}

static enum service_provider provider(struct json_object *stored, enum service_provider usual)
{
    const char *host = json_str(stored, "host");
    (void)usual;
    return host && *host ? PROVIDER_ADDRESS : PROVIDER_NONE;
}

/* ---- the connection ---- */

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct service_job *job = arg;
    (void)a, (void)b, (void)c, (void)d;
    return atomic_load(job->stopping);
}

static size_t drop(char *data, size_t one, size_t size, void *arg)
{
    (void)data, (void)arg;
    return one * size; /* what the server says of itself */
}

struct told { /* why it did not go, as libcurl and as the server says it */
    char curl[CURL_ERROR_SIZE];
    char server[SERVER_LINE_BYTES]; /* its last refusal, e.g. "451 4.3.0 the disk is full" */
};

/* A line of the server's; the codes from 400 on are refusals (RFC 5321, 4.2.1). */
static size_t on_line(char *data, size_t one, size_t size, void *arg)
{
    struct told *told = arg;
    (void)one;
    if (size > 0 && (data[0] == '4' || data[0] == '5')) {
        int kept = size < SERVER_LINE_BYTES ? (int)size : SERVER_LINE_BYTES - 1;
        (void)snprintf(told->server, sizeof(told->server), "%.*s", kept, data);
        told->server[strcspn(told->server, "\r\n")] = '\0';
        utf8_repair(told->server, strlen(told->server));
    }
    return size;
}

static int refused(CURLcode code, const struct told *told, struct err *err)
{
    const char *text = *told->curl ? told->curl : curl_easy_strerror(code);
    return err_set(err, EIO, "%s%s%s", text, *told->server ? "; the server answers: " : "",
                   told->server);
}

static CURL *open_smtp(const struct service_job *job, uint64_t timeout_ms, struct told *told)
{
    struct json_object *config = job->config;
    const char *security = security_of(config), *host = json_str(config, "host");
    const char *user = json_str(config, "user"), *password = json_str(config, "pass");
    const char *authority = json_str(config, "ca_file");
    bool tls = strcmp(security, "tls") == 0;
    CURL *curl = curl_easy_init();
    CLEANUP(str_free)
    char *url = xasprintf("%s://%s:%d", tls ? "smtps" : "smtp", host,
                          (int)service_config_number(config, "port", 587));
    if (!curl) {
        return NULL;
    }
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
    (void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, job);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, told->curl);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_line);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, told);
    if (strcmp(security, "none") != 0) {
        (void)curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
    }
    if (authority && *authority) {
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, authority);
    }
    /* A log-in at each check would be thousands a day, which servers take for an attack. */
    bool logs_in = job->kind != JOB_CHECK || !job->is_well;
    if (user && *user && logs_in) {
        (void)curl_easy_setopt(curl, CURLOPT_USERNAME, user);
        (void)curl_easy_setopt(curl, CURLOPT_PASSWORD, password ? password : "");
    }
    return curl;
}

static enum check_outcome check(struct service_job *job, struct err *err)
{
    struct told told = {0};
    CURL *curl = open_smtp(job, job->timeout_ms, &told);
    if (!curl) {
        (void)err_set(err, ENOMEM, "libcurl did not start");
        return CHECK_MISSED;
    }
    (void)curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "NOOP");
    CURLcode code = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK) {
        (void)refused(code, &told, err);
        return CHECK_MISSED;
    }
    return CHECK_GOOD;
}

/* ---- a message ---- */

struct message {
    struct curl_slist *recipients;
    struct curl_slist *fields;
    char *sender; /* the address alone; owned */
    const char *text;
    const char *html; /* NULL = none */
};

static void message_done(struct message *message)
{
    curl_slist_free_all(message->recipients);
    curl_slist_free_all(message->fields);
    free(message->sender);
}

static int add_field(struct message *message, const char *name, const char *text, struct err *err)
{
    CLEANUP(str_free) char *field = mail_field(name, text, err);
    if (!field) {
        return -EINVAL;
    }
    message->fields = curl_slist_append(message->fields, field);
    return 0;
}

/* A list of addresses, or a text with one. */
static int add_recipients(struct message *message, struct json_object *given, struct err *err)
{
    bool list = json_object_is_type(given, json_type_array);
    size_t count = list ? json_object_array_length(given) : 1;
    struct buf all = {0};
    int failed = 0;
    if (count == 0 || count > MAIL_RECIPIENTS_MAX) {
        return err_set(err, EINVAL, "a mail has 1 to %d recipients, not %zu", MAIL_RECIPIENTS_MAX,
                       count);
    }
    for (size_t i = 0; i < count && !failed; i++) {
        struct json_object *one = list ? json_object_array_get_idx(given, i) : given;
        const char *text =
            json_object_is_type(one, json_type_string) ? json_object_get_string(one) : "";
        char address[MAIL_ADDRESS_BYTES + 1];
        failed = mail_address(text, address, err);
        if (!failed) {
            message->recipients = curl_slist_append(message->recipients, address);
            buf_printf(&all, "%s%s", i ? ",\r\n " : "To: ", address);
        }
    }
    if (!failed) {
        CLEANUP(str_free) char *field = xstrndup(all.data + all.start, buf_size(&all));
        message->fields = curl_slist_append(message->fields, field);
    }
    buf_done(&all);
    return failed;
}

/* The config's sender, or its user when the key is absent. */
static const char *sender_of(const struct service_job *job)
{
    const char *given = service_job_text(job, 0);
    const char *sender = json_str(job->config, "sender"), *user = json_str(job->config, "user");
    return given && *given ? given : sender && *sender ? sender : user ? user : "";
}

static int add_times(struct message *message, struct err *err)
{
    unsigned char bytes[16];
    char hex[2 * sizeof(bytes) + 1];
    randombytes_buf(bytes, sizeof(bytes));
    (void)sodium_bin2hex(hex, sizeof(hex), bytes, sizeof(bytes));
    CLEANUP(str_free) char *date = mail_date(clock_unix_s());
    CLEANUP(str_free) char *id = xasprintf("<%s%s>", hex, strchr(message->sender, '@'));
    message->fields = curl_slist_append(message->fields, date);
    return add_field(message, "Message-ID", id, err);
}

/* Arguments: sender, recipients, subject, text, html. */
static int make_message(const struct service_job *job, struct message *message, struct err *err)
{
    char address[MAIL_ADDRESS_BYTES + 1];
    const char *sender = sender_of(job), *subject = service_job_text(job, 2);
    int failed = mail_address(sender, address, err);
    if (failed) {
        return err_wrap(err, "sender");
    }
    message->sender = xstrdup(address);
    message->text = service_job_text(job, 3);
    message->text = message->text ? message->text : "";
    message->html = service_job_text(job, 4);
    if (strlen(message->text) + (message->html ? strlen(message->html) : 0) > MAIL_TEXT_BYTES_MAX) {
        return err_set(err, E2BIG, "a mail has at most %lu bytes", MAIL_TEXT_BYTES_MAX);
    }
    failed = add_times(message, err);
    failed = failed ? failed : add_field(message, "From", sender, err);
    failed = failed ? failed
                    : add_recipients(message, json_object_array_get_idx(job->method_args, 1), err);
    return failed ? failed : add_field(message, "Subject", subject ? subject : "", err);
}

static void add_part(curl_mime *mime, const char *type, const char *text)
{
    curl_mimepart *part = curl_mime_addpart(mime);
    (void)curl_mime_data(part, text, CURL_ZERO_TERMINATED);
    (void)curl_mime_type(part, type);
    (void)curl_mime_encoder(part, "quoted-printable");
}

/* Alternatives: the reader's program shows the last one that it can. */
static curl_mime *make_body(CURL *curl, struct message *message)
{
    curl_mime *mime = curl_mime_init(curl);
    add_part(mime, "text/plain; charset=utf-8", message->text);
    if (message->html && *message->html) {
        add_part(mime, "text/html; charset=utf-8", message->html);
    }
    /* libcurl adds the boundary; without this it would be multipart/mixed, of which all is shown.
     */
    message->fields = curl_slist_append(message->fields, "Content-Type: multipart/alternative");
    return mime;
}

static int transmit(const struct service_job *job, struct message *message, struct err *err)
{
    struct told told = {0};
    CURL *curl = open_smtp(job, SEND_TIMEOUT_MS, &told);
    if (!curl) {
        return err_set(err, ENOMEM, "libcurl did not start");
    }
    curl_mime *mime = make_body(curl, message);
    (void)curl_easy_setopt(curl, CURLOPT_MAIL_FROM, message->sender);
    (void)curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, message->recipients);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, message->fields);
    (void)curl_easy_setopt(curl, CURLOPT_MIMEPOST, mime);
    CURLcode code = curl_easy_perform(curl);
    curl_mime_free(mime);
    curl_easy_cleanup(curl);
    return code == CURLE_OK ? 0 : refused(code, &told, err);
}

static int send_custom_email(struct service_job *job, struct json_object **ret, struct err *err)
{
    struct message message = {0};
    int failed = make_message(job, &message, err);
    failed = failed ? failed : transmit(job, &message, err);
    message_done(&message);
    if (!failed) {
        *ret = json_object_new_boolean(true);
    }
    return failed;
}

static const struct service_method methods[] = {
    {"send_custom_email", "sender recipients subject text html", 0, send_custom_email},
    {.name = NULL},
};

static const struct service_key keys[] = {
    {.name = "host", .fallback = "\"\""},
    {.name = "port", .type = KEY_NUMBER, .fallback = "587", .min = 1, .max = 65535},
    {.name = "tls", .type = KEY_FLAG, .fallback = "true"},
    {.name = "security"},
    {.name = "ca_file"},
    {.name = "user", .fallback = "\"\""},
    {.name = "pass", .fallback = "\"\""},
    {.name = "sender", .fallback = "\"\""},
    {.name = NULL},
};

/* The original's; `version` is mail_older.c's, `backend` and `migrate` have no effect here. */
static const char *const others[] = {"version", "templates", "backend",
                                     "migrate", "provider",  NULL};

extern const struct service_ops service_mail;
const struct service_ops service_mail = {
    .name = "mail",
    .title = "MailService",
    .config = "MAIL_CONFIG",
    .keys = keys,
    .others = others,
    .config_file = "none",
    .older = mail_older_config,
    .check_config = check_config,
    .provider = provider,
    .check = check,
    .methods = methods,
};
