#!/usr/bin/env python3
"""Puts Swagger UI's files into the program: docs_embed.py OUT_FOLDER.

Runs at build time in the environment of dev/requirements-build.txt. Writes docs_table.c, the list
of pages, docs_data.S, which takes in their bytes, and the gzip-compressed files. Nothing is copied
into the source tree. A file whose digest is not the one below is refused: the package is pinned by
its content, not by its name."""

import gzip
import hashlib
import sys
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

VERSION = "5.31.0"

# name -> content type, sha256 of the file in the npm package swagger-ui-dist of that version
FILES = {
    "swagger-ui-bundle.js": (
        "text/javascript; charset=utf-8",
        "93b7b0862a80e2786f85b560be7693c2344354ffa7e7e224f850a54349724c31",
    ),
    "swagger-ui.css": (
        "text/css; charset=utf-8",
        "9e576f8322132c76949da47f9bb53c891373c303ea3a761ff548ffc9de50a98c",
    ),
    "favicon-32x32.png": (
        "image/png",
        "3ed612f41e050ca5e7000cad6f1cbe7e7da39f65fca99c02e99e6591056e5837",
    ),
}

INDEX = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>jsorc API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="docs"></div>
<noscript>
This page needs JavaScript; the document itself is <a href="/openapi.json">/openapi.json</a>.
</noscript>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""

START = """window.ui = SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#docs",
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    deepLinking: true,
    displayRequestDuration: true,
    docExpansion: "list",
    defaultModelsExpandDepth: -1,
    persistAuthorization: true,
    validatorUrl: null,
});
"""

NOTICE = f"""swagger-ui-bundle.js, swagger-ui.css and favicon-32x32.png are those of
Swagger UI {VERSION}, https://github.com/swagger-api/swagger-ui
Copyright 2020-2021 SmartBear Software Inc.
Licensed under the Apache License, Version 2.0, which is in the file LICENSE beside this one.
"""


def read_license():
    """The package's own, which is that of the files."""
    text = distribution("swagger-ui-bundle-v2").read_text("licenses/LICENSE")
    if not text or "Apache License" not in text:
        sys.exit("docs_embed: swagger-ui-bundle-v2 has no license file")
    return text


def read_files():
    """name -> content type, bytes."""
    spec = find_spec("swagger_ui_bundle")
    if spec is None:
        sys.exit("docs_embed: the package swagger-ui-bundle-v2 is missing: run dev/setup build")
    folder = Path(spec.origin).parent / "vendor" / f"swagger-ui-{VERSION}"
    pages = {
        "index.html": ("text/html; charset=utf-8", INDEX.encode()),
        "start.js": ("text/javascript; charset=utf-8", START.encode()),
        "NOTICE": ("text/plain; charset=utf-8", NOTICE.encode()),
        "LICENSE": ("text/plain; charset=utf-8", read_license().encode()),
    }
    for name, (content_type, digest) in FILES.items():
        data = (folder / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            sys.exit(f"docs_embed: {folder / name} is not the file of Swagger UI {VERSION}")
        pages[name] = (content_type, data)
    return pages


def main():
    out = Path(sys.argv[1])
    table = ['/* Made by docs_embed.py. */\n#include "http/docs_page.h"\n']
    rows = []
    data_lines = [".section .rodata"]
    for number, (name, (content_type, data)) in enumerate(read_files().items()):
        # What is small or compressed already goes as it is, so that curl shows it.
        packed = gzip.compress(data, 9, mtime=0)
        encoding = "gzip" if len(data) > 4096 and len(packed) < len(data) else None
        path = out / f"docs_{number}.bin"
        path.write_bytes(packed if encoding else data)
        tag = hashlib.sha256(data).hexdigest()[:16]
        size = path.stat().st_size
        data_lines += [
            f".globl docs_data_{number}", f".hidden docs_data_{number}", ".balign 16",
            f"docs_data_{number}:", f'.incbin "{path.resolve()}"',
        ]
        table.append(f"extern const char docs_data_{number}[];\n")
        shown = f'"{encoding}"' if encoding else "NULL"
        rows.append(
            f'    {{"/docs/{name}", "{content_type}", {shown}, "\\"{tag}\\"",\n'
            f"     {{docs_data_{number}, {size}}}}},\n"
        )
    data_lines.append('.section .note.GNU-stack,"",%progbits')
    (out / "docs_data.S").write_text("\n".join(data_lines) + "\n")
    rows.append("    {NULL, NULL, NULL, NULL, {NULL, 0}},\n")
    table.append("const struct docs_page DOCS_PAGES[] = {\n" + "".join(rows) + "};\n")
    (out / "docs_table.c").write_text("".join(table))


if __name__ == "__main__":
    main()
