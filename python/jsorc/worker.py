"""``python -m jsorc.worker``: loads modules and serves their actions.

    python -m jsorc.worker [options] [MODULE | FILE.py | LIBRARY.so]...

    --spec FILE         what to load, as JSON; the daemon writes it
    --socket PATH       serve on a Unix socket
    --listen ADDR       serve on TCP, "127.0.0.1:8000"
    --notify-fd N       write one JSON line there when ready, or when loading failed
    --lifeline-fd N     end when the other end of this pipe closes
    --daemon PATH       Unix socket of the daemon, for calls of actions that are elsewhere
    --threads N         calls that may run at the same time (default 40)
    --verbose           a log line for each call

The environment variable JSORC_TOKEN, when set, is asked of TCP clients.
"""

import os
import sys

_OPTIONS = {"--spec": "spec", "--socket": "socket", "--listen": "listen",
            "--notify-fd": "notify_fd", "--lifeline-fd": "lifeline_fd", "--daemon": "daemon",
            "--threads": "threads_max"}
_NUMBERS = ("notify_fd", "lifeline_fd", "threads_max")


class UsageError(Exception):
    pass


def parse(arguments):
    """(options, sources). argparse would cost a tenth of the time until ready."""
    options, sources = {}, []
    left = list(arguments)
    while left:
        word = left.pop(0)
        if not word.startswith("--"):
            sources.append(word)
            continue
        word, equals, value = word.partition("=")
        if word == "--verbose" and not equals:
            options["verbose"] = True
            continue
        if word not in _OPTIONS:
            raise UsageError(f"unknown option {word}")
        if not equals:
            if not left:
                raise UsageError(f"{word} needs a value")
            value = left.pop(0)
        name = _OPTIONS[word]
        if name in _NUMBERS and not value.isdigit():
            raise UsageError(f"{word} needs a number, not {value!r}")
        options[name] = int(value) if name in _NUMBERS else value
    return options, sources


def module_entry(source):
    """A module of the command line as an entry of a spec."""
    base = os.path.basename(source)
    if source.endswith(".so"):
        return {"name": base.split(".")[0], "kind": "native", "source": os.path.abspath(source)}
    if source.endswith(".py") or os.sep in source:
        return {"name": base.split(".")[0], "kind": "python-file",
                "source": os.path.abspath(source), "remote": True}
    return {"name": source.rsplit(".", 1)[-1], "kind": "python-module", "source": source,
            "remote": True}


def read_spec(options, sources):
    """The spec file's content, or one made of the command line."""
    if "spec" in options:
        import _jsorc

        with open(options["spec"], encoding="utf-8") as file:
            spec = _jsorc.parse(file.read())
        if not isinstance(spec, dict):
            raise ValueError("it is no JSON object")
    else:
        spec = {"name": "host", "role": "host", "modules": []}
    spec.setdefault("modules", []).extend(module_entry(source) for source in sources)
    if not spec["modules"]:
        raise UsageError("nothing to load: name a module, a file or --spec FILE")
    return spec


def main(arguments):
    if "--help" in arguments or "-h" in arguments:
        print(__doc__.strip())
        return 0
    from jsorc import _serve

    try:
        options, sources = parse(arguments)
        spec = read_spec(options, sources)
    except UsageError as error:
        print(f"jsorc.worker: {error}\n{__doc__}", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        print(f"jsorc.worker: the spec file cannot be read: {error}", file=sys.stderr)
        return 2
    sys.argv = sys.argv[:1]  # our options are nothing to the user's code
    return _serve.run(options, spec)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
