"""Loads the modules of a spec: import, ``setup``, and which registrations are whose."""

import os
import sys
import time

from . import _registry
from ._jsorc_or_none import _jsorc

PYTHON_MODULE, PYTHON_FILE, NATIVE = "python-module", "python-file", "native"

# Where the import name is not the name of the package that brings it.
_PACKAGES = {"cv2": "opencv-python-headless", "PIL": "pillow", "sklearn": "scikit-learn",
             "skimage": "scikit-image", "yaml": "PyYAML", "bs4": "beautifulsoup4",
             "dateutil": "python-dateutil", "dotenv": "python-dotenv", "Crypto": "pycryptodome",
             "OpenSSL": "pyOpenSSL", "attr": "attrs", "fitz": "PyMuPDF", "magic": "python-magic",
             "serial": "pyserial", "jwt": "PyJWT", "google.protobuf": "protobuf"}


class LoadError(Exception):
    """module, stage ("import", "setup" or "actions"), error, traceback or None, hint or None"""

    def __init__(self, module, stage, error, traceback=None, hint=None):
        super().__init__(f"module '{module}': {stage}: {error}")
        self.module = module
        self.stage = stage
        self.error = error
        self.traceback = traceback
        self.hint = hint


class Loaded:
    """A module that was imported and set up."""

    def __init__(self, entry, module):
        self.name = entry["name"]
        self.kind = entry["kind"]
        self.source = entry["source"]
        self.remote = bool(entry.get("remote"))
        self.module = module
        self.load_ms = 0.0
        self.mem_kb = -1
        self.ctx_unused = False  # it was given a ctx and has no setup


def internal_name(path):
    """Name under which a file is imported: its folder's and its own, joined by a dot."""
    folder, base = os.path.split(path)
    parent = os.path.basename(folder).replace(".", "_")
    stem = os.path.splitext(base)[0].replace(".", "_")
    if stem == "__init__" and parent:
        return parent
    return f"{parent}.{stem}" if parent else stem


def import_file(path):
    """The module of a Python file. Its folder and the one above are appended to the import path:
    relative imports work inside the folder, and so do those that work for ``python FILE``."""
    import importlib.util

    path = os.path.abspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"no such file: {path}")
    name = internal_name(path)
    for folder in (os.path.dirname(os.path.dirname(path)), os.path.dirname(path)):
        if folder not in sys.path:
            sys.path.append(folder)
    _registry.file_modules[name] = path
    package = [os.path.dirname(path)] if os.path.basename(path) == "__init__.py" else None
    loader = importlib.machinery.SourceFileLoader(name, path)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader,
                                                  submodule_search_locations=package)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def load(entry):
    """Imports and sets up one Python module of the spec. LoadError tells what went wrong."""
    name = entry["name"]
    _registry.loading = name
    memory_before = _jsorc.memory_kb()
    start = time.perf_counter()
    try:
        loaded = Loaded(entry, _import(entry))
        register_foreign(loaded.module)
        _run_setup(loaded, entry.get("ctx") or {})
        register_foreign(loaded.module)
    finally:
        _registry.loading = None
    loaded.load_ms = (time.perf_counter() - start) * 1000
    memory_after = _jsorc.memory_kb()
    loaded.mem_kb = max(0, memory_after - memory_before) if memory_before >= 0 else -1
    return loaded


def _import(entry):
    import importlib

    try:
        if entry["kind"] == PYTHON_FILE:
            return import_file(entry["source"])
        return importlib.import_module(entry["source"])
    except BaseException as error:  # also exit() at module level
        raise LoadError(entry["name"], "import", error_line(error), traceback_text(error),
                        hint(error, entry)) from None


def _run_setup(loaded, ctx):
    setup = getattr(loaded.module, "setup", None)
    if not callable(setup):
        setup = next((one.function for one in _registry.registrations
                      if one.owner == loaded.name and one.name == "setup"), None)
    arguments = {key: value for key, value in ctx.items() if key != "_ignore_setup_error"}
    if setup is None:
        loaded.ctx_unused = bool(arguments)
        return
    try:
        value = setup(**_converted(setup, arguments))
        if hasattr(type(value), "__await__"):
            from . import _asyncrun

            _asyncrun.run(value)
    except BaseException as error:
        text = traceback_text(error)
        if ctx.get("_ignore_setup_error") is True:
            print(f"jsorc: warning: setup of module '{loaded.name}' failed, and ctx allows it\n"
                  f"{text}", file=sys.stderr)
            return
        raise LoadError(loaded.name, "setup", error_line(error), text,
                        setup_hint(error, setup)) from None


class CtxError(ValueError):
    """A value of ctx does not fit the annotation of setup's parameter."""


