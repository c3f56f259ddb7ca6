"""How do the claims that were sent compare with the record?"""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.matching.bands import FLOORS, Band
from gateway.matching.compare import compare

MATCH, CLOSE, DIFFERENT, NOT_RECORDED = Band

CLAIMS = [*FLOORS, "family_card_number", "birth_date", "sex", "marital_status", "occupation"]
CLAIMS += ["rt", "rw", "province", "regency", "district", "village"]

MUHAMMADS = ["Moh.", "Mohd.", "Muh.", "M.", "Mochamad", "Mohammad", "Muhamad", "Moch.", "Mhd.", "M"]

NAMES = [
    # one name, written in another way
    ("siti aminah", "SITI AMINAH", MATCH),
    (" Siti  Aminah ", "SITI AMINAH", MATCH),
    ("SITI, AMINAH.", "SITI AMINAH", MATCH),
    ("Ma'ruf Amin", "MARUF AMIN", MATCH),
    ("K.H. Ma\N{RIGHT SINGLE QUOTATION MARK}ruf Amin", "MA`RUF AMIN", MATCH),
    ("NUR-AINI", "NUR AINI", MATCH),
    ("SUHARTO", "SOEHARTO", MATCH),
    ("CAHYO KUMOLO", "TJAHJO KOEMOLO", MATCH),
    ("Tjahyo Kumolo", "CAHYO KUMOLO", MATCH),
    ("DJOKO WIDODO", "JOKO WIDODO", MATCH),
    ("WIDJAJA", "WIJAYA", MATCH),
    ("SJAHRIR", "SYAHRIR", MATCH),
    ("SOEDIRMAN", "SUDIRMAN", MATCH),
    ("H. BUDI SANTOSO", "BUDI SANTOSO", MATCH),
    ("Hj. SITI AMINAH", "SITI AMINAH", MATCH),
    ("Dr. Ir. H. BUDI SANTOSO, S.H., M.M.", "BUDI SANTOSO", MATCH),
    ("BUDI SANTOSO SE", "BUDI SANTOSO, S.E.", MATCH),
    ("R. HARTONO", "HARTONO", MATCH),
    ("Drs. HARTONO", "Prof. HARTONO, Ph.D", MATCH),
    ("ALI BIN ABU", "ALI ABU", MATCH),
    ("SITI BINTI AHMAD", "SITI AHMAD", MATCH),
    *((f"{muhammad} RIZAL", "MUHAMMAD RIZAL", MATCH) for muhammad in MUHAMMADS),
    *((f"{muhammad} RIZAL", "MOHAMAD RIZAL", MATCH) for muhammad in MUHAMMADS),
    ("H.M.RIZAL", "HAJI MUHAMMAD RIZAL", MATCH),
    ("MOHAMAD", "MUHAMMAD", MATCH),
    ("José", "JOSE", MATCH),
    ("SUPARMAN (ALM)", "SUPARMAN", MATCH),
    # near, and taken for one person
    ("RIZKI RAMADHAN", "RISKY RAMADAN", CLOSE),
    ("SITI AMINA", "SITI AMINAH", CLOSE),
    ("ACHMAD FAUZI", "AHMAD FAUZY", CLOSE),
    ("ANISA SYARIFAH", "ANNISA SARIFAH", CLOSE),
    ("SUGIONO", "SUGIYONO", CLOSE),
    ("RINA WULANDRI", "RINA WULANDARI", CLOSE),
    ("KURNIWAN", "KURNIAWAN", CLOSE),
    ("A. RAHMAN", "ABDUL RAHMAN", CLOSE),
    ("A.RAHMAN", "ABDUL RAHMAN", CLOSE),
    ("BUDI S.", "BUDI SANTOSO", CLOSE),
    ("R. HARTONO", "RUDI HARTONO", CLOSE),
    ("M. RIZAL", "MARIA RIZAL", CLOSE),
    ("AMINAH SITI", "SITI AMINAH", CLOSE),
    ("SANTOSO, BUDI", "BUDI SANTOSO", CLOSE),
    ("RIZAL MUHAMMAD", "MOH RIZAL", CLOSE),
    ("NURHIDAYAH", "NUR HIDAYAH", CLOSE),
    ("ABDURRAHMAN", "ABDUL RAHMAN", CLOSE),
    ("ABDUSSALAM", "ABDUL SALAM", CLOSE),
    ("SOEKARJO RIZKI", "SUKARJO RIZKY", CLOSE),
    # two persons
    ("SITI AISYAH", "SITI AMINAH", DIFFERENT),
    ("YOKO", "JOKO", DIFFERENT),
    ("YOKO SUSANTO", "JOKO SUSANTO", DIFFERENT),
    ("YOKO SUSANTO", "DJOKO SUSANTO", DIFFERENT),
    ("BUDI SANTOSO", "RUDI SANTOSO", DIFFERENT),
    ("BUDI SANTOSO", "BUDI HARTONO", DIFFERENT),
    ("SUSANTO", "SUSANTI", DIFFERENT),
    ("SUPRIYANTO", "SUPRIYANTI", DIFFERENT),
    ("SUPARTO", "SUPARNO", DIFFERENT),
    ("SUYANTO", "SUYATNO", DIFFERENT),
    ("SUKARDI", "SUPARDI", DIFFERENT),
    ("HENDRA WIJAYA", "HENDRO WIJAYA", DIFFERENT),
    ("RIZKI PUTRA", "RIZKI PUTRI", DIFFERENT),
    ("SITI YULIANI", "SITI YULIANTI", DIFFERENT),
    ("HANDAYANI", "HANDAYANTI", DIFFERENT),
    ("MUHAMMAD AGUS", "MUHAMMAD BAGUS", DIFFERENT),
    ("ANI", "YANI", DIFFERENT),
    ("HERLINA", "HERLIANA", DIFFERENT),
    ("MUHAMMAD HASAN", "MUHAMMAD HUSEIN", DIFFERENT),
    ("ILHAM PRATAMA", "ILYAS PRATAMA", DIFFERENT),
    ("BUDI", "BUDI SANTOSO", DIFFERENT),
    ("SITI", "SITI AMINAH", DIFFERENT),
    ("B. RAHMAN", "ABDUL RAHMAN", DIFFERENT),
    ("A. R.", "ABDUL RAHMAN", DIFFERENT),
    ("A R", "ABDUL R", DIFFERENT),
    ("M", "MUHAMMAD", DIFFERENT),
    ("A", "AMINAH", DIFFERENT),
    ("MUHAMMAD", "MUHAMMAD RIZAL", DIFFERENT),
    ("JOEL", "YUL", DIFFERENT),
    ("SOEJONO", "SOEDJONO", DIFFERENT),
    ("AMINAH SITI", "SITI AISYAH", DIFFERENT),
    ("WULANDRI KURNIWAN", "WULANDARI KURNIAWAN", DIFFERENT),
    ("", "SITI AMINAH", DIFFERENT),
    ("...", "SITI AMINAH", DIFFERENT),
    ("李明", "王明", DIFFERENT),
]


