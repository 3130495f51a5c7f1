#include "provider/kubernetes/kube_config.h"

#include <sys/stat.h>

#include "provider/kubernetes/kube_testserver.h"

struct folder {
    char path[64];
};

static struct folder *folder_new(void)
{
    struct folder *folder = xcalloc(1, sizeof(*folder));
    (void)snprintf(folder->path, sizeof(folder->path), "/tmp/kube-test.XXXXXX");
    if (!mkdtemp(folder->path)) {
        perror("mkdtemp");
        abort();
    }
    return folder;
}

/* The path is the caller's. */
static char *folder_put(const struct folder *folder, const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", folder->path, name);
    FILE *file = fopen(path, "we");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
        perror(path);
        abort();
    }
    return path;
}

static struct folder *folder_remove(struct folder *folder)
{
    static const char *const names[] = {"config", "other", "token", "namespace",
                                        "ca.crt", "plug",  "key",   "count"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *path = xasprintf("%s/%s", folder->path, names[i]);
        (void)unlink(path);
        free(path);
    }
    (void)rmdir(folder->path);
    free(folder);
    return NULL;
}
DEFINE_CLEANUP(struct folder *, folder_remove)

static const char config_text[] =
    "apiVersion: v1\nkind: Config\ncurrent-context: main\n"
    "clusters:\n"
    "- name: here\n"
    "  cluster: {server: 'https://10.0.0.1:6443/', certificate-authority-data: Q0E=,\n"
    "            tls-server-name: kubernetes}\n"
    "- name: there\n"
    "  cluster: {server: 'http://localhost:1', insecure-skip-tls-verify: true, proxy-url: "
    "'http://p:8'}\n"
    "users:\n"
    "- name: cert\n"
    "  user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}\n"
    "- name: token\n"
    "  user: {tokenFile: token, token: unused}\n"
    "- name: plug\n"
    "  user:\n"
    "    exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plug, args: [a, 1],\n"
    "           env: [{name: WHO, value: jo}], installHint: get it, provideClusterInfo: true}\n"
    "- name: old\n"
    "  user: {auth-provider: {name: gcp}}\n"
    "- name: terminal\n"
    "  user: {exec: {apiVersion: v1, command: x, interactiveMode: Always}}\n"
    "- name: half\n"
    "  user: {client-certificate-data: Q0VSVA==}\n"
    "- name: broken\n"
    "  user: {client-key-data: '!!!'}\n"
    "contexts:\n"
    "- {name: main, context: {cluster: here, user: cert, namespace: shop}}\n"
    "- {name: second, context: {cluster: there, user: token}}\n"
    "- {name: third, context: {cluster: there, user: plug}}\n"
    "- {name: nobody, context: {cluster: there}}\n"
    "- {name: old, context: {cluster: there, user: old}}\n"
    "- {name: terminal, context: {cluster: there, user: terminal}}\n"
    "- {name: half, context: {cluster: there, user: half}}\n"
    "- {name: broken, context: {cluster: there, user: broken}}\n"
    "- {name: lost, context: {cluster: nowhere, user: cert}}\n"
    "- {name: stranger, context: {cluster: here, user: nobody}}\n";

static struct kube_config *load(const char *path, const char *context)
{
    struct kube_config *config = NULL;
    struct err err = {0};
    struct kube_config_options options = {.kubeconfig = path, .context = context};
    EXPECT_INT(kube_config_load(&options, &config, &err), 0);
    EXPECT_STR(err.text, "");
    return config;
}

