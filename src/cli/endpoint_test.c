#include "cli/endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/test.h"
#include "cli/session.h"

static char folder[] = "/tmp/endpoint_test.XXXXXX";

/* No setting of the caller's may reach a test; the state folder is the test's own. */
static void clean_environment(void)
{
    static bool made;
    if (!made && !mkdtemp(folder)) {
        abort();
    }
    made = true;
    (void)unsetenv("JSORC_URL");
    (void)unsetenv("JSORC_TOKEN");
    (void)setenv("JSORC_STATE", folder, 1);
}

/* "NAME token=TOKEN", or "error: TEXT". common: JSON text. */
static const char *found(const char *common, const struct session *memory)
{
    static char result[512];
    CLEANUP(json_put) struct json_object *options = NULL;
    struct endpoint endpoint = {0};
    struct err err = {0};
    (void)json_parse_object(slice_str(common), &options, NULL);
    if (endpoint_find(options, memory, &endpoint, &err) < 0) {
        (void)snprintf(result, sizeof(result), "error: %.400s", err.text);
        return result;
    }
    (void)snprintf(result, sizeof(result), "%s%s token=%s", endpoint.socket ? "unix:" : "",
                   endpoint.name, endpoint.token ? endpoint.token : "-");
    endpoint_done(&endpoint);
    return result;
}

/* "unix:FOLDER/run/jsorc.sock token=-" */
static const char *local_socket(void)
{
    static char text[256];
    (void)snprintf(text, sizeof(text), "unix:%s/run/jsorc.sock token=-", folder);
    return text;
}

static void speaks_to_this_host_s_daemon_without_a_setting(void)
{
    clean_environment();
    EXPECT_STR(found("{}", NULL), local_socket());
    EXPECT_STR(found("{\"state\": \"/srv/state\"}", NULL),
               "unix:/srv/state/run/jsorc.sock token=-");
}

static void takes_the_address_of_option_then_environment(void)
{
    clean_environment();
    (void)setenv("JSORC_URL", "https://env.example/", 1);
    (void)setenv("JSORC_TOKEN", "secret", 1);
    EXPECT_STR(found("{}", NULL), "https://env.example token=secret");
    EXPECT_STR(found("{\"url\": \"http://a:1\", \"token\": \"t\"}", NULL), "http://a:1 token=t");
    EXPECT_STR(found("{\"local\": true}", NULL), local_socket());
    EXPECT_STR(found("{\"url\": \"unix:/tmp/x.sock\"}", NULL), "unix:/tmp/x.sock token=secret");
}

static void follows_the_login_kept_in_the_state_folder(void)
{
    clean_environment();
    struct session session = {.url = "http://remote:7000", .user = "ann", .token = "kept"};
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/js.session", folder);
    EXPECT_INT(session_save(path, &session, NULL), 0);
    EXPECT_STR(found("{}", NULL), "http://remote:7000 token=kept");
    EXPECT_STR(found("{\"local\": true}", NULL), local_socket());
    (void)unlink(path);
    EXPECT_STR(found("{}", NULL), local_socket());
}

static void gives_a_token_to_no_other_address(void)
{
    clean_environment();
    struct session session = {.url = "http://remote:7000", .token = "kept"};
    EXPECT_STR(found("{}", &session), "http://remote:7000 token=kept");
    EXPECT_STR(found("{\"url\": \"http://remote:7000/\"}", &session),
               "http://remote:7000 token=kept");
    EXPECT_STR(found("{\"url\": \"http://other:7000\"}", &session), "http://other:7000 token=-");
}

static void cleans_addresses(void)
{
    static const struct {
        const char *given;
        const char *clean; /* NULL = refused */
    } rows[] = {
        {"http://a:1/", "http://a:1"},
        {"HTTPS://a//", "https://a"},
        {"localhost:7000", "http://localhost:7000"},
        {"http://a/base/", "http://a/base"},
        {"ftp://a", NULL},
        {"http://", NULL},
        {"", NULL},
        {"http://user:pass@a", NULL},
        {"http://a b", NULL},
        {"http://a?x=1", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *url = NULL;
        struct err err = {0};
        int result = endpoint_clean_url(rows[i].given, &url, &err);
        EXPECT_INT(result, rows[i].clean ? 0 : -EINVAL);
        if (rows[i].clean) {
            EXPECT_STR(url, rows[i].clean);
        }
        free(url);
    }
    clean_environment();
    EXPECT_STR(found("{\"url\": \"ftp://a\"}", NULL),
               "error: --url: 'ftp://a' begins with neither http:// nor https://");
}

static void knows_who_could_listen(void)
{
    static const struct {
        const char *url;
        bool open;
    } rows[] = {
        {"http://localhost:1", false},   {"http://127.0.0.1", false},
        {"http://127.1.2.3:80", false},  {"http://[::1]:80", false},
        {"http://10.0.0.1", true},       {"http://127.evil.example", true},
        {"http://localhost.evil", true}, {"https://10.0.0.1", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct endpoint endpoint = {.url = (char *)rows[i].url};
        EXPECT_INT(endpoint_is_open_to_listeners(&endpoint), rows[i].open);
    }
}

static void keeps_a_session_readable_by_its_owner_only(void)
{
    clean_environment();
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/deep/er/js.session", folder);
    struct session session = {.url = "http://a", .user = "ann", .token = "t"};
    struct session loaded = {0};
    struct stat info = {0};
    struct err err = {0};
    EXPECT_INT(session_load(path, &loaded, &err), -ENOENT);
    EXPECT_INT(session_save(path, &session, NULL), 0);
    EXPECT_INT(stat(path, &info), 0);
    EXPECT_INT(info.st_mode & 0777, 0600);
    EXPECT_INT(session_load(path, &loaded, NULL), 0);
    EXPECT_STR(loaded.token, "t");
    session_done(&loaded);

    EXPECT_INT(chmod(path, 0644), 0);
    EXPECT_INT(session_load(path, &loaded, &err), -EACCES);
    EXPECT(strstr(err.text, "open to other users") != NULL);
    EXPECT_INT(session_remove(path, NULL), 0);
    EXPECT_INT(session_remove(path, NULL), -ENOENT);
}

static void refuses_a_file_that_is_no_session(void)
{
    clean_environment();
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/js.session", folder);
    FILE *file = fopen(path, "we");
    EXPECT(file && fputs("[1]", file) >= 0 && fclose(file) == 0);
    EXPECT_INT(chmod(path, 0600), 0);
    struct session loaded = {0};
    struct err err = {0};
    EXPECT_INT(session_load(path, &loaded, &err), -EINVAL);
    EXPECT(strstr(err.text, "is no session file of jsorc") != NULL);
    EXPECT(strncmp(found("{}", NULL), "error: ", 7) == 0);
    EXPECT_STR(found("{\"url\": \"http://a\"}", NULL), "http://a token=-");
    (void)unlink(path);
}

TEST_MAIN(speaks_to_this_host_s_daemon_without_a_setting,
          takes_the_address_of_option_then_environment, follows_the_login_kept_in_the_state_folder,
          gives_a_token_to_no_other_address, cleans_addresses, knows_who_could_listen,
          keeps_a_session_readable_by_its_owner_only, refuses_a_file_that_is_no_session)
