"""Errors that actions raise and callers see."""


class HTTPError(Exception):
    """Raise it in an action to answer with a status of your choice.

    status   HTTP status, 400 to 599 for an error
    detail   any JSON value; becomes ``{"detail": detail}``
    headers  further response headers, or None
    """

    def __init__(self, status, detail=None, headers=None):
        if not 200 <= status <= 599:
            raise ValueError(f"not an HTTP status for an answer: {status!r}")
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.headers = headers

    def __str__(self):
        return f"{self.status}: {self.detail}"


class ActionError(Exception):
    """A call of an action that is somewhere else has failed.

    action   its name
    status   HTTP status of the answer; 0 when there was none
    detail   what went wrong: text, or the list of a 422
    type     name of the exception in the action, or None
    """

    def __init__(self, action, status, detail, type=None):
        super().__init__(action, status, detail, type)
        self.action = action
        self.status = status
        self.detail = detail
        self.type = type

    def __str__(self):
        where = f"action '{self.action}'"
        if self.status:
            where += f" answered {self.status}"
        return f"{where}: {self.detail}"