static void reads_who_and_where_from_a_kubeconfig(void)
{
    CLEANUP(folder_remove) struct folder *folder = folder_new();
    CLEANUP(str_free) char *path = folder_put(folder, "config", config_text);
    CLEANUP(kube_config_free) struct kube_config *main = load(path, NULL);
    EXPECT_STR(kube_config_server(main), "https://10.0.0.1:6443");
    EXPECT_STR(kube_config_namespace(main), "shop");
    EXPECT_STR(main->ca_pem, "CA");
    EXPECT_STR(main->certificate_pem, "CERT");
    EXPECT_STR(main->key_pem, "KEY");
    EXPECT_STR(main->server_name, "kubernetes");
    EXPECT(!main->insecure && !main->exec && !main->token_file);

    CLEANUP(kube_config_free) struct kube_config *second = load(path, "second");
    CLEANUP(str_free) char *token = xasprintf("%s/token", folder->path);
    EXPECT_STR(second->token_file, token); /* relative to the file */
    EXPECT_STR(second->proxy, "http://p:8");
    EXPECT_STR(kube_config_namespace(second), "default");
    EXPECT(second->insecure);

    CLEANUP(kube_config_free) struct kube_config *third = load(path, "third");
    CLEANUP(str_free) char *plug = xasprintf("%s/./plug", folder->path);
    EXPECT_STR(third->exec->command, plug);
    EXPECT_STR(third->exec->args[2], "1");
    EXPECT(third->exec->args[3] == NULL);
    EXPECT_STR(third->exec->env[0], "WHO=jo");
    EXPECT(third->exec->cluster_info);

    CLEANUP(kube_config_free) struct kube_config *nobody = load(path, "nobody");
    EXPECT(!nobody->token && !nobody->exec && !nobody->certificate_pem);
}

static void says_what_in_a_kubeconfig_cannot_be_used(void)
{
    static const char *const rows[][2] = {
        {"old", "auth-provider was removed"}, {"terminal", "wants a terminal"},
        {"half", "the key is missing"},       {"broken", "client-key-data is no base64"},
        {"lost", "has no cluster 'nowhere'"}, {"stranger", "has no user 'nobody'"},
        {"x", "has no context 'x'"},
    };
    CLEANUP(folder_remove) struct folder *folder = folder_new();
    CLEANUP(str_free) char *path = folder_put(folder, "config", config_text);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kube_config_options options = {.kubeconfig = path, .context = rows[i][0]};
        struct kube_config *config = NULL;
        struct err err = {0};
        EXPECT_INT(kube_config_load(&options, &config, &err), -EINVAL);
        EXPECT(config == NULL);
        if (!strstr(err.text, rows[i][1])) {
            EXPECT_STR(err.text, rows[i][1]);
        }
    }
}

static void says_which_file_is_missing_or_is_none(void)
{
    CLEANUP(folder_remove) struct folder *folder = folder_new();
    CLEANUP(str_free) char *list = folder_put(folder, "other", "[1, 2]");
    struct kube_config_options options = {.kubeconfig = "/nowhere/config"};
    struct kube_config *config = NULL;
    struct err err = {0};
    EXPECT_INT(kube_config_load(&options, &config, &err), -ENOENT);
    EXPECT(strstr(err.text, "/nowhere/config") != NULL);
    options.kubeconfig = list;
    EXPECT_INT(kube_config_load(&options, &config, &err), -EINVAL);
    EXPECT(strstr(err.text, "no mapping") != NULL);
}

static void takes_the_first_of_several_kubeconfigs_that_has_it(void)
{
    CLEANUP(folder_remove) struct folder *folder = folder_new();
    CLEANUP(str_free)
    char *first = folder_put(folder, "other",
                             "contexts: [{name: main, context: {cluster: here, user: plug, "
                             "namespace: first}}]\n");
    CLEANUP(str_free) char *second = folder_put(folder, "config", config_text);
    CLEANUP(str_free) char *list = xasprintf("%s:/nowhere:%s", first, second);
    struct kube_config_options options = {0};
    struct kube_config *config = NULL;
    EXPECT_INT(setenv("KUBECONFIG", list, 1), 0);
    EXPECT_INT(kube_config_load(&options, &config, NULL), 0);
    EXPECT_STR(kube_config_namespace(config), "first");
    EXPECT_STR(kube_config_server(config), "https://10.0.0.1:6443");
    EXPECT(config->exec != NULL);
    config = kube_config_free(config);
    EXPECT_INT(setenv("KUBECONFIG", "/nowhere", 1), 0);
    EXPECT_INT(kube_config_load(&options, &config, NULL), -ENOENT);
    EXPECT_INT(unsetenv("KUBECONFIG"), 0);
}

