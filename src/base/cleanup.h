/* Ownership by scope: a local marked CLEANUP(x_free) is freed when it goes out of scope. */
#pragma once

#define CLEANUP(fn) __attribute__((cleanup(fn##_cleanup)))

/* Declares the hook that CLEANUP(fn) calls; fn takes a type and need not accept NULL. */
#define DEFINE_CLEANUP(type, fn)                                                                   \
    __attribute__((unused)) static inline void fn##_cleanup(type *pointer)                         \
    {                                                                                              \
        if (*pointer) {                                                                            \
            (void)fn(*pointer);                                                                    \
        }                                                                                          \
    }

/* Gives the pointer away: the value, and NULL in its place. */
#define TAKE(pointer)                                                                              \
    __extension__({                                                                                \
        __typeof__(pointer) taken_ = (pointer);                                                    \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })

/* A descriptor that is closed at the end of its scope; -1 = none. */
#define CLEANUP_FD __attribute__((cleanup(fd_close_cleanup)))
void fd_close_cleanup(int *fd);

/* As TAKE for a descriptor: its number, and -1 in its place. */
#define TAKE_FD(fd)                                                                                \
    __extension__({                                                                                \
        int taken_ = (fd);                                                                         \
        (fd) = -1;                                                                                 \
        taken_;                                                                                    \
    })

/* Closes fd unless it is -1; returns -1, keeps errno. */
int fd_close(int fd);
