"""Where a file keeps its SMILES strings: delimiters, columns, headers and quotes."""

import gzip

import pytest

from pipelines.molecule import readers
from rl_tuner.common.errors import UserError

CINEOLE, ANISOLE, INDOLE = "CC12CCC(CC1)C(C)(C)O2", "COc1ccccc1", "c1ccc2[nH]ccc2c1"


def read(folder, name, data, column=""):
    """Returns the SMILES strings, the names and the (reason, detail) of what was rejected."""
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    entries, rejections = readers.list_entries(
        [str(folder / name)], recursive=True, column=column, max_bytes=10**6
    )
    texts = [entry.text for entry in entries]
    return texts, [entry.name for entry in entries], [(r.reason, r.detail) for r in rejections]


@pytest.mark.parametrize(
    "text",
    [
        f"{CINEOLE} eucalyptol\n{ANISOLE} methoxy benzene\n",
        f"\n  {CINEOLE}\teucalyptol \n\n{ANISOLE}  methoxy   benzene",
        f"smiles name\n{CINEOLE} eucalyptol\n{ANISOLE} methoxy benzene\n",
        f"#SMILES\tName\n{CINEOLE}\teucalyptol\n{ANISOLE}\tmethoxy benzene\n",
        f"Canonical SMILES\tName\n{CINEOLE}\teucalyptol\n{ANISOLE}\tmethoxy benzene\n",
        f"eucalyptol\t{CINEOLE}\nmethoxy benzene\t{ANISOLE}\n",
        f"eucalyptol {CINEOLE}\nmethoxy benzene {ANISOLE}\n",
        f"Name,SMILES\neucalyptol,{CINEOLE}\nmethoxy benzene,{ANISOLE}\n",
        f"eucalyptol;{CINEOLE}\nmethoxy benzene;{ANISOLE}\n",
        f"{CINEOLE}, eucalyptol\n{ANISOLE}, methoxy benzene\n",
        f"{CINEOLE};eucalyptol\r\n{ANISOLE};methoxy benzene\r\n",
        f"{CINEOLE} eucalyptol\r{ANISOLE} methoxy benzene\r",
    ],
)
@pytest.mark.parametrize("ending", ["smi", "smiles", "txt"])
def test_a_list_is_read_in_any_order_and_with_any_delimiter(tmp_path, text, ending):
    texts, names, rejections = read(tmp_path, f"a.{ending}", text)
    assert texts == [CINEOLE, ANISOLE]
    assert names == ["eucalyptol", "methoxy benzene"]
    assert rejections == []


def test_a_header_decides_where_names_are_molecules_too(tmp_path):
    # N and CN are names here, and the strings stand behind them.
    texts, names, _ = read(tmp_path, "a.smi", "Residue SMILES\nN OCCO\nCN OCCN\n")
    assert (texts, names) == (["OCCO", "OCCN"], ["N", "CN"])
    # Without a header the string stands first.
    assert read(tmp_path, "b.smi", "N OCCO\nCN OCCN\n")[0] == ["N", "CN"]


def test_a_header_that_nobody_knows_is_told(tmp_path):
    texts, _, _ = read(tmp_path, "a.smi", f"Structure Code\n{CINEOLE} 1\n{ANISOLE} 2\n")
    assert texts == ["Structure", CINEOLE, ANISOLE]


def test_bad_lines_do_not_move_the_column(tmp_path):
    lines = ["C1CC broken", "CC(C)(C)(C)C five", f"{ANISOLE} good", "C(( open"]
    assert read(tmp_path, "a.smi", "\n".join(lines))[0] == [line.split()[0] for line in lines]


def test_prose_is_no_list_of_molecules(tmp_path):
    texts, _, rejections = read(tmp_path, "README.txt", "I found this.\nNo licence.\nSee CCO.\n")
    assert (texts, rejections) == ([], [("not a list of SMILES", "")])


@pytest.mark.parametrize(
    "text",
    [
        "id,smiles\n1,{}\n2,{}\n",
        "id\tsmiles\n1\t{}\n2\t{}\n",
        "id;smiles;logP\n1;{};1,5\n2;{};2,5\n",
        "sep=;\nid;Smiles\n1;{}\n2;{}\n",
        "id smiles\n1 {}\n2 {}\n",
        " , SMILES ,split\n0,{},train\n1,{},test\n",
        '"smiles","y"\n"1","{}",3\n"2","{}",4\n',
        "smiles,y,\n{},1,\n{},2,\n",
        "Molecule ChEMBL ID,Canonical SMILES,Smiles Source\nA,{},x\nB,{},y\n",
        "rdkit_smiles,score\n{},1\n{},2\n",
        "Drug_ID,Drug,Y\n1,{},1\n2,{},2\n",
        "{},1.5\n{},2.5\n",
        "1.5\t{}\n2.5\t{}\n",
        "{}\n{}\n",
    ],
)
@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_a_table_is_read_whatever_its_ending_and_header(tmp_path, text, ending):
    texts, _, rejections = read(tmp_path, f"a.{ending}", text.format(CINEOLE, ANISOLE))
    assert (texts, rejections) == ([CINEOLE, ANISOLE], [])


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("SMILES,smiles", 1),
        ("smiles,canonical_smiles", 0),
        ("isomeric_smiles,canonical_smiles", 1),
        ("IsomericSMILES,CanonicalSMILES", 1),
    ],
)
def test_of_several_columns_the_best_name_wins_and_that_is_told(tmp_path, capsys, header, chosen):
    cells = [CINEOLE, ANISOLE]
    texts, _, _ = read(tmp_path, "a.csv", f"{header}\n{cells[0]},{cells[1]}\n")
    assert texts == [cells[chosen]]
    assert f"{header.split(',')[chosen]!r} is read" in capsys.readouterr().err


