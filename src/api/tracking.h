/* The end of what the measuring operations keep between two requests; with nothing active, too.
 * Control thread. */
#pragma once

struct api;

/* All of it: before the parts of api go. */
void tracking_end(struct api *api);

void trackact_end(struct api *api); /* trackact.c */
void tracksys_end(struct api *api); /* tracksys.c */
