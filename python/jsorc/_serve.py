"""A worker's life: load what the spec names, register it with the extension, serve."""

import os
import sys
import types

import _jsorc

from . import _answers, _codec, _context, _convert, _load, _registry, _signature, _wire
from ._load import LoadError

_ROLES = ("host", "pod", "runtime")


def new_worker(options, spec):
    role = spec.get("role") or "host"
    if role not in _ROLES:
        raise ValueError(f"role must be one of {', '.join(_ROLES)}, not {role!r}")
    return _jsorc.Worker(
        name=spec.get("name") or "host", generation=int(spec.get("generation") or 0),
        role=_ROLES.index(role), socket=options.get("socket"), listen=options.get("listen"),
        token=os.environ.pop("JSORC_TOKEN", None) or None, daemon=options.get("daemon"),
        notify_fd=options.get("notify_fd", -1), lifeline_fd=options.get("lifeline_fd", -1),
        threads_max=int(options.get("threads_max") or spec.get("threads_max") or 0),
        verbose=bool(options.get("verbose")), measure=spec.get("measure") is not False)


def run(options, spec):
    """Serves until drained; the process's exit status."""
    from . import _logs, _shim

    _logs.install()
    _shim.install()
    try:
        worker = new_worker(options, spec)
    except (OSError, ValueError) as error:
        print(f"jsorc: error: {error}", file=sys.stderr)
        return 1
    try:
        load_all(worker, spec["modules"])
    except LoadError as error:
        return fail(worker, error)
    return serve(worker)


def launch(host, port):
    """Serves what this process has registered so far; for ``launch_server`` of a script."""
    if _registry.loading:  # the module is being loaded by a worker, which will serve it
        print(f"jsorc: warning: module '{_registry.loading}' calls launch_server when it is "
              "imported; put that under if __name__ == \"__main__\"", file=sys.stderr)
        return 0
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    name = _registry.group_of(_registry.registrations[-1].function) if _registry.registrations \
        else "main"
    main = sys.modules["__main__"]
    loaded = _load.Loaded({"name": name, "kind": _load.PYTHON_FILE, "remote": True,
                           "source": getattr(main, "__file__", None) or name}, main)
    for entry in _registry.registrations + _registry.endpoints:
        entry.owner = name
    try:
        worker = new_worker({"listen": f"{host}:{port}"}, {"name": name})
        for entry in _load.owned(loaded):
            if entry.name == "setup" and entry.kind == _registry.ACTION:
                entry.function()
        register(worker, loaded)
    except LoadError as error:
        print(f"jsorc: error: {error}", file=sys.stderr)
        return 1
    return serve(worker)


def fail(worker, error):
    hint = f"\nhint: {error.hint}" if error.hint else ""
    trace = f"\n{error.traceback.rstrip()}" if error.traceback else ""
    print(f"jsorc: error: {error}{trace}{hint}", file=sys.stderr)
    worker.report_failure(error.module, error.stage, error.error, error.traceback, error.hint)
    return 1


def serve(worker):
    try:
        worker.start()
    except OSError as error:
        worker.report_failure(None, "listen", error.strerror, None, None)
        print(f"jsorc: error: {error.strerror}", file=sys.stderr)
        return 1
    if worker.address:
        print(f"jsorc: serving at http://{worker.address}", file=sys.stderr)
    # Only now, when others know that we are ready: importing orjson takes as long as all of ours.
    _jsorc.prepare()
    if worker.wait():
        return 0
    print("jsorc: warning: calls were still running at the end of the drain", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)  # threads run the user's code: finalizing would crash them


def load_all(worker, entries):
    """Loads in the order of the spec, then registers: the newest provider of a name serves."""
    modules = []
    for entry in entries:
        for key in ("name", "kind", "source"):
            if not isinstance(entry.get(key), str) or not entry[key]:
                raise LoadError(entry.get("name") or "?", "import", f"the spec has no '{key}'")
        if entry["kind"] == _load.NATIVE:
            modules.append(entry)
        elif entry["kind"] in (_load.PYTHON_FILE, _load.PYTHON_MODULE):
            modules.append(_load.load(entry))
        else:
            raise LoadError(entry["name"], "import", f"unknown kind '{entry['kind']}'")
    for entry in entries:
        for name in entry.get("elsewhere") or ():
            worker.cede(entry["name"], name)
    python = [module for module in modules if isinstance(module, _load.Loaded)]
    _load.assign(python)
    for module in modules:
        if module in python:
            register(worker, module)
        else:
            load_native(worker, module)
    if any(entry.kind == _registry.WALKER for entry in _registry.registrations):
        from . import _walkers

        worker.serve_walkers(_walkers.run)


