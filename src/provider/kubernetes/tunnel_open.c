/* How a tunnel comes about: a request to the API server that becomes a WebSocket, and one to the
 * pod through it. */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/json.h"
#include "provider/kubernetes/kube.h"
#include "provider/kubernetes/tunnel_priv.h"

#define HEAD_BYTES_MAX (32 * 1024) /* of the answer to the upgrade, and to the knock */
#define BODY_BYTES_MAX (256 * 1024)

void tunnel_upgrade(struct tunnel *tunnel)
{
    kube_link_head(tunnel->link, tunnel->path, &tunnel->to_far);
    buf_printf(&tunnel->to_far,
               "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: " WS_PROTOCOL "\r\n\r\n",
               tunnel->key);
    http_message_init(tunnel->answer, HTTP_RESPONSE, &tunnel->in, HEAD_BYTES_MAX, BODY_BYTES_MAX);
    tunnel->state = TUNNEL_UPGRADING;
}

static int knock(struct tunnel *tunnel)
{
    struct buf head = {0};
    buf_printf(&head, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", tunnel->host);
    int failed = ws_put_data(&tunnel->to_far, CHANNEL_DATA, buf_slice(&head), tunnel_mask(tunnel));
    buf_done(&head);
    http_message_init(tunnel->answer, HTTP_RESPONSE, &tunnel->knock, HEAD_BYTES_MAX,
                      BODY_BYTES_MAX);
    tunnel->state = TUNNEL_KNOCKING;
    return failed;
}

int tunnel_take_answer(struct tunnel *tunnel)
{
    struct http_message *answer = tunnel->answer;
    int status = answer->parser.status_code;
    char accept[WS_ACCEPT_SIZE];
    ws_accept(tunnel->key, accept);
    if (status != 101) {
        CLEANUP(json_put) struct json_object *body = NULL;
        (void)json_parse_object(http_message_body(answer), &body, NULL);
        const char *text = json_str(body, "message");
        if (status == 401) {
            kube_link_refused(tunnel->link);
        }
        return err_set(&tunnel->err, status == 403 ? EACCES : EPROTO,
                       "the API server does not forward: status %d%s%.400s", status,
                       text ? ", " : "", text ? text : "");
    }
    if (!slice_eq(http_message_header(answer, "Sec-WebSocket-Accept"), slice_str(accept)) ||
        !slice_eq(http_message_header(answer, "Sec-WebSocket-Protocol"), SLICE(WS_PROTOCOL))) {
        return err_set(&tunnel->err, EPROTO, "the API server speaks no '" WS_PROTOCOL "'");
    }
    http_message_end(answer);
    return knock(tunnel);
}

int tunnel_take_knock(struct tunnel *tunnel, struct slice data)
{
    struct http_message *answer = tunnel->answer;
    if (buf_append(&tunnel->knock, data.data, data.size) < 0 || http_message_feed(answer) < 0 ||
        (answer->complete && buf_size(&tunnel->knock) > answer->parsed)) {
        return err_set(&tunnel->err, EPROTO, "what answers in the pod speaks no HTTP");
    }
    if (!answer->complete) {
        return 0;
    }
    if (!answer->keep_alive) {
        return err_set(&tunnel->err, EPROTO, "the pod does not keep a connection open");
    }
    buf_done(&tunnel->knock);
    tunnel->answer = free_null(answer);
    tunnel->state = TUNNEL_OPEN;
    loop_timer_set(tunnel->loop, &tunnel->limit, loop_now_ms(tunnel->loop) + TUNNEL_PING_MS);
    return 0;
}
