"""The one exception a user is meant to read."""


class UserError(Exception):
    """Something the user can mend: the message is one line naming what was found and what was expected.

    The command line prints it after ``error:`` and exits with status 2; any other exception is a bug
    and keeps its traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
