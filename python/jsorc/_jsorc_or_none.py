"""The C extension, or None where it is not installed: decorated modules can still be imported and
their functions called, as a test of the user's does."""

try:
    import _jsorc
except ImportError:
    _jsorc = None
