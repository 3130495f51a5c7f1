/* A lease (lease.h) as an object of the cluster that the daemons run on: coordination.k8s.io/v1
 * Lease. */
#pragma once

struct kube;
struct lease;
struct store;

/* The Lease `name` in the namespace of the client's configuration, which is made when it is absent:
 * needs the verbs get, create and patch on leases. kube is taken over; it serves the lease alone,
 * so that nothing else delays a renewal, and its try_timeout_ms must let some tries fit into a
 * lease. store (borrowed) learns the number of the lease that is held, and so refuses what earlier
 * holders still write: who does not reach it does not hold the lease. */
struct lease *lease_kube_new(struct kube *kube, struct store *store, const char *name,
                             const char *holder);
