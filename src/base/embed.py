#!/usr/bin/env python3
"""Makes a table of files that the program carries: embed.py OUT.c HEADER TABLE FILE...

HEADER declares the table, e.g. cli/init_files.h for INIT_FILES."""

import sys
from pathlib import Path

out, header, table, *files = sys.argv[1:]


def literal(data):
    """data as C string literals, a line of the file each. Octal, so that digits may follow."""
    lines = data.splitlines(keepends=True) or [b""]
    return "\n".join(
        '     "' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}"
                           for b in line) + '"'
        for line in lines)


rows = [f'    {{"{file.name}",\n{literal(file.read_bytes())}}},\n' for file in map(Path, files)]
Path(out).write_text(
    f'/* Made by embed.py. */\n#include <stddef.h>\n\n#include "{header}"\n\n'
    f"const struct embedded_file {table}[] = {{\n" + "".join(rows) + "    {NULL, NULL},\n};\n")
