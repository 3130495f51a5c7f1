/* How an operation calls a method of a service. */
#pragma once

#include "service/service.h"

struct op_call;

/* done(call, ...) when it has answered; what cannot be called at all is told at once, in the
 * original's words. Control thread. */
void op_call_service(struct op_call *call, const struct service_call *what, service_call_fn done);
