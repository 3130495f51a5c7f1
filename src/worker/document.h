/* What a worker says of itself as JSON. All texts are made from the registry; results are owned by
 * the caller. */
#pragma once

struct buf;
struct json_object;
struct registry;
struct worker_action;

/* {"text.split": ["text", "*parts"], ...}, aliases as keys of their own. */
struct json_object *document_spec(const struct registry *registry);

/* {"text.split": {"params": [...], "module", "doc", "returns", "alias_of", "idempotent",
 * "timeout_ms"}, ...}: as ?full=1. What is not known is left out. */
struct json_object *document_full_spec(const struct registry *registry);

/* {"text": {"kind", "source", "loaded_module", "load_ms", "mem_kb", "note", "walkers": [...],
 * "walker_specs": {"intake": {"params": [...], "doc"}}, "actions": {...}}, ...}: as in the ready
 * line. */
struct json_object *document_modules(const struct registry *registry);

/* {"text.split": {"calls", "errors", "exec_s"}, ...} and the same of walkers. */
struct json_object *document_action_figures(const struct registry *registry);
struct json_object *document_walker_figures(const struct registry *registry);

/* {"local_calls": [{"module", "action", "walker", "calls", "errors", "exec_ns", "nested_ns",
 * "histogram": [BUCKET, COUNT, ...]}, ...],
 * "remote_calls": [{"action", "place", "walker", "latency_ns", "histogram": [...]}, ...]}: calls
 * from inside the process, as worker_count_call and worker_count_remote got them; without a walker
 * when none made them. As text: it is asked for often, and may be long. */
void document_figures(const struct registry *registry, struct buf *out);

/* OpenAPI 3.1 of all that is served. */
struct json_object *document_openapi(const struct registry *registry);
