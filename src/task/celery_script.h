/* What has to happen at once in the Redis, as scripts that it runs. Keys and forms are kombu's, so
 * that Celery's workers restore what we took, and we what they took:
 *
 *  - celery, celery\x06\x163, ...6, ...9: the queue, a list for each priority; taken from its right
 *  - unacked: a hash, delivery tag -> [message, exchange, routing key]
 *  - unacked_index: a sorted set, delivery tag by the time of taking, in seconds
 *  - unacked_mutex: who restores; all others wait
 *  - _kombu.binding.X: a set, which queues an exchange goes to
 *
 * Three are ours, and of no meaning to others:
 *
 *  - jsorc:task:taken: a hash, delivery tag -> which daemon has it
 *  - jsorc:task:owner: a key for each daemon that is alive; without it what it took is restored at
 *    once, not only when the visibility time-out is over
 *  - jsorc:task:dead: a list, what is no task's message, newest first */
#pragma once

/* KEYS unacked, unacked_index, taken, dead, owner, the lists. ARGV the time in s, how many, our
 * name, bytes in all at most, length of dead at most, life of the owner's key in ms. Moves messages
 * to unacked. Returns [tag, message, ...]. */
extern const char CELERY_SCRIPT_TAKE[];

/* KEYS unacked, unacked_index, taken, the result's. ARGV tag, life of the result in s, the result
 * ("" = none). Stores and publishes the result, and forgets the message. */
extern const char CELERY_SCRIPT_FINISH[];

/* KEYS as FINISH. ARGV tag, life of the result in s, the result ("" = none), what unacked shall
 * hold, the time in s by which it counts as taken. */
extern const char CELERY_SCRIPT_LATER[];

/* KEYS the result's. ARGV its life in s, the result. */
extern const char CELERY_SCRIPT_STORE[];

/* KEYS unacked, unacked_index, taken, mutex. ARGV the time in s, the mutex' token, its life in ms,
 * how many, bytes in all at most, the begin of owners' keys. Returns [tag, what unacked holds, ...]
 * of what a daemon took that is gone, or somebody else up to that time. The mutex is held unless
 * that is empty. */
extern const char CELERY_SCRIPT_LOST[];

/* KEYS unacked, unacked_index, taken, mutex, dead. ARGV token, queue for what names none, the time
 * in s, length of dead at most, then by five: tag, what unacked held, the message ("" = to dead),
 * exchange, routing key. Puts back what is still as it was, and frees the mutex. Returns how many.
 */
extern const char CELERY_SCRIPT_RESTORE[];

/* KEYS unacked_index, owner. ARGV the time in s, life of the owner's key in ms, our name, tags. */
extern const char CELERY_SCRIPT_RENEW[];
