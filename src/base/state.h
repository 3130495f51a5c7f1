/* Where the daemon of this host keeps its state, and hence where its socket is. */
#pragma once

/* The folder: option (may be NULL), else $JSORC_STATE, else $XDG_STATE_HOME/jsorc, else
 * /var/lib/jsorc for root and ~/.local/state/jsorc for others. Owned by the caller. */
char *state_folder(const char *option);

/* The daemon's Unix socket in that folder; owned by the caller. */
char *state_socket(const char *folder);
