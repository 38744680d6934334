"""The one kind of error that a user can cause and mend."""


class UserError(Exception):
    """Bad input: the message is one line that names the file, the value and the remedy."""
