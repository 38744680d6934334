"""Errors of this program's configurables in one line, without what gin appends to them."""

from __future__ import annotations

import functools
import re
from typing import NoReturn

from gin import utils

from rl_tuner.common.gin_files import read_catalogue

_CALL = re.compile(r"\s*In call to configurable '(?:[\w.]+\.)?(\w+)'")


@functools.cache
def keep_to_one_line() -> None:
    """Let errors of this program's configurables pass as they are.

    gin appends the name and the memory address of the function to every error; in Python, where gin
    bound nothing, this only hides the message. Errors of other configurables are left to gin.
    """
    append, names = utils.augment_exception_message_and_reraise, read_catalogue().keys()

    def reraise(exception: BaseException, message: str) -> NoReturn:
        call = _CALL.match(message)
        if call and call[1] in names:
            raise exception
        append(exception, message)
        raise exception

    utils.augment_exception_message_and_reraise = reraise
