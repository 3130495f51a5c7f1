/* libmicrohttpd, epoll in its own thread. `handoff`: the connection is suspended, the other thread
 * queues the answer and resumes it; libmicrohttpd then writes it from its own thread. */
#include "handoff.h"

#include <microhttpd.h>
#include <unistd.h>

struct call {
    struct MHD_Connection *connection;
    size_t body_size;
    char body[4096];
};

static bool to_other_thread;

static enum MHD_Result send_answer(struct MHD_Connection *connection)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(ANSWER), (void *)(size_t)ANSWER, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(response, "Content-Type", "application/json");
    enum MHD_Result result = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

static void answer(void *job)
{
    struct call *call = job;
    struct MHD_Connection *connection = call->connection;
    if (send_answer(connection) != MHD_YES) {
        fprintf(stderr, "MHD refused the answer\n");
        abort();
    }
    MHD_resume_connection(connection);
}

static enum MHD_Result handle(void *arg /* allow: libmicrohttpd's signature */,
                              struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *data_size, void **state)
{
    (void)arg, (void)url, (void)method, (void)version;
    struct call *call = *state;
    if (!call) {
        call = calloc(1, sizeof(*call));
        call->connection = connection;
        *state = call;
        return MHD_YES;
    }
    if (*data_size > 0) {
        if (call->body_size + *data_size > sizeof(call->body)) {
            return MHD_NO;
        }
        memcpy(call->body + call->body_size, data, *data_size);
        call->body_size += *data_size;
        *data_size = 0;
        return MHD_YES;
    }
    if (!to_other_thread) {
        return send_answer(connection);
    }
    MHD_suspend_connection(connection);
    handoff_push(call);
    return MHD_YES;
}

static void completed(void *arg, struct MHD_Connection *connection, void **state,
                      enum MHD_RequestTerminationCode code)
{
    (void)arg, (void)connection, (void)code;
    free(*state);
    *state = NULL;
}

int main(int argc, char **argv)
{
    unsigned short port;
    to_other_thread = arguments(argc, argv, &port);
    if (to_other_thread) {
        handoff_start(answer);
    }
    struct sockaddr_in address = loopback(port);
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG | MHD_USE_TURBO |
                     (to_other_thread ? MHD_ALLOW_SUSPEND_RESUME : 0U);
    struct MHD_Daemon *daemon =
        MHD_start_daemon(flags, port, NULL, NULL, handle, NULL, MHD_OPTION_SOCK_ADDR, &address,
                         MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_CONNECTION_LIMIT,
                         1000U, MHD_OPTION_END);
    if (!daemon) {
        return 1;
    }
    for (;;) {
        pause();
    }
}