def load_native(worker, entry):
    try:
        worker.add_native(entry["name"], entry["source"], _jsorc.text(entry.get("ctx") or {}))
    except (OSError, ValueError) as error:
        # The loader's text begins with the stage that failed.
        stage, _, text = (getattr(error, "strerror", None) or str(error)).partition(": ")
        if stage not in ("import", "setup", "actions"):
            stage, text = "import", f"{stage}: {text}" if text else stage
        raise LoadError(entry["name"], stage, text) from None


def register(worker, loaded):
    """Makes what the module registered known to the extension."""
    found = _load.owned(loaded)
    endpoints = [entry for entry in _registry.endpoints if entry.owner == loaded.name]
    if not found and not endpoints:
        text = "it has no actions and no walkers"
        if any(entry.owner == loaded.name for entry in _registry.registrations):
            text = "none of its actions may be remote (allow_remote is false)"
        raise LoadError(loaded.name, "actions", text, None, _load.NO_ACTIONS_HINT)
    try:
        worker.add_module(loaded.name, loaded.kind, loaded.source, _load.loaded_module(loaded),
                          loaded.load_ms, loaded.mem_kb, loaded.ctx_unused)
        for entry in newest(found):
            if entry.kind == _registry.WALKER:
                add_walker(worker, loaded, entry)
            else:
                add_action(worker, loaded, entry)
        for entry in endpoints:
            add_endpoint(worker, entry)
    except (OSError, TypeError, ValueError) as error:
        text = getattr(error, "strerror", None) or str(error)
        raise LoadError(loaded.name, "actions", text) from None


def newest(found):
    """Of several functions of one name in a module the last one counts, as it does in Python."""
    last = {(entry.kind, entry.full_name): entry for entry in found}
    for entry in found:
        if last[entry.kind, entry.full_name] is not entry:
            _wire.warn(f"{entry.kind} '{entry.full_name}' is defined twice in "
                       f"'{entry.function.__module__}': the last one counts")
    return list(last.values())


def make_action(name, function):
    params = _signature.params_of(function)
    meta = any(param.name == "meta" for param in params)
    return params, _jsorc.Action(name, function, [param.for_extension() for param in params],
                                 params, meta)


def add_action(worker, loaded, entry):
    params, action = make_action(entry.full_name, entry.function)
    worker.add_action(
        module=loaded.name, name=entry.full_name, aliases=list(entry.aliases),
        params=_jsorc.text([param.describe() for param in params]), doc=doc_of(entry.function),
        returns=_signature.returns_of(entry.function), idempotent=entry.idempotent,
        timeout_ms=int(entry.timeout_s * 1000) if entry.timeout_s else 0, action=action)


def add_walker(worker, loaded, entry):
    from . import _walkers

    params, action = make_action(entry.name, entry.function)
    told = [param.describe() for param in params if param.name != _walkers.REQUEST]
    for name in (entry.name, *entry.aliases):
        worker.add_walker(loaded.name, name, _jsorc.text(told), doc_of(entry.function), action)
    _walkers.add((entry.name, *entry.aliases), action, len(told) < len(params))


def add_endpoint(worker, entry):
    from . import _endpoints

    if entry.mount is not None:
        path, app = entry.mount[0], entry.mount[1]
        worker.add_endpoint(path, True, _endpoints.mounted(path, app))
    worker.add_endpoint(entry.path, False, _endpoints.exposed(entry.function))


def doc_of(function):
    """The docstring without the indentation of the source."""
    text = getattr(function, "__doc__", None)
    if not isinstance(text, str) or not text.strip():
        return None
    lines = text.expandtabs().strip().splitlines()
    margins = [len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()]
    margin = min(margins, default=0)
    return "\n".join([lines[0], *(line[margin:].rstrip() for line in lines[1:])])


_jsorc.install(
    for_exception=_answers.for_exception, encode=_answers.encode, not_json=_answers.not_json,
    not_object=_answers.not_object, invalid=_answers.invalid,
    invalid_entries=_answers.invalid_entries,
    call_with_meta=_wire.call_with_meta, failed_here=_wire.failed_here,
    run_async=_context.run_async, current=_context.current, add_nested=_context.add_nested,
    default_value=_codec.default, coroutine_type=types.CoroutineType,
    invalid_type=_convert.Invalid, load_codec=_codec.load)
