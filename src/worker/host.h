/* The commands `jsorc worker` (started by the daemon) and `jsorc host` (started by a person, or as
 * the entry point of a pod): a worker for C modules. Linked into the program, not into _jsorc. */
#pragma once

/* argv[0] is the command's name. Returns the exit status: 0 drained in order, 1 failed, 2 wrong
 * use. Does not return while calls hang at the end of a drain. */
int worker_main(int argc, char **argv);

/* Serves C modules by itself. With any Python module among the sources it becomes the Python
 * worker: python_path (NULL allowed) is put before PYTHONPATH, so that the package jsorc is found.
 */
int host_run(int argc, char **argv, const char *python_path);
