"""Prints a shell script that completes the commands' flags and the names of this program's gin files.

eval "$(python -m rl_tuner.completion bash)"
eval "$(python -m rl_tuner.completion zsh)"
"""

import importlib

from absl import flags

from rl_tuner.common import command_line
from rl_tuner.common.gin_files import shipped

COMMANDS = (
    "rl_tuner.train",
    "rl_tuner.pretrain",
    "rl_tuner.sweep",
    "rl_tuner.evaluate",
    "rl_tuner.generate",
    "rl_tuner.export",
    "rl_tuner.report",
    "rl_tuner.study",
    "rl_tuner.play",
    "rl_tuner.import_magenta",
    "rl_tuner.import_keras",
    "pipelines.midi_to_tfrecord",
    "pipelines.smiles_to_tfrecord",
    "pipelines.magenta_to_tfrecord",
)
_SCRIPT = """
_sequence_tutor() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" line="${{COMP_WORDS[*]}}" words="" names=""
    case "$line" in
{cases}
    esac
    if [[ -z "$words" ]]; then
        COMPREPLY=($(compgen -f -- "$current"))
    elif [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$current"))
    else
        COMPREPLY=($(compgen -W "$names" -- "$current") $(compgen -f -- "$current"))
    fi
}}
complete -o default -F _sequence_tutor python python3 {names}
"""
_ZSH = "autoload -U +X bashcompinit && bashcompinit\n"


def main() -> None:
    """Run the command."""
    command_line.run(_define_flags, _run, usage=__doc__, positional="shell")


def _define_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_enum("shell", "bash", ["bash", "zsh"], "Shell for the script.", flag_values=values)


def _run(values: flags.FlagValues) -> None:
    print((_ZSH if values.shell == "zsh" else "") + script())


def script() -> str:
    """Return the completion script for bash, and for zsh with bashcompinit."""
    cases = []
    for module in COMMANDS:
        found = flags_of(module)
        gin_files = " ".join(shipped()) if "--gin_file=" in found else ""
        pattern = f"*{module}*|{short_name(module)}\\ *"
        cases.append(f'        {pattern}) words="{" ".join(found)}" names="{gin_files}" ;;')
    names = " ".join(map(short_name, COMMANDS))
    return _SCRIPT.format(cases="\n".join(cases), names=names)


def short_name(module: str) -> str:
    """Return the name of an installed command, such as st-train."""
    return "st-" + module.rpartition(".")[2].replace("_", "-")


def flags_of(module: str) -> list[str]:
    """Return a command's flags as they are typed: --count= for one with a value, else --overwrite."""
    values = flags.FlagValues()
    found = importlib.import_module(module)
    if not hasattr(found, "_define_flags"):
        # A package has its command in a file of its own.
        found = importlib.import_module(f"{module}.__main__")
    found._define_flags(values)
    typed = [f"--{name}" if values[name].boolean else f"--{name}=" for name in sorted(values)]
    version = [] if "version" in values else ["--version"]
    return [*typed, "--log=", "--help", *version]


if __name__ == "__main__":
    main()
