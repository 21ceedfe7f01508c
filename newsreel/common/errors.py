"""The one kind of error that ends a program with a line instead of a traceback."""


class UserError(Exception):
    """Something only the user can mend; the message says how."""
