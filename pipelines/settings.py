"""Definition of a pipeline's settings, each in one place with its type, default, range and help text.

A dataclass of settings determines the parameters of the function that gin and Python call, the flags
of the command, the range checks and the settings in dataset.json.
"""

import dataclasses
import functools
import importlib.util
import inspect
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pipelines.inputs import check_inputs
from rl_tuner.common.errors import UserError
from rl_tuner.common.extras import install_hint
from rl_tuner.common.progress import working

_META = ("help", "least", "above", "choices", "cosmetic")


def setting(
    default: Any,
    text: str,
    *,
    least: float | None = None,
    above: float | None = None,
    choices: Iterable[str] = (),
    cosmetic: bool = False,
) -> Any:
    """Return a field of a dataclass of settings.

    Args:
        default: The default.
        text: Help text, a sentence or two.
        least: The smallest valid number.
        above: The number that the value must exceed.
        choices: The valid strings.
        cosmetic: Whether the output is the same for any value.
    """
    values = (text, least, above, tuple(choices), cosmetic)
    return dataclasses.field(default=default, metadata=dict(zip(_META, values, strict=True)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetSettings:
    """The settings of all pipelines.

    Raises:
        UserError: if a value is out of range.
    """

    recursive: bool = setting(True, "Include subfolders.")
    validation_ratio: float = setting(0.1, "Share of the data for validation.", least=0)
    test_ratio: float = setting(0.1, "Share of the data for testing.", least=0)
    num_shards: int = setting(1, "Number of files per split.", least=1)
    num_processes: int = setting(
        0, "Number of worker processes; 0 for one per processor.", least=0, cosmetic=True
    )
    overwrite: bool = setting(
        False, "Replace an existing dataset when the new one is complete.", cosmetic=True
    )

    def __post_init__(self) -> None:
        """Check every value against its range."""
        for field in dataclasses.fields(self):
            _check(field, getattr(self, field.name))
        if self.validation_ratio + self.test_ratio >= 1:
            raise UserError(
                "validation_ratio and test_ratio must add up to less than 1, not "
                f"{self.validation_ratio} + {self.test_ratio}"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the settings that affect the output, for dataset.json."""
        values = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if not field.metadata["cosmetic"]
        }
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    @classmethod
    def cosmetic(cls) -> frozenset[str]:
        """Return the names of the settings that do not affect the output."""
        return frozenset(f.name for f in dataclasses.fields(cls) if f.metadata["cosmetic"])


RUNNERS = (
    "DirectRunner",
    "DaskRunner",
    "SparkRunner",
    "FlinkRunner",
    "DataflowRunner",
    "PrismRunner",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpreadSettings(DatasetSettings):
    """The settings of pipelines that can also run on Apache Beam.

    Raises:
        UserError: if a value is invalid, or Beam is not installed.
    """

    runner: str = setting(
        "",
        "Runner of Apache Beam, for work on many machines; '' works in processes on this machine.",
        choices=("", *RUNNERS),
        cosmetic=True,
    )
    pipeline_options: str = setting(
        "",
        "Options of Beam and its runner, such as '--dask_client_address=tcp://host:8786'.",
        cosmetic=True,
    )

    def __post_init__(self) -> None:
        """Check that what runs the pipeline is there."""
        super().__post_init__()
        if self.pipeline_options and not self.runner:
            raise UserError(
                f"pipeline_options are options of Apache Beam; choose a runner, one of {', '.join(RUNNERS)}"
            )
        if self.runner and importlib.util.find_spec("apache_beam") is None:
            raise UserError(f"runner {self.runner} needs Apache Beam: {install_hint('beam')}")


Build = Callable[[list[str], str, Any], dict[str, Any]]


def builder(
    settings_class: type[DatasetSettings],
    check_inputs: Callable[[list[str]], None] = check_inputs,
) -> Callable[[Build], Callable[..., dict]]:
    """Return a decorator that gives a function of (inputs, output_dir, settings) a keyword per setting.

    The decorated function has one explicit parameter per setting, which gin and `inspect.signature`
    see, and the attributes `settings_class`, `check_inputs` and `cosmetic_settings`, the names of the
    settings that do not affect the output.

    Args:
        settings_class: The settings.
        check_inputs: Rejects inputs that do not exist.
    """

    def decorate(function: Build) -> Callable[..., dict[str, Any]]:
        fields = dataclasses.fields(settings_class)

        @functools.wraps(function)
        def build(inputs: Sequence[str], output_dir: str, **given: Any) -> dict[str, Any]:
            unknown = given.keys() - {field.name for field in fields}
            if unknown:
                names = ", ".join(sorted(unknown))
                raise TypeError(f"{function.__name__}() has no setting {names}")
            inputs = [inputs] if isinstance(inputs, str) else list(inputs)
            with working("dataset"):
                return function(inputs, output_dir, settings_class(**given))

        # gin would inspect the wrapped function, which does not have the settings as parameters.
        del build.__wrapped__
        build.__doc__ = _documentation(function, fields)
        attributes = {
            "__signature__": _signature(function, fields),
            "settings_class": settings_class,
            "check_inputs": check_inputs,
            "cosmetic_settings": settings_class.cosmetic(),
        }
        vars(build).update(attributes)
        return build

    return decorate


def _check(field: dataclasses.Field, value: Any) -> None:
    least, above, choices = (field.metadata[name] for name in ("least", "above", "choices"))
    if choices and value not in choices:
        raise UserError(f"{field.name} must be one of {', '.join(choices)}, not {value!r}")
    if (least, above) == (None, None):
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UserError(f"{field.name} must be a number, not {value!r}")
    if least is not None and not value >= least:
        raise UserError(f"{field.name} must be at least {least}, not {value}")
    if above is not None and not value > above:
        raise UserError(f"{field.name} must be above {above}, not {value}")


def _signature(function: Build, fields: Iterable[dataclasses.Field]) -> inspect.Signature:
    kind = inspect.Parameter
    parameters = [
        kind("inputs", kind.POSITIONAL_OR_KEYWORD, annotation=Sequence[str]),
        kind("output_dir", kind.POSITIONAL_OR_KEYWORD, annotation=str),
    ]
    parameters += [
        kind(field.name, kind.KEYWORD_ONLY, default=field.default, annotation=field.type)
        for field in fields
    ]
    returned = typing.get_type_hints(function)["return"]
    return inspect.Signature(parameters, return_annotation=returned)


def _documentation(function: Build, fields: Iterable[dataclasses.Field]) -> str:
    """Return the function's docstring with one line per setting in place of `settings`."""
    text = inspect.getdoc(function) or ""
    lines = "\n".join(f"    {field.name}: {field.metadata['help']}" for field in fields)
    start, found, rest = text.partition("    settings: ")
    return f"{start}{lines}\n{rest.partition(chr(10))[2]}" if found else text
