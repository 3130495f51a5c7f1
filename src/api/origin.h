/* Whether a browser's page of elsewhere sent a request. Pure. */
#pragma once

#include "base/slice.h"

/* origin: the request's Origin header. Programs send none; a page that this daemon itself or
 * another program of this host serves has a loopback origin. Everything else is foreign, also a
 * name that an attacker lets point here (DNS rebinding), and "null". */
bool origin_is_foreign(struct slice origin);

/* host: a Host header, "NAME" or "NAME:PORT". Whether it names loopback; any other name may have
 * been made to point here (DNS rebinding). */
bool host_is_own(struct slice host);
