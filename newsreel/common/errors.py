"""The base class of errors that end a program with one line instead of a traceback."""


class UserError(Exception):
    """A problem that only the user can solve; the message says how."""
