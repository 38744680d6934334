"""Settings written once: parameters, flags, checks and what dataset.json says of them."""

import dataclasses
import inspect

import gin
import pytest
from absl import flags

from pipelines import command, settings
from pipelines.melody.build import build_melody_dataset
from pipelines.melody.build_from_magenta import build_magenta_dataset
from pipelines.molecule.build import build_molecule_dataset
from rl_tuner.common.errors import UserError

BUILDERS = [build_melody_dataset, build_molecule_dataset, build_magenta_dataset]
ALWAYS_COSMETIC = {"num_processes", "overwrite"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TeaSettings(settings.DatasetSettings):
    kind: str = settings.setting("green", "What to brew.", choices=("green", "black"))
    minutes: float = settings.setting(3.0, "How long.", above=0)
    cups: int = settings.setting(2, "How many.", least=1)
    herbs: tuple[str, ...] = settings.setting(("mint",), "What to add.")
    speak: bool = settings.setting(False, "Say so.", cosmetic=True)


@settings.builder(TeaSettings)
def brew(inputs: list[str], output_dir: str, settings: TeaSettings) -> dict:
    """Brews.

    Args:
        inputs: Water.
        output_dir: A pot.
        settings: How.

    Returns:
        Tea.
    """
    return {"inputs": inputs, "output_dir": output_dir, "settings": settings}


def test_a_setting_is_a_parameter_with_its_default_type_and_meaning():
    parameters = inspect.signature(brew).parameters
    assert list(parameters)[:2] == ["inputs", "output_dir"]
    assert parameters["minutes"].default == 3.0
    assert parameters["minutes"].annotation is float
    assert parameters["minutes"].kind is inspect.Parameter.KEYWORD_ONLY
    lines = inspect.getdoc(brew).splitlines()
    assert "    minutes: How long." in lines and "    inputs: Water." in lines
    assert lines[-2:] == ["Returns:", "    Tea."]
    assert not any(line.startswith("    settings:") for line in lines)


def test_a_builder_is_called_by_keywords():
    made = brew("well", "pot", cups=5)
    assert (made["inputs"], made["output_dir"], made["settings"].cups) == (["well"], "pot", 5)
    with pytest.raises(TypeError, match=r"brew\(\) has no setting sugar"):
        brew("well", "pot", sugar=1)
    with pytest.raises(TypeError, match="output_dir"):
        brew("well")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "red"}, "kind must be one of green, black, not 'red'"),
        ({"minutes": 0}, "minutes must be above 0, not 0"),
        ({"minutes": float("nan")}, "minutes must be above 0, not nan"),
        ({"cups": 0}, "cups must be at least 1, not 0"),
        ({"cups": "two"}, "cups must be a number, not 'two'"),
        ({"test_ratio": -0.1}, "test_ratio must be at least 0"),
        ({"test_ratio": 0.5, "validation_ratio": 0.5}, "add up to less than 1"),
    ],
)
def test_ranges_are_checked(wrong, message):
    with pytest.raises(UserError, match=message):
        TeaSettings(**wrong)


def test_flags_come_from_the_settings():
    values = flags.FlagValues()
    command.define_flags(values, TeaSettings, "Water.")
    values(["brew", "--input=a,b", "--output_dir=pot", "--kind=black", "--herbs=mint,sage"])
    assert (values.kind, values.minutes, values.cups) == ("black", 3.0, 2)
    assert (values.herbs, values.speak) == (["mint", "sage"], False)
    assert values["minutes"].help == "How long."
    for wrong in ("--kind=red", "--cups=many", "--speak=maybe"):
        with pytest.raises(flags.Error, match=wrong[2:6]):
            values(["brew", wrong])


def test_a_description_has_what_changes_the_output():
    assert TeaSettings(herbs=("sage",)).to_json() == {
        "recursive": True,
        "validation_ratio": 0.1,
        "test_ratio": 0.1,
        "num_shards": 1,
        "kind": "green",
        "minutes": 3.0,
        "cups": 2,
        "herbs": ["sage"],
    }
    assert brew.cosmetic_settings == ALWAYS_COSMETIC | {"speak"}


@pytest.mark.parametrize("build", BUILDERS)
def test_gin_and_python_see_the_same_parameters(build):
    configurable = gin.get_configurable(build.__name__)
    parameters = inspect.signature(configurable).parameters
    assert parameters == inspect.signature(build).parameters
    fields = dataclasses.fields(build.settings_class)
    assert {name for name, p in parameters.items() if p.default is not p.empty} == {
        field.name for field in fields
    }
    assert configurable.cosmetic_settings >= ALWAYS_COSMETIC
    assert all(field.metadata["help"].endswith(".") for field in fields)
    with gin.unlock_config():
        gin.parse_config(f"pipelines.{build.__name__}.num_processes = 1")
        with pytest.raises(ValueError, match="bogus"):
            gin.parse_config(f"{build.__name__}.bogus = 1")
        with pytest.raises(ValueError, match="overwrite"):
            gin.parse_config(f"{build.__name__}.overwrite = True")
        gin.clear_config()
