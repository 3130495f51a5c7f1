/* What this program is, for `jsorc version`, man pages and the User-Agent. */
#pragma once

/* Set by the build from the project's version. */
#ifndef JSORC_VERSION
#error "JSORC_VERSION is given by src/cli/meson.build"
#endif

#define JSORC_DATE "2026-11-24" /* of the version; man pages carry it so that builds repeat */
