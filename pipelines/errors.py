"""What may go wrong with one item; what goes wrong with a whole run is a UserError."""


class RejectedError(Exception):
    """One item cannot be used; the rest of the run goes on.

    Attributes:
        reason: A short fixed phrase, counted in the dataset's description.
        detail: What is particular to this item.
    """

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