@pytest.mark.parametrize(("sent", "recorded", "band"), NAMES)
def test_names_fall_into_their_band(sent, recorded, band):
    """Spellings of one name match or are close, names of two persons differ, whichever side wrote which."""
    assert compare({"name": sent}, {"name": recorded}) == {"name": band}
    if sent.strip("."):
        assert compare({"name": recorded}, {"name": sent}) == {"name": band}


OTHERS = [
    ("mother_name", "Hj. SITI AMINAH", "SITI AMINAH", MATCH),
    ("mother_name", "SITI AMINA", "SITI AMINAH", CLOSE),
    ("mother_name", "S. AMINAH", "SITI AMINAH", DIFFERENT),
    ("mother_name", "SITI AISYAH", "SITI AMINAH", DIFFERENT),
    ("birth_place", "BANDUNG", "KAB. BANDUNG", MATCH),
    ("birth_place", "KOTA BANDUNG", "BANDUNG", MATCH),
    ("birth_place", "Kabupaten Bandung", "KAB BANDUNG", MATCH),
    ("birth_place", "KOTA BANDUNG", "KAB. BANDUNG", CLOSE),
    ("birth_place", "KOTA BARU", "KOTABARU", CLOSE),
    ("birth_place", "SOERABAJA", "SURABAYA", MATCH),
    ("birth_place", "JOGJAKARTA", "YOGYAKARTA", MATCH),
    ("birth_place", "BANYUMASS", "BANYUMAS", CLOSE),
    ("birth_place", "SOLOK", "SOLO", DIFFERENT),
    ("birth_place", "MALANG", "MAGELANG", DIFFERENT),
    ("birth_place", "BANDUNG BARAT", "BANDUNG", DIFFERENT),
    ("birth_place", "BANYUWANGI", "BANYUMAS", DIFFERENT),
    ("birth_date", " 1990-05-05 ", "1990-05-05", MATCH),
    ("birth_date", "1990-05-06", "1990-05-05", DIFFERENT),
    ("birth_date", "1990-5-5", "1990-05-05", DIFFERENT),
    ("sex", "f", "F", MATCH),
    ("sex", "M", "F", DIFFERENT),
    ("marital_status", "Belum Kawin", "BELUM KAWIN", MATCH),
    ("marital_status", "CERAI-HIDUP", "CERAI HIDUP", MATCH),
    ("marital_status", "KAWIN", "BELUM KAWIN", DIFFERENT),
    ("occupation", "Belum / Tidak Bekerja", "BELUM/TIDAK BEKERJA", MATCH),
    ("occupation", "PETANI", "PETANI/PEKEBUN", DIFFERENT),
    ("rt", "1", "001", MATCH),
    ("rt", "RT 01", "001", MATCH),
    ("rt", "000", "0", MATCH),
    ("rw", "2", "012", DIFFERENT),
    ("rw", "RW", "000", DIFFERENT),
    ("rw", "1", "RW.", NOT_RECORDED),
    ("regency", "74.02", "7402", MATCH),
    ("regency", "7403", "7402", DIFFERENT),
    ("village", "7402152001", "7402152010", DIFFERENT),
    ("family_card_number", "7402151212120001", "7402151212120001", MATCH),
    ("family_card_number", "7402151212120002", "7402151212120001", DIFFERENT),
    ("address", "Jalan Merdeka No. 5", "JL MERDEKA 05", MATCH),
    ("address", "JLN. AHMAD YANI NO.10A", "JL AHMAD YANI 10 A", MATCH),
    ("address", "Gg. Mawar III No 2", "GANG MAWAR 3/2", MATCH),
    ("address", "PERUM GRIYA INDAH BLOK C-3 NO.12", "PERUMAHAN GRIYA INDAH BLK C3/12", MATCH),
    ("address", "JL JEND. SUDIRMAN 1", "JL SUDIRMAN NO 1", MATCH),
    ("address", "JL MAWAR 5 RT 1/2", "JL. MAWAR NO. 5 RT.001 RW.002", MATCH),
    ("address", "JL MAWAR 5 RT 01 RW 02", "JL MAWAR 5", CLOSE),
    ("address", "NO 5 BLOK C", "BLOK C NO 5", CLOSE),
    ("address", "JL MERDEKKA 5", "JL MERDEKA 5", CLOSE),
    ("address", "JL DIPONEGRO 5", "JL DIPONEGORO 5", CLOSE),
    ("address", "JL MERDEKA 5", "JL MERDEKA 6", DIFFERENT),
    ("address", "JL MERDEKA 5", "JL MERDEKA 5A", DIFFERENT),
    ("address", "JL MERDEKA", "JL MERDEKA 5", DIFFERENT),
    ("address", "JL MAWAR 5", "JL MELATI 5", DIFFERENT),
    ("address", "GANG MAWAR 5", "JL MAWAR 5", DIFFERENT),
    ("address", "JL MAWAR 5 RT 1/3", "JL MAWAR 5 RT 1/2", DIFFERENT),
    ("address", "PERUM A BLOK H 5", "PERUM A BLOK R 5", DIFFERENT),
    ("address", "DUSUN KRAJAN UTARA", "DUSUN KRAJAN SELATAN", DIFFERENT),
    ("address", "JL MAWAR", "JL. -", NOT_RECORDED),
]


