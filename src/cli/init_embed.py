#!/usr/bin/env python3
"""Makes the table of files that `jsorc init` writes: init_embed.py OUT.c FILE..."""

import sys
from pathlib import Path

out, *files = map(Path, sys.argv[1:])


def literal(data):
    """data as C string literals, a line of the file each. Octal, so that digits may follow."""
    lines = data.splitlines(keepends=True) or [b""]
    return "\n".join(
        '     "' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}"
                           for b in line) + '"'
        for line in lines)


rows = [f'    {{"{file.name}",\n{literal(file.read_bytes())}}},\n' for file in files]
out.write_text(
    "/* Made by init_embed.py from src/cli/init. */\n#include <stddef.h>\n\n"
    '#include "cli/init_files.h"\n\n'
    "const struct init_file INIT_FILES[] = {\n" + "".join(rows) + "    {NULL, NULL},\n};\n")
