#!/usr/bin/env bash
# Tunes a melody model that Magenta trained: examples/tune_imported.sh note_rnn.ckpt [name [flags of training]]
# docs/interchange.md says what can be imported, and where Magenta keeps its models; examples/to_magenta.py
# makes such a checkpoint of a prior of your own.
set -euo pipefail
checkpoint=${1:?usage: $0 CHECKPOINT_OR_BUNDLE [NAME [FLAGS]]}
name=${2:-imported}

python -m rl_tuner.import_magenta --checkpoint="$checkpoint" --output_dir="priors/$name"
python -m rl_tuner.train --gin_file=gin/psi_music.gin --run_dir="runs/$name" \
    --gin_param="job.prior = 'priors/$name'" "${@:3}"
python -m rl_tuner.generate --run_dir="runs/$name" --output_dir="out/$name" --count=10