@pytest.mark.parametrize(("claim", "sent", "recorded", "band"), OTHERS)
def test_other_claims_fall_into_their_band(claim, sent, recorded, band):
    """Places and addresses have their own folds, numbers ignore leading zeros, dates and codes are exact."""
    assert compare({claim: sent}, {claim: recorded}) == {claim: band}


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("record", [{}, "", " ", "-", "--", " - ", "..."])
def test_what_the_record_lacks_is_not_recorded(claim, record):
    """A claim that the record lacks, or holds as a dash, is not recorded, even when the same dash is sent."""
    recorded = record if isinstance(record, dict) else {claim: record}
    assert compare({claim: "X"}, recorded) == {claim: NOT_RECORDED}
    assert compare({claim: "-"}, recorded) == {claim: NOT_RECORDED}


def test_only_claims_sent_are_compared_in_their_order():
    """The bands are those of the claims that were sent, in that order; the rest of the record is not looked at."""
    recorded = {"name": "BUDI", "sex": "M", "rt": "001"}
    assert list(compare({"rt": "2", "name": "Budi"}, recorded).items()) == [("rt", DIFFERENT), ("name", MATCH)]
    assert compare({}, recorded) == {}


TEXTS = st.text(max_size=200) | st.text("AHJMORSTCEDY. ,'-5", max_size=40)
LIKE = "SITI AMINAH BUDI JOKO DJOKO TJAHJO SOEHARTO RIZKI ABDUL RAHMAN MUHAMMAD NUR YULIANTI PANJI CHAIRUL A WIDJAJA"
BEFORE = "H. Hj. Dr. dr. Ir. Drs. Dra. Prof. KH K.H. R. Rr. Raden"
BEHIND = "S.H. M.M. S.E. S.Pd. S.Kom. M.Si. Ph.D S.Ag Sp.OG SH"
WORDS = st.sampled_from(LIKE.split())
PEOPLE = st.lists(WORDS, min_size=1, max_size=5)


