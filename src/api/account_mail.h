/* The mails of accounts: activation and a forgotten password, by the service `mail`, with the texts
 * of MAIL_CONFIG's "templates" or the original's. Control thread. */
#pragma once

#include <stdbool.h>

#include "store/store.h"

struct api;

/* Whether there is somebody to give mails to. */
bool account_mail_is_on(const struct api *api);

/* Gives the code for that account to the mail service, which sends it soon. 0, or -ENOTCONN,
 * -EBUSY: it was not taken. */
int account_mail_send(const struct api *api, enum store_code_kind kind, const char *email,
                      const char *code);