@pytest.mark.parametrize("header", ["SMILES,Smiles", "ligand_smiles,pocket_smiles"])
def test_columns_that_are_equally_good_are_an_error(tmp_path, header):
    with pytest.raises(UserError, match=rf"several columns of SMILES.*{header.split(',')[1]}"):
        read(tmp_path, "a.csv", f"{header}\n{CINEOLE},{ANISOLE}\n")


def test_a_column_goes_by_its_number_where_it_has_no_name(tmp_path):
    text = f"{CINEOLE},{ANISOLE}\n{ANISOLE},{CINEOLE}\n"
    with pytest.raises(UserError, match="no column 'smiles'"):
        read(tmp_path, "a.csv", text)
    assert read(tmp_path, "a.csv", text, column="2")[0] == [ANISOLE, CINEOLE]
    assert read(tmp_path, "b.csv", f"x,y\n{text}", column="1")[0] == [CINEOLE, ANISOLE]
    with pytest.raises(UserError, match="no column '3'"):
        read(tmp_path, "a.csv", text, column="3")


def test_an_unclosed_quote_costs_its_row_only(tmp_path):
    text = (
        "id,note,smiles\n"
        f'1,"says ""hello"", twice",{CINEOLE}\n'
        f'"2,never closed,{INDOLE}\n'
        f'3,6" wide,{ANISOLE}\n'
        f'4,"two\nlines",{INDOLE}\n'
        f'5,"open,{ANISOLE}\n'
        f'6,"ope"n,{ANISOLE}\n'
        f'7,closed",{CINEOLE}\n'
    )
    texts, _, rejections = read(tmp_path, "a.csv", text)
    assert texts == [CINEOLE, ANISOLE, INDOLE, CINEOLE]
    assert [detail.split(":")[0] for _, detail in rejections] == ["line 3", "line 7", "line 8"]
    assert {reason for reason, _ in rejections} == {"unreadable row"}


def test_a_row_with_too_many_cells_is_not_read_from_the_wrong_one(tmp_path):
    text = f"smiles,name\n{CINEOLE},1,8-cineole\n{ANISOLE},anisole\n"
    texts, _, rejections = read(tmp_path, "a.csv", text)
    assert texts == [ANISOLE]
    assert rejections == [("unreadable row", "line 2: 3 cells, not 2")]


def test_cells_that_mean_nothing_are_told(tmp_path):
    rows = "".join(
        f"{n},{cell}\n" for n, cell in enumerate(["", "NaN", "none", "N/A", "-", "NULL"])
    )
    texts, _, rejections = read(tmp_path, "a.csv", f"id,smiles\n{rows}7,{ANISOLE}\n8\n")
    assert texts == [ANISOLE]
    assert [reason for reason, _ in rejections] == ["no SMILES"] * 7


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"]
)
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r", "\r\r\n"])
def test_any_encoding_and_line_end_will_do(tmp_path, encoding, ends):
    if ends == "\r\r\n" and encoding.startswith("utf-"):
        pytest.skip("two conversions leave no other encoding")
    text = ends.join(["Name,SMILES", f"cinéole,{CINEOLE}", f"anisole,{ANISOLE}", ""])
    texts, _, rejections = read(tmp_path, "a.csv", text.encode(encoding))
    assert (texts, rejections) == ([CINEOLE, ANISOLE], [])


def test_gzip_is_known_by_its_content(tmp_path):
    data = f"{CINEOLE} a\n".encode()
    for name, content in [
        ("a.smi", gzip.compress(data)),
        ("a.smi.gz", data),
        ("b.smi.gz", gzip.compress(data)),
        ("c.smi", gzip.compress(data[:5]) + gzip.compress(data[5:])),
    ]:
        assert read(tmp_path, name, content)[0] == [CINEOLE], name
    assert read(tmp_path, "d.smi", gzip.compress(data)[:-4])[2][0][0] == "unreadable gzip"


def test_a_header_that_cannot_be_read_is_told(tmp_path):
    texts, _, rejections = read(tmp_path, "a.csv", f'id,"smiles\n1,{CINEOLE}\n')
    assert (texts, rejections) == ([], [("unreadable header", "")])