static void finds_itself_in_a_pod(void)
{
    CLEANUP(folder_remove) struct folder *folder = folder_new();
    CLEANUP(str_free) char *token = folder_put(folder, "token", "abc\n");
    free(folder_put(folder, "namespace", "shop\n"));
    CLEANUP(str_free) char *ca = folder_put(folder, "ca.crt", "CA");
    struct kube_config_options options = {.in_cluster = true,
                                          .service_account_folder = folder->path};
    struct kube_config *config = NULL;
    struct err err = {0};
    EXPECT_INT(unsetenv("KUBERNETES_SERVICE_HOST"), 0);
    EXPECT_INT(kube_config_load(&options, &config, &err), -ENOENT);
    EXPECT(strstr(err.text, "use a kubeconfig") != NULL);
    EXPECT_INT(setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1), 0);
    EXPECT_INT(setenv("KUBERNETES_SERVICE_PORT", "443", 1), 0);
    EXPECT_INT(kube_config_load(&options, &config, &err), 0);
    EXPECT_STR(kube_config_server(config), "https://[fd00::1]:443");
    EXPECT_STR(kube_config_namespace(config), "shop");
    EXPECT_STR(config->token_file, token);
    EXPECT_STR(config->ca_file, ca);
    config = kube_config_free(config);
    (void)unlink(token);
    EXPECT_INT(kube_config_load(&options, &config, &err), -ENOENT);
}

static void settings_come_before_what_was_read(void)
{
    CLEANUP(folder_remove) struct folder *folder = folder_new();
    CLEANUP(str_free) char *path = folder_put(folder, "config", config_text);
    CLEANUP(str_free) char *ca = folder_put(folder, "ca.crt", "CA");
    struct kube_config_options options = {.kubeconfig = path,
                                          .context = "third",
                                          .api_server = "https://other",
                                          .token_file = "/t",
                                          .ca_file = ca,
                                          .namespace = "mine"};
    struct kube_config *config = NULL;
    EXPECT_INT(kube_config_load(&options, &config, NULL), 0);
    EXPECT_STR(kube_config_server(config), "https://other");
    EXPECT_STR(kube_config_namespace(config), "mine");
    EXPECT(config->exec == NULL);
    config = kube_config_free(config);
    options.api_server = "other";
    EXPECT_INT(kube_config_load(&options, &config, NULL), -EINVAL);
    options.api_server = "https://other";
    options.ca_file = "/nowhere";
    EXPECT_INT(kube_config_load(&options, &config, NULL), -ENOENT);
}

/* ---- credentials in use ---- */

/* step: the number that a good token ends in. */
static void answer_token(struct server *server, struct server_conn *conn, const struct seen *seen)
{
    char wanted[64];
    (void)snprintf(wanted, sizeof(wanted), "Authorization: Bearer good-%u\r\n", server->step);
    if (header_has(seen, wanted)) {
        server_reply(conn, 200, "", "ok");
    } else {
        server_reply(conn, 401, "", "{\"kind\":\"Status\",\"message\":\"Unauthorized\"}");
    }
}

static enum kube_outcome ask(struct server *server, struct err *err)
{
    struct kube_answer answer = {0};
    (void)kube_raw(server->kube, "GET", "/readyz", NULL, kube_keep, &answer);
    enum kube_outcome outcome = kube_wait(server->kube, &answer);
    *err = answer.err;
    kube_answer_done(&answer);
    return outcome;
}

static void reads_a_token_file_again_when_it_is_refused(void)
{
    CLEANUP(folder_remove) struct folder *folder = folder_new();
    CLEANUP(str_free) char *token = folder_put(folder, "token", "good-0\n");
    struct kube_config_options options = {.token_file = token};
    CLEANUP(server_free) struct server *server = server_new(answer_token, &options, NULL);
    struct err err;
    EXPECT_INT(ask(server, &err), KUBE_OK);
    free(folder_put(folder, "token", "good-1"));
    server->step = 1;
    EXPECT_INT(ask(server, &err), KUBE_OK);
    EXPECT_INT(server->requests, 3);
    server->step = 2;
    EXPECT_INT(ask(server, &err), KUBE_UNAUTHORIZED);
    EXPECT_INT(server->requests, 5); /* once more, not for ever */
    (void)unlink(token);
    EXPECT_INT(ask(server, &err), KUBE_UNAUTHORIZED);
    EXPECT(strstr(err.text, "no token: cannot read") != NULL);
}

static const char plugin_config[] =
    "current-context: c\n"
    "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1', certificate-authority-data: "
    "Q0E=}}]\n"
    "users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: "
    "./plug,\n"
    "         env: [{name: WHO, value: good}], installHint: get it, provideClusterInfo: true}}}]\n"
    "contexts: [{name: c, context: {cluster: c, user: u}}]\n";

