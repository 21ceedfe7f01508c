"""Define the base class of errors that end a program with one line, and its exit code."""

USER_ERROR = 2
"""Exit code of a program that ends with a `UserError`."""


class UserError(Exception):
    """A problem that only the user can solve; the message says how.

    Attributes
    ----------
    heals
        Whether the problem may go away by itself, so that a start tries again for a while.
    """

    heals = False
