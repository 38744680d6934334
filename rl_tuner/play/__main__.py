"""Opens a page for one run: make sequences, hear and see them, keep them.

python -m rl_tuner.play --run_dir=runs/psi_music
"""

from absl import flags

from rl_tuner.common import command_line
from rl_tuner.common.progress import working
from rl_tuner.common.quiet import loading


def main() -> None:
    """Run the command."""
    command_line.run(_define_flags, _run, usage=__doc__, positional="run_dir")


def _define_flags(values: flags.FlagValues) -> None:
    command_line.define_run_dir(values)
    flags.DEFINE_string(
        "host",
        "127.0.0.1",
        "Address to answer at; 0.0.0.0 for all of this machine, then for everybody who reaches it.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "port",
        8000,
        "Port of the server; 0 for any free one.",
        0,
        65_535,
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.common import trust
    from rl_tuner.common.run_folder import check_finished
    from rl_tuner.web import needs

    needs.check_installed(needs.SERVER, "the page")
    check_finished(values.run_dir)
    trust.check(values.run_dir, values.trust)
    from rl_tuner.web import server

    listening = server.bound(values.host, values.port)
    address = server.address_of(listening, values.host)
    with loading():
        from rl_tuner import api
        from rl_tuner.play.app import make_app, title_of
        from rl_tuner.play.maker import Maker

    with working("preparing the models"):
        maker = Maker(api.open_run(values.run_dir, trust=values.trust))
        maker.warm_up()
    # Another site, which a name server leads here, is refused by its name.
    everywhere = values.host in ("0.0.0.0", "::")
    hosts = ["*"] if everywhere else [values.host, "localhost", "127.0.0.1"]
    app = make_app(maker, title_of(values.run_dir), hosts)
    server.serve(app, listening, lambda: print(f"serving {address}", flush=True))


if __name__ == "__main__":
    main()
