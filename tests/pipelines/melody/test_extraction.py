import note_seq
import pytest

from pipelines.melody import extraction
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
    melodies, rejections = extraction.extract_melodies(sequence, settings(**changes))
    return [list(m.classes) for m in melodies], [r.reason for r in rejections]


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
    melodies, _ = extraction.extract_melodies(score(line(SCALE * 3, 0.5), meter=(6, 8)), settings())
    assert [(m.steps_per_bar, len(m.classes)) for m in melodies] == [(12, 48)]


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


def test_a_change_of_meter_splits_the_score():
    sequence = score(line(SCALE + SCALE[:6]))
    sequence.time_signatures.add(numerator=3, denominator=4, time=4.0)
    melodies, reasons = extraction.extract_melodies(sequence, settings())
    assert [(m.steps_per_bar, len(m.classes)) for m in melodies] == [(16, 32), (12, 24)]
    assert not reasons


def test_a_change_of_tempo_splits_the_score():
    sequence = score(line(SCALE))
    for pitch, start, end in line(SCALE):
        sequence.notes.add(pitch=pitch, start_time=4 + start, end_time=4 + end, velocity=80)
    sequence.tempos.add(qpm=60, time=4.0)
    melodies, _ = extract(sequence)
    assert melodies[0] == melodies[1]


@pytest.mark.parametrize(
    ("sequence", "changes", "reason"),
    [
        (score(line(SCALE)), {"min_bars": 3}, "too few bars"),
        (score(line([60, 62] * 8)), {"min_unique_pitches": 3}, "too few unique pitches"),
        (score(line(SCALE), meter=(7, 32)), {}, "bar is not a whole number of steps"),
        (score(line(SCALE), meter=(4, 3)), {}, "cannot be quantised"),
        (score([(60, 0, 1e9)]), {}, "too long"),
        (score([]), {}, "no notes"),
    ],
)
def test_rejection_reasons(sequence, changes, reason):
    assert extract(sequence, **changes) == ([], [reason])


def test_long_melodies_are_cut_to_whole_bars():
    waltz = score(line(SCALE * 8), meter=(3, 4))
    assert len(extract(waltz, max_steps=100)[0][0]) == 96
    assert len(extract(waltz, max_steps=0)[0][0]) == 264
