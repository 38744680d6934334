import pytest

from rl_tuner.datasets import descriptions, licences, tfrecords, writer

ENCODING = {"num_classes": 3}


def test_a_description_is_put_together():
    made = descriptions.describe(
        kind="weather",
        encoding=ENCODING,
        class_histogram=[4, 0, 1],
        source=["builtin:nci", "mine"],
        settings={"split": "random"},
        inputs=9,
        reasons=["snow", "hail", "snow"],
        packages=["no-such-package"],
    )
    assert list(made) == [
        *("format", "kind", "encoding", "splits", "source", "licence", "settings", "inputs"),
        *("rejections", "class_histogram", "versions"),
    ]
    assert made["rejections"] == {"snow": 2, "hail": 1}
    assert list(made["licence"]) == ["builtin:nci"]
    assert made["versions"]["no-such-package"] == "absent"


def test_what_is_not_known_is_left_out():
    made = descriptions.describe(kind="weather", encoding=ENCODING, source=["mine"])
    assert made == {
        "format": 1,
        "kind": "weather",
        "encoding": ENCODING,
        "splits": {},
        "source": ["mine"],
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": 7}, "'kind' must be a str, not a int"),
        ({"encoding": {}}, "num_classes"),
        ({"encoding": {"num_classes": "3"}}, "num_classes"),
        ({"class_histogram": [1, 2]}, "2 entries for 3 classes"),
        ({"source": "mine"}, "'source' must be a list"),
        ({"rejections": ["snow"]}, "'rejections' must be a dict"),
    ],
)
def test_a_wrong_entry_is_named_before_anything_is_written(tmp_path, change, message):
    description = {"format": 1, "kind": "weather", "encoding": ENCODING} | change
    with pytest.raises(ValueError, match=message):
        writer.write_dataset(
            str(tmp_path / "d"),
            description,
            dict.fromkeys(writer.SPLITS, ()),
            [],
            num_shards=1,
            overwrite=False,
        )
    assert not (tmp_path / "d").exists()


def test_a_description_needs_a_kind():
    with pytest.raises(ValueError, match="lacks 'kind'"):
        descriptions.check({"encoding": ENCODING, "splits": {}})


def test_named_collections_have_a_licence():
    from pipelines.melody.tunes import FREE_MUSIC21_COLLECTIONS
    from pipelines.molecule.readers import BUILTIN_SETS

    named = [f"music21:{name}" for name in FREE_MUSIC21_COLLECTIONS]
    named += [f"builtin:{name}" for name in BUILTIN_SETS]
    assert licences.known_licences(["mine", *named]).keys() == set(named)


def test_losing_everything_leaves_a_list(tmp_path):
    rejections = [writer.Rejection("a", "snow"), writer.Rejection("b", "snow")]
    with pytest.raises(writer.UserError, match=r"no sun \(rejected: 2 snow\); .*d/rejected\.csv"):
        writer.refuse(str(tmp_path / "d"), "no sun", rejections)
    assert (tmp_path / "d" / "rejected.csv").read_text().splitlines()[1:] == ["a,snow,", "b,snow,"]
    # The next run may take its place, as if nothing stood there.
    with writer.whole_folder(str(tmp_path / "d"), overwrite=False) as folder:
        tfrecords.write_records(f"{folder}/x", [b"x"])
        writer.write_description(folder, {})
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == ["dataset.json", "x"]
