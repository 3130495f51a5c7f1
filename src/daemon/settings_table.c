#include "daemon/settings.h"

#define AT(field) offsetof(struct settings, field)

const struct setting SETTINGS_TABLE[] = {
    {"listen", SETTING_LIST, AT(listen), "[\"127.0.0.1:8642\"]", 0, 0, true,
     "addresses HOST:PORT; one beyond loopback needs tls_cert and tls_key (or allow_plain); port 0 "
     "= a free one"},
    {"state", SETTING_TEXT, AT(state), "null", 0, 0, true,
     "folder for database, sockets and logs; default: $JSORC_STATE, $XDG_STATE_HOME/jsorc, "
     "~/.local/state/jsorc, or /var/lib/jsorc for root"},
    {"state_url", SETTING_TEXT, AT(state_url), "null", 0, 0, true,
     "PostgreSQL database for the state of this daemon, or of several, instead of a file in the "
     "folder, e.g. postgresql://USER@HOST/DATABASE; the password as for psql, from PGPASSWORD or a "
     "password file; 'database' = the service of that name, which is then started first"},
    {"lease_s", SETTING_NUMBER, AT(lease_s), "5", 1, 300, true,
     "of daemons with one state_url: so long after the last sign of the one that decides another "
     "one does, in seconds"},
    {"lease", SETTING_TEXT, AT(lease), "\"postgresql\"", 0, 0, true,
     "where daemons with one state_url agree on the one that decides: postgresql (a row of that "
     "database) or kubernetes (a Lease of the cluster)"},
    {"lease_name", SETTING_TEXT, AT(lease_name), "\"jsorc\"", 0, 0, true,
     "name of that Lease, in the namespace of the pods"},
    {"python", SETTING_TEXT, AT(python), "null", 0, 0, true,
     "interpreter of the workers; default: that of $VIRTUAL_ENV, else python3"},
    {"modules", SETTING_OBJECT, AT(modules), "{}", 0, 0, false,
     "what to load: name -> {source, place: module|remote, ctx, timeout_s, memory_max_mb}; "
     "relative paths are taken from the file's folder; a module that was moved since keeps its "
     "place until its entry is another one"},
    {"tls_cert", SETTING_TEXT, AT(tls_cert), "null", 0, 0, true, "certificate chain, PEM file"},
    {"tls_key", SETTING_TEXT, AT(tls_key), "null", 0, 0, true, "its private key, PEM file"},
    {"allow_plain", SETTING_FLAG, AT(allow_plain), "false", 0, 0, true,
     "allow addresses beyond loopback without TLS, e.g. behind a proxy that ends it"},
    {"public_url", SETTING_TEXT, AT(public_url), "null", 0, 0, true,
     "http or https URL by which others reach the daemon, say through a proxy, for links in mails; "
     "default: the first address that it listens on"},
    {"open_actions", SETTING_TEXT, AT(open_actions), "\"auto\"", 0, 0, true,
     "whether /actions/ and /walkers/ may be called without a token: auto = over loopback, yes, "
     "no"},
    {"log_level", SETTING_TEXT, AT(log_level), "\"info\"", 0, 0, true,
     "debug, info, warn or error"},
    {"io_threads", SETTING_INT, AT(io_threads), "1", 1, 16, true,
     "threads that read and write sockets; one carries tens of thousands of calls a second"},
    {"call_threads", SETTING_INT, AT(call_threads), "40", 1, 256, true,
     "calls that run at once in a worker"},
    {"memory_max_mb", SETTING_INT, AT(memory_max_mb), "0", 0, 1 << 24, true,
     "memory that a worker may allocate, in MB; 0 = four fifths of the machine's, or of its "
     "cgroup's limit"},
    {"provider", SETTING_TEXT, AT(provider), "\"process\"", 0, 0, true,
     "what makes pods: process (on this host) or kubernetes, for modules whose action config has "
     "objects under remote"},
    {"kubeconfig", SETTING_TEXT, AT(kubeconfig), "null", 0, 0, true,
     "kubeconfig file; default: as the config KUBE_CONFIG says, the pod's service account in a "
     "cluster, else $KUBECONFIG or ~/.kube/config"},
    {"kube_context", SETTING_TEXT, AT(kube_context), "null", 0, 0, true,
     "context of the kubeconfig; default: its current one"},
    {"kube_namespace", SETTING_TEXT, AT(kube_namespace), "null", 0, 0, true,
     "namespace of the pods; default: as KUBE_CONFIG says, $KUBE_NAMESPACE, that of the context or "
     "of our own pod"},
    {"pod_access", SETTING_TEXT, AT(pod_access), "\"auto\"", 0, 0, true,
     "how pods of a cluster are reached: direct (at their own addresses), forward (through the API "
     "server, by its port-forward) or auto: direct in a pod, else as the first ready pod answers"},
    {"policy", SETTING_TEXT, AT(policy), "\"default\"", 0, 0, true,
     "what chooses the placement until 'jsorc actionpolicy set' says otherwise: default (nobody), "
     "evaluation or adaptive"},
    {"policy_memory_mb", SETTING_INT, AT(policy_memory_mb), "0", 0, 1 << 24, true,
     "memory that a policy may give to the modules in the runtime worker, in MB; 0 = as "
     "memory_max_mb"},
    {"policy_phase_s", SETTING_NUMBER, AT(policy_phase_s), "10", 0.5, 86400, true,
     "how long a policy holds a placement before it judges it, in seconds"},
    {"body_bytes_max", SETTING_INT, AT(body_bytes_max), "67108864", 1024, 2147483647.0, true,
     "largest request body, in bytes"},
    {"connections_max", SETTING_INT, AT(connections_max), "4096", 1, 1000000, true,
     "client connections of an I/O thread"},
    {"timeout_s", SETTING_NUMBER, AT(timeout_s), "60", 0.001, 86400, true,
     "limit of a call whose action declares none, in seconds"},
    {"start_timeout_s", SETTING_NUMBER, AT(start_timeout_s), "300", 0.1, 86400, true,
     "a worker that is not ready after so many seconds has failed"},
    {"drain_timeout_s", SETTING_NUMBER, AT(drain_timeout_s), "60", 0, 86400, true,
     "calls under way in a worker that is replaced are given up after so many seconds"},
    {"stop_grace_s", SETTING_NUMBER, AT(stop_grace_s), "10", 0, 3600, true,
     "between asking a worker to end and killing it, in seconds"},
    {"probe_interval_s", SETTING_NUMBER, AT(probe_interval_s), "10", 0.05, 3600, true,
     "between two probes of a worker, in seconds"},
    {"probe_timeout_s", SETTING_NUMBER, AT(probe_timeout_s), "5", 0.05, 3600, true,
     "two probes in a row that take longer mean that a worker hangs, in seconds"},
    {"wait_timeout_s", SETTING_NUMBER, AT(wait_timeout_s), "30", 0, 3600, true,
     "how long a call waits for its module to be started, in seconds"},
    {"access_log", SETTING_TEXT, AT(access_log), "\"off\"", 0, 0, true,
     "file for a JSON line each request; - = standard output, off = none"},
    {"otlp_url", SETTING_TEXT, AT(otlp_url), "null", 0, 0, true,
     "OpenTelemetry collector that gets traces (OTLP over HTTP), e.g. http://127.0.0.1:4318"},
    {"trace_ratio", SETTING_NUMBER, AT(trace_ratio), "1", 0, 1, true,
     "share of the traces that begin here which are kept; a client's own traceparent decides for "
     "itself"},
    {"measure", SETTING_FLAG, AT(measure), "true", 0, 0, true,
     "keep figures of requests and calls; false only to see what that costs"},
    {"tracksys_interval_s", SETTING_NUMBER, AT(tracksys_interval_s), "10", 0.05, 86400, true,
     "between two notes of what is used, while jsorc_tracksys_start is active, in seconds"},
    {"services", SETTING_OBJECT, AT(services), "{}", 0, 0, false,
     "backing services to start and keep alive: name -> config, e.g. redis: {}; what is set by "
     "'jsorc service config set' comes before it"},
    {"keep_alive", SETTING_LIST, AT(keep_alive), "[]", 0, 0, true,
     "names of backing services to start and keep alive, e.g. redis or prome"},
    {"service_interval_s", SETTING_NUMBER, AT(service_interval_s), "10", 0.05, 3600, true,
     "between two checks of a backing service, in seconds; backoff_interval of JSORC_CONFIG comes "
     "before it"},
    {"service_timeout_s", SETTING_NUMBER, AT(service_timeout_s), "2", 0.05, 600, true,
     "two checks in a row that take longer mean that a service hangs, in seconds"},
    {"service_start_timeout_s", SETTING_NUMBER, AT(service_start_timeout_s), "60", 0.1, 86400, true,
     "a service that does not answer so long after its start has failed, in seconds"},
    {.name = NULL},
};
