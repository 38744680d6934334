import note_seq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_tuner.tasks.melody import encoding

CLASSES = st.lists(st.integers(0, encoding.NUM_CLASSES - 1), max_size=64)


def note_seq_notes(classes):
    one_hot = note_seq.MelodyOneHotEncoding(encoding.MIN_NOTE, encoding.MAX_NOTE)
    melody = note_seq.Melody([one_hot.decode_event(c) for c in classes])
    qpm = 60.0 / encoding.STEPS_PER_QUARTER
    return [
        (note.pitch, round(note.start_time), round(note.end_time))
        for note in melody.to_sequence(qpm=qpm).notes
    ]


def test_numbers_are_those_of_note_seq():
    one_hot = note_seq.MelodyOneHotEncoding(encoding.MIN_NOTE, encoding.MAX_NOTE)
    assert encoding.NUM_CLASSES == one_hot.num_classes == 38
    for melody_class in range(encoding.NUM_CLASSES):
        event = one_hot.decode_event(melody_class)
        assert encoding.encode_events([event]) == [melody_class]
    assert encoding.class_to_pitch(14) == 60
    assert encoding.pitch_to_class(83) == 37


@given(CLASSES)
def test_notes_are_those_of_note_seq(classes):
    assert encoding.notes_from_classes(classes) == note_seq_notes(classes)


def test_notes_of_a_melody_a_person_can_read():
    # silence, C for two steps, D cut off after one, a rest, D to the end
    classes = [0, 1, 14, 0, 16, 1, 0, 16, 0]
    assert encoding.notes_from_classes(classes) == [(60, 2, 4), (62, 4, 5), (62, 7, 9)]


@pytest.mark.parametrize("wrong", [-1, 38, 100])
def test_a_wrong_class_is_named(wrong):
    with pytest.raises(ValueError, match=f"class {wrong} "):
        encoding.notes_from_classes([14, wrong])
    with pytest.raises(ValueError, match=f"class {wrong} "):
        encoding.class_to_pitch(wrong)


@pytest.mark.parametrize("special", [encoding.NO_EVENT, encoding.NOTE_OFF])
def test_a_special_class_has_no_pitch(special):
    with pytest.raises(ValueError, match=f"class {special} "):
        encoding.class_to_pitch(special)


@pytest.mark.parametrize("pitch", [47, 84])
def test_a_pitch_out_of_range_is_named(pitch):
    with pytest.raises(ValueError, match=f"pitch {pitch} "):
        encoding.encode_events([pitch])