def _converted(setup, arguments):
    """The arguments as setup's annotations want them: the rules of a call's arguments. What setup
    does not take is left for its own TypeError."""
    from . import _convert, _signature

    params = {param.name: param for param in _signature.params_of(setup)
              if param.kind in (_signature.PLAIN, _signature.KEYWORD, _signature.DICT)}
    rest = next((param for param in params.values() if param.kind == _signature.DICT), None)
    made = dict(arguments)
    for name, value in arguments.items():
        param = params.get(name, rest)
        if param is None or param.convert is None or (value is None and not param.required):
            continue
        try:
            made[name] = param.convert(value)
        except _convert.Invalid as found:
            path, message = found.errors[0][:2]
            where = ".".join(str(part) for part in (name, *path))
            raise CtxError(f"{where}: {message} (setup has {name}: {param.text})") from None
    return made


# ---- functions decorated by the original's decorator


def register_foreign(module):
    """Registers what the decorators of an installed Jaseci registered there since the last time."""
    live = sys.modules.get("jaseci.jsorc.live_actions")
    remote = sys.modules.get("jaseci.jsorc.remote_actions")
    if live is None or hasattr(live, "jsorc_stand_in"):
        return
    known = {entry.function for entry in _registry.registrations}
    allowed = {id(api[0]) for api in getattr(remote, "registered_apis", ())}
    names = {}
    for full_name, function in list(live.live_actions.items()):
        # Its own library of actions is registered when it is imported; it is not the user's.
        if function not in known and not (function.__module__ or "").startswith("jaseci."):
            names.setdefault(function, []).append(full_name)
    for function, full_names in names.items():
        group, name = full_names[0].rsplit(".", 1)
        aliases = [full.rsplit(".", 1)[1] for full in full_names[1:]]
        _registry.register(function, group=group, name=name, aliases=aliases,
                           remote=id(function) in allowed)
    seen = {entry.function for entry in _registry.endpoints}
    for function, path, mount, _ in getattr(remote, "registered_endpoints", ()):
        if function not in seen:
            _registry.endpoints.append(_registry.Endpoint(function, path, mount))


# ---- whose is it


def assign(modules):
    """Gives each registration to the module of the spec it lies in, else (its module is in no
    spec, such as a helper that was imported) to the one that was being loaded."""
    prefixes = sorted(((loaded.module.__name__, loaded.name) for loaded in modules
                       if loaded.module is not None), key=lambda pair: -len(pair[0]))
    for entry in _registry.registrations + _registry.endpoints:
        where = getattr(entry.function, "__module__", None) or ""
        for prefix, name in prefixes:
            if where == prefix or where.startswith(prefix + "."):
                entry.owner = name
                break


def owned(loaded):
    """The module's registrations; one that is placed remote shows only what its author allowed."""
    return [entry for entry in _registry.registrations
            if entry.owner == loaded.name and (entry.remote or not loaded.remote)]


def loaded_module(loaded):
    """Where the module's functions live: a package often re-exports them from an inner module."""
    for entry in _registry.registrations:
        if entry.owner == loaded.name:
            return getattr(entry.function, "__module__", None) or loaded.module.__name__
    return loaded.module.__name__


# ---- what to tell when it fails


def error_line(error):
    text = str(error) if not isinstance(error, SystemExit) else f"it called exit({error})"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def traceback_text(error):
    """The traceback from the user's code on, without ours and the import system's frames."""
    import traceback

    ours = os.path.dirname(os.path.abspath(__file__)) + os.sep
    trace = error.__traceback__
    while trace is not None and _is_machinery(trace.tb_frame.f_code.co_filename, ours):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))


def _is_machinery(filename, ours):
    return filename.startswith((ours, "<frozen importlib")) or filename.endswith(
        os.path.join("importlib", "__init__.py"))


def hint(error, entry):
    if isinstance(error, ModuleNotFoundError) and error.name:
        top = error.name.split(".")[0]
        if error.name == entry["source"] or entry["source"].startswith(error.name + "."):
            return (f"nothing is named '{error.name}' in the import path "
                    f"({os.pathsep.join(sys.path[:4])}): is it spelt so, and is this the right "
                    f"interpreter ({sys.executable})?")
        return f"pip install {_PACKAGES.get(error.name, _PACKAGES.get(top, top))}"
    if entry["kind"] == PYTHON_FILE and not os.path.isfile(entry["source"]):
        return "give the path of a Python file that exists"
    if isinstance(error, SyntaxError) and error.filename:
        return f"correct {error.filename} line {error.lineno}"
    if isinstance(error, ImportError) and "circular import" in str(error):
        return "two modules import each other: move one import into the function that needs it"
    return None


def setup_hint(error, setup):
    if isinstance(error, CtxError):
        return "correct this value in ctx, or the annotation"
    if isinstance(error, TypeError) and "argument" in str(error):
        names = getattr(getattr(setup, "__code__", None), "co_varnames", ())
        count = getattr(getattr(setup, "__code__", None), "co_argcount", 0)
        return f"setup takes ({', '.join(names[:count])}); its arguments come from ctx"
    return 'load with ctx {"_ignore_setup_error": true} to serve the module all the same'


NO_ACTIONS_HINT = ("put @jsorc.action above a function, or @jaseci_action(allow_remote=True) in a "
                   "module written for Jaseci")
