"""Death at every change of the file system, in this process."""

import builtins
import os
import shutil


class Killed(BaseException):
    """The process would have died here; no handler of errors may catch it."""


class Kill:
    """Lets the n-th change of the file system, and every later one, raise Killed."""

    def __init__(self, monkeypatch, after):
        self.left, self.happened = after, False
        for owner, name in ((os, "rename"), (os, "replace"), (os, "remove"), (shutil, "rmtree")):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))
        opened = builtins.open

        def checked_open(file, mode="r", *args, **kwargs):
            if set(mode) & set("wax+"):
                self._count()
            return opened(file, mode, *args, **kwargs)

        monkeypatch.setattr(builtins, "open", checked_open)

    def _counted(self, function):
        def call(*args, **kwargs):
            self._count()
            return function(*args, **kwargs)

        return call

    def _count(self):
        self.left -= 1
        if self.left < 0:
            self.happened = True
            raise Killed
