import note_seq
import pytest

from pipelines.melody import extraction, lines
from rl_tuner.tasks.melody import encoding

SCALE = [60, 62, 64, 65, 67, 69, 71, 72]


def settings(**changes):
    values = {
        "polyphony": "skyline",
        "gap_bars": 1.0,
        "min_bars": 1,
        "min_unique_pitches": 1,
        "max_steps": 512,
    }
    return extraction.ExtractionSettings(**(values | changes))


def score(notes, *, meter=(4, 4), qpm=120.0):
    """Returns a score of (pitch, start, end[, instrument]) in quarters."""
    sequence = note_seq.NoteSequence()
    sequence.tempos.add(qpm=qpm)
    sequence.time_signatures.add(numerator=meter[0], denominator=meter[1])
    for pitch, start, end, *instrument in notes:
        sequence.notes.add(
            pitch=pitch,
            start_time=start * 60 / qpm,
            end_time=end * 60 / qpm,
            velocity=80,
            instrument=instrument[0] if instrument else 0,
        )
    return sequence


def line(pitches, quarters=1.0):
    return [(p, i * quarters, (i + 1) * quarters) for i, p in enumerate(pitches)]


def extract(sequence, **changes):
    result = extraction.extract_melodies(sequence, settings(**changes))
    return [list(m.classes) for m in result.melodies], [r.reason for r in result.rejections]


def bars_of(sequence, **changes):
    """Returns the steps per bar and the length of each melody."""
    melodies = extraction.extract_melodies(sequence, settings(**changes)).melodies
    return [(m.steps_per_bar, len(m.classes)) for m in melodies]


def pitches(classes):
    return [encoding.class_to_pitch(c) for c in classes if encoding.is_pitch(c)]


@pytest.mark.parametrize("shift", [-5, 0, 3, 7])
def test_every_key_becomes_c_and_lies_in_range(shift):
    (classes,), _ = extract(score(line([p + shift for p in SCALE])))
    assert [p % 12 for p in pitches(classes)] == [p % 12 for p in SCALE]
    assert all(encoding.MIN_NOTE <= p < encoding.MAX_NOTE for p in pitches(classes))


def test_the_end_is_padded_to_a_whole_bar():
    (classes,), _ = extract(score([*line(SCALE[:5]), (60, 5, 6)]))
    assert len(classes) == 32
    assert classes[-8:] == [encoding.NOTE_OFF] + [encoding.NO_EVENT] * 7


def test_triplets_fall_on_the_nearest_steps():
    (classes,), _ = extract(score(line([60, 62, 64, 65, 67, 69], 1 / 3)))
    assert classes[:8] == [14, 16, 0, 18, 19, 21, 0, 23]


def test_compound_meter():
    assert bars_of(score(line(SCALE * 3, 0.5), meter=(6, 8))) == [(12, 48)]


CHORDS = [(p - lower, i, i + 1) for i, p in enumerate(SCALE) for lower in (0, 4, 12)]


def test_polyphony_skip_and_skyline():
    assert extract(score(CHORDS), polyphony="skip") == ([], ["polyphonic"])
    assert extract(score(CHORDS)) == extract(score(line(SCALE)))


def test_skyline_drops_what_lies_under_a_held_note():
    held = [(72, 0, 4), (67, 4, 8)]
    accompaniment = [(60, 1, 2), (64, 2, 3), (60, 5, 6)]
    assert extract(score(held + accompaniment)) == extract(score(held))


@pytest.mark.parametrize("polyphony", extraction.POLYPHONY_CHOICES)
def test_legato_overlap_is_no_polyphony(polyphony):
    falling = [(p, i, i + 1.3) for i, p in enumerate(reversed(SCALE))]
    (classes,), reasons = extract(score(falling), polyphony=polyphony)
    assert len(pitches(classes)) == len(SCALE)
    assert not reasons


@pytest.mark.parametrize("polyphony", extraction.POLYPHONY_CHOICES)
def test_notes_too_fast_for_the_grid_are_no_polyphony(polyphony):
    ornament = [(74, 0, 0.1), (72, 0.1, 1), *((p, i, i + 1) for i, p in enumerate(SCALE) if i)]
    (classes,), reasons = extract(score(ornament), polyphony=polyphony)
    assert pitches(classes)[0] % 12 == 0
    assert not reasons


def test_instruments_are_searched_one_by_one():
    two = [*line(SCALE), *((p, s, e, 1) for p, s, e in line(SCALE[::-1]))]
    melodies, _ = extract(score(two))
    assert [m[0] for m in melodies] == [14, 26]


def test_silent_notes_and_drums_are_no_melody():
    sequence = score(line(SCALE))
    for note in sequence.notes:
        note.is_drum = True
    assert extract(sequence) == ([], ["no notes"])