@settings(deadline=None)  # a busy machine is no fault
@given(st.sampled_from(tuple(CLAIMS)), TEXTS)
@example("name", "\ud800 \x00")
def test_every_text_matches_itself(claim, text):
    """Whatever is recorded matches itself, unless nothing is."""
    assert compare({claim: text}, {claim: text})[claim] in {MATCH, NOT_RECORDED}


@settings(deadline=None)  # a busy machine is no fault
@given(st.sampled_from(tuple(CLAIMS)), TEXTS, TEXTS)
def test_the_band_does_not_depend_on_who_wrote_which(claim, one, other):
    """Two texts have one band in either direction, as long as both say something."""
    there, back = compare({claim: one}, {claim: other})[claim], compare({claim: other}, {claim: one})[claim]
    assert there is back or NOT_RECORDED in {there, back}


@settings(deadline=None)  # a busy machine is no fault
@given(PEOPLE, PEOPLE)
def test_names_have_one_band_in_either_direction(one, other):
    """Two names built of like words have one band in either direction."""
    left, right = " ".join(one), " ".join(other)
    assert compare({"name": left}, {"name": right}) == compare({"name": right}, {"name": left})


@settings(deadline=None)  # a busy machine is no fault
@given(
    PEOPLE,
    st.lists(st.sampled_from(BEFORE.split()), max_size=3),
    st.lists(st.sampled_from(BEHIND.split()), max_size=3),
    st.sampled_from([str.lower, str.title, str.upper]),
    st.sampled_from([" ", "  ", " - ", "-", " . ", "\t"]),
)
def test_match_does_not_depend_on_case_punctuation_or_titles(words, before, after, case, between):
    """A name matches itself in any case, with titles before and degrees behind, and other marks between its words."""
    sent = case(" ".join([*before, between.join(words)]) + "".join(f", {degree}" for degree in after))
    assert compare({"name": sent}, {"name": " ".join(words)}) == {"name": MATCH}


@settings(deadline=None)  # a busy machine is no fault
@given(PEOPLE.filter(lambda words: len(words) > 1), st.randoms(use_true_random=False))
def test_another_order_of_words_is_never_worse_than_close(words, random):
    """The words of a name in another order are close, or a match where the order reads the same."""
    shuffled = list(words)
    random.shuffle(shuffled)
    assert compare({"name": " ".join(shuffled)}, {"name": " ".join(words)})["name"] in {MATCH, CLOSE}


@settings(deadline=None)  # a busy machine is no fault
@given(st.text(st.characters(categories=["L"]), min_size=1, max_size=200))
def test_case_never_matters(text):
    """Upper and lower case of any script match."""
    assert compare({"name": text.lower()}, {"name": text.upper()})["name"] is MATCH
