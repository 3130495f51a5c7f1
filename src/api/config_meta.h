/* META_CONFIG, the one config of the original's older version, as a view on the configs of the
 * newer one: automation and backoff_interval are JSORC_CONFIG's, namespace and kubernetes
 * KUBE_CONFIG's, keep_alive is the list of services whose config says "automated". Used by
 * config_names.c. */
#pragma once

struct err;
struct store;

/* Stores text, which is a JSON object, and writes what it says into the other configs; all or
 * nothing. As store_config_set. */
int config_meta_write(struct store *store, const char *text, struct err *err);

/* The text that was written, byte for byte, as long as the other configs still say the same; else
 * composed again from them. -ENOENT: never written. */
int config_meta_read(struct store *store, char **ret_text, struct err *err);