def test_a_gap_ends_a_melody():
    gap = [*line(SCALE), *((p, s + 16, e + 16) for p, s, e in line(SCALE))]
    assert len(extract(score(gap))[0]) == 2
    assert len(extract(score(gap), gap_bars=4.0)[0]) == 1


def with_change(meter, quarter):
    sequence = score(line(SCALE + SCALE[:6]))
    sequence.time_signatures.add(
        numerator=meter[0], denominator=meter[1], time=quarter * SECONDS_PER_QUARTER
    )
    return sequence


SECONDS_PER_QUARTER = 0.5


@pytest.mark.parametrize("meter", [(3, 4), (2, 4), (7, 8), (7, 32), (4, 3), (0, 4)])
def test_a_change_of_meter_keeps_the_tune_whole(meter):
    melodies, reasons = extract(with_change(meter, 8))
    assert [pitches(m) for m in melodies] == [pitches(extract(score(line(SCALE * 2)[:14]))[0][0])]
    assert not reasons


def test_a_change_of_meter_splits_the_score_on_request():
    assert bars_of(with_change((3, 4), 8), split="metre") == [(16, 32), (12, 24)]
    cut = extract(with_change((3, 4), 8), split="metre", min_bars=3)
    assert cut == ([], ["too few bars between changes of metre"] * 2)


def test_a_melody_begins_at_a_bar_line_of_its_own_metre():
    sequence = score([(p, s + 6, e + 6) for p, s, e in line(SCALE)], meter=(2, 4))
    sequence.time_signatures.add(numerator=4, denominator=4, time=2 * SECONDS_PER_QUARTER)
    (classes,), _ = extract(sequence)
    assert classes[0] == 14


def test_tempo_says_nothing_about_the_steps():
    sequence = score(line(SCALE))
    for pitch, start, end in line(SCALE):
        sequence.notes.add(pitch=pitch, start_time=4 + start, end_time=4 + end, velocity=80)
    sequence.tempos.add(qpm=60, time=4.0)
    assert extract(sequence) == extract(score(line(SCALE * 2)))


@pytest.mark.parametrize("qpm", [0.0, -1.0])
def test_an_impossible_tempo_is_none(qpm):
    sequence = score(line(SCALE))
    sequence.tempos[0].qpm = qpm
    assert extract(sequence) == extract(score(line(SCALE)))


def test_a_late_first_tempo_holds_from_there():
    sequence = score(line(SCALE))
    sequence.tempos[0].qpm, sequence.tempos[0].time = 60, 100.0
    assert extract(sequence) == extract(score(line(SCALE)))


@pytest.mark.parametrize(
    ("sequence", "changes", "reason"),
    [
        (score(line(SCALE)), {"min_bars": 3}, "too few bars"),
        (score(line([60, 62] * 8)), {"min_unique_pitches": 3}, "too few unique pitches"),
        (score(line(SCALE), meter=(7, 32)), {}, "bar is not a whole number of steps"),
        (score([(60, 0, 1e9)]), {}, "too long"),
        (score([]), {}, "no notes"),
        (score(line([40, 62, 64, 65, 67, 90])), {}, "range too wide"),
    ],
)
def test_rejection_reasons(sequence, changes, reason):
    assert extract(sequence, **changes) == ([], [reason])


def test_what_a_silence_parts_is_said_to_be():
    gap = [*line(SCALE), *((p, s + 16, e + 16) for p, s, e in line(SCALE))]
    assert extract(score(gap), min_bars=3) == ([], ["too few bars between silences"] * 2)


def counts(sequence, **changes):
    result = extraction.extract_melodies(sequence, settings(**changes))
    return {name: count for name, count in result.counts.items() if count}


def test_every_loss_is_counted():
    assert counts(score(CHORDS)) == {lines.UNDER_HIGHER: 16}
    assert counts(score([(74, 0, 0.1), (72, 0.1, 1), *line(SCALE)[1:]])) == {lines.TOO_FAST: 1}
    assert counts(score(line(SCALE * 8)), max_steps=64) == {extraction.CUT: 1}
    assert counts(score([*line(SCALE), (60, 8, 8)])) == {extraction.SILENT: 1}
    wide = score(line([*SCALE * 5, 48, 86]))
    assert counts(wide) == {extraction.FOLDED: 1}
    assert extract(wide, max_moved=0)[1] == ["range too wide"]


def test_long_melodies_are_cut_to_whole_bars():
    waltz = score(line(SCALE * 8), meter=(3, 4))
    assert len(extract(waltz, max_steps=100)[0][0]) == 96
    assert len(extract(waltz, max_steps=0)[0][0]) == 264
