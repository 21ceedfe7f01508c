"""Secrets of options, from the environment or from files."""

from pathlib import Path

from pydantic import SecretStr


def secret(given: SecretStr | None, file: Path | None, option: str) -> SecretStr | None:
    """Return a secret from its own option or from a file.

    Parameters
    ----------
    given
        The secret itself, from an environment variable.
    file
        Path of a file that contains only the secret.
    option
        Name of the secret's option.

    Raises
    ------
    ValueError
        The secret is given both ways, or the file can't be read. The message shows neither the
        secret nor the name of the file: a user may have given the secret in place of the name.
    """
    if file is None:
        return given
    if given is not None:
        raise ValueError(f"the secret of --{option}-file is also in the environment; choose one")
    try:
        text = file.read_text().strip("\r\n")
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "the file is not text"
        raise ValueError(f"--{option}-file can't be read: {reason}") from None
    if not text:
        raise ValueError(f"--{option}-file is empty")
    if "\n" in text:
        raise ValueError(f"--{option}-file has several lines; it may contain only the secret")
    return SecretStr(text)