/* Prints a token that ends in how often it has run, and is always about to expire: no reason to
 * run it for ever. */
static const char plugin[] =
    "#!/bin/sh\n"
    "cd \"${0%/*}\" || exit 9\n"
    "case $KUBERNETES_EXEC_INFO in "
    "*'\"server\":\"http://127'*'certificate-authority-data\":\"Q0E='*)"
    " ;; *) echo no info >&2; exit 8 ;; esac\n"
    "n=$(cat count); echo $((n + 1)) >count\n"
    "[ \"$n\" -lt 2 ] || { echo 'log in first' >&2; exit 3; }\n"
    "echo '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\","
    "\"status\":{\"expirationTimestamp\":\"2000-01-01T00:00:00Z\",\"token\":\"'\"$WHO-$n\"'\"}}'\n";

static void runs_an_exec_plugin_and_runs_it_again_when_refused(void)
{
    CLEANUP(folder_remove) struct folder *folder = folder_new();
    CLEANUP(str_free) char *path = folder_put(folder, "config", plugin_config);
    CLEANUP(str_free) char *program = folder_put(folder, "plug", plugin);
    free(folder_put(folder, "count", "0\n"));
    EXPECT_INT(chmod(program, 0700), 0);
    struct kube_config_options options = {.kubeconfig = path};
    CLEANUP(server_free) struct server *server = server_new(answer_token, &options, NULL);
    struct err err;
    EXPECT_INT(ask(server, &err), KUBE_OK);
    EXPECT_INT(ask(server, &err), KUBE_OK);
    EXPECT_INT(server->requests, 2);
    server->step = 1;
    EXPECT_INT(ask(server, &err), KUBE_OK);
    server->step = 9;
    EXPECT_INT(ask(server, &err), KUBE_UNAUTHORIZED);
    if (!strstr(err.text, "exit status 3: log in first")) {
        EXPECT_STR(err.text, "exit status 3: log in first");
    }
}

static void names_the_hint_of_a_plugin_that_is_not_there(void)
{
    CLEANUP(folder_remove) struct folder *folder = folder_new();
    CLEANUP(str_free) char *path = folder_put(folder, "config", plugin_config);
    struct kube_config_options options = {.kubeconfig = path};
    CLEANUP(server_free) struct server *server = server_new(answer_token, &options, NULL);
    struct err err;
    EXPECT_INT(ask(server, &err), KUBE_UNAUTHORIZED);
    EXPECT(strstr(err.text, "get it: cannot start") != NULL);
    EXPECT_INT(server->requests, 0);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void count_one(void *arg)
{
    (*(unsigned *)arg)++;
}

static void may_be_freed_while_a_plugin_runs(void)
{
    CLEANUP(folder_remove) struct folder *folder = folder_new();
    CLEANUP(str_free) char *path = folder_put(folder, "config", plugin_config);
    CLEANUP(str_free) char *program = folder_put(folder, "plug", "#!/bin/sh\nexit 1\n");
    EXPECT_INT(chmod(program, 0700), 0);
    struct kube_config_options options = {.kubeconfig = path};
    CLEANUP(server_free) struct server *server = server_new(answer_token, &options, NULL);
    struct kube_answer answer = {0};
    unsigned later = 0;
    (void)kube_raw(server->kube, "GET", "/readyz", NULL, kube_keep, &answer);
    for (int i = 0; i < 3; i++) { /* begins, is queued, asks for credentials */
        loop_turn(server->loop, 0);
    }
    server->kube = kube_free(server->kube);
    /* The pool has one thread: the plugin's end comes before this one. */
    job_submit(server->jobs, server->loop, nothing, count_one, &later);
    server_until(server, &later, 1);
    EXPECT(!answer.come);
}

TEST_MAIN(reads_who_and_where_from_a_kubeconfig, says_what_in_a_kubeconfig_cannot_be_used,
          says_which_file_is_missing_or_is_none, takes_the_first_of_several_kubeconfigs_that_has_it,
          finds_itself_in_a_pod, settings_come_before_what_was_read,
          reads_a_token_file_again_when_it_is_refused,
          runs_an_exec_plugin_and_runs_it_again_when_refused,
          names_the_hint_of_a_plugin_that_is_not_there, may_be_freed_while_a_plugin_runs)
