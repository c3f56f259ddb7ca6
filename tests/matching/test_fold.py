"""What is left of a written text?"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.matching import fold
from gateway.matching.spelling import forms, run_together, same_word, sound


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("siti aminah", "SITI AMINAH"),
        ("  Siti   AMINAH ", "SITI AMINAH"),
        ("Ma'ruf", "MARUF"),
        ("Ma\N{RIGHT SINGLE QUOTATION MARK}ruf", "MARUF"),
        ("Ma\N{ACUTE ACCENT}ruf", "MARUF"),
        ("Jos\N{LATIN SMALL LETTER E WITH ACUTE}", "JOSE"),
        ("Nur-Hidayah", "NUR HIDAYAH"),
        ("José Müller", "JOSE MULLER"),
        ("Ørsted Łukasz", "ORSTED LUKASZ"),
        ("H. Budi", "BUDI"),
        ("Hj. Dra. Siti Aminah, M.M.", "SITI AMINAH"),
        ("Prof. Dr. Ir. H. Joko Susilo, M.Sc., Ph.D.", "JOKO SUSILO"),
        ("dr. Budi Santoso, Sp.OG", "BUDI SANTOSO"),
        ("K.H. Abdul Latif", "ABDUL LATIF"),
        ("K. H. Abdul Latif", "ABDUL LATIF"),
        ("KH Abdul Latif", "ABDUL LATIF"),
        ("R. Hartono", "HARTONO"),
        ("Rr. Sri Lestari", "SRI LESTARI"),
        ("Raden Hartono", "HARTONO"),
        ("R.A. Kartini", "KARTINI"),
        ("Budi Santoso S.H.", "BUDI SANTOSO"),
        ("Budi Santoso SH MM", "BUDI SANTOSO"),
        ("Budi Santoso, S. Kom", "BUDI SANTOSO"),
        ("Budi Santoso, S.Pd.I., M.Pd.", "BUDI SANTOSO"),
        ("Budi Santoso , Drs., H.", "BUDI SANTOSO"),
        ("Budi Santoso, M.A.", "BUDI SANTOSO"),
        ("Budi Santoso, Ph. D.", "BUDI SANTOSO"),
        ("Suparman (Alm)", "SUPARMAN"),
        ("Ali bin Abu Talib", "ALI ABU TALIB"),
        ("Siti binti Ahmad", "SITI AHMAD"),
        ("Moh. Ali", "MUHAMMAD ALI"),
        ("H.Mohd.Ali", "MUHAMMAD ALI"),
        ("Nur Mochamad", "NUR MUHAMMAD"),
        ("A.Rahman", "A RAHMAN"),
        ("M.M. Anwar", "M M ANWAR"),
        ("H.", "H"),
        ("Ir", "IR"),
        ("S.H.", "S H"),
        ("Li Ma", "LI MA"),
        ("", ""),
        ("...", ""),
        (" , ", ""),
    ],
)
def test_names_fold_to_their_words(text, words):
    """A name keeps its words in order, without case, marks, titles, degrees and bin/binti, and at least one of them."""
    assert fold.name(text) == words.split()


def test_a_leading_initial_can_be_kept():
    """Asked to, the fold keeps a leading H. or R., which may be a name's initial, and still drops other titles."""
    assert fold.name("Dr. R. Hartono", titled=True) == ["R", "HARTONO"]


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("KAB. BANDUNG", "KABUPATEN", "BANDUNG"),
        ("Kabupaten Bandung", "KABUPATEN", "BANDUNG"),
        ("kota bandung", "KOTA", "BANDUNG"),
        ("KODYA BANDUNG", "KOTA", "BANDUNG"),
        ("KOTABARU", "", "KOTABARU"),
        ("KOTA", "", "KOTA"),
        ("JOGJAKARTA", "", "YOGYAKARTA"),
    ],
)
def test_places_part_with_their_kind(text, kind, words):
    """A place's kind stands apart from its name; a name that only begins like a kind is left whole."""
    assert fold.place(text) == (kind, words.split())


@pytest.mark.parametrize(
    ("text", "words", "signs", "quarter"),
    [
        ("Jl. Merdeka No. 05", "MERDEKA", "5", []),
        ("JLN MERDEKA NO 5A", "MERDEKA", "5 A", []),
        ("Jalan Merdeka 5-A", "MERDEKA", "5 A", []),
        ("GG. MAWAR III NO 2", "GANG MAWAR", "3 2", []),
        ("Blk C3/12 Perum Griya", "BLOK PERUMAHAN GRIYA", "C 3 12", []),
        ("JL MAWAR RT 001 RW 02", "MAWAR", "", [1, 2]),
        ("JL MAWAR RT.001/RW.002 NO 7", "MAWAR", "7", [1, 2]),
        ("JL MAWAR RT/RW 01/02", "MAWAR", "", [1, 2]),
        ("JL MAWAR RT01/02", "MAWAR", "", [1, 2]),
        ("RT 5", "", "", [5]),
    ],
)
def test_addresses_fold_to_words_signs_and_quarter(text, words, signs, quarter):
    """An address parts into words written out, what tells doors apart, and its RT and RW as numbers."""
    assert fold.address(text) == (words.split(), signs.split(), quarter)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SOEHARTO", "SUHARTO"),
        ("TJAHJO", "CAHYO"),
        ("DJOKO", "JOKO"),
        ("KOEMOLO", "KUMOLO"),
        ("WIDJAJA", "WIJAYA"),
        ("SJAHRIR", "SYAHRIR"),
        ("JOESOEF", "YUSUF"),
        ("NJOMAN", "NYOMAN"),
        ("CHAIRIL", "KHAIRIL"),
        ("SOEKARJO", "SUKARJO"),
        ("SANDJAJA", "SANJAYA"),
        ("SOEDJOKO", "SOEJOKO"),
    ],
)
def test_old_spelling_is_the_same_word(old, new):
    """A word in old spelling is the word in modern spelling, whichever side wrote it."""
    assert same_word(old, new) == same_word(new, old) == (old != "SOEDJOKO")


@pytest.mark.parametrize(
    ("one", "other"), [("JOKO", "YOKO"), ("JOEL", "YUL"), ("CHAN", "KHAN"), ("PANJI", "PANYI"), ("SUJONO", "SUYONO")]
)
def test_folding_old_spelling_does_not_corrupt(one, other):
    """A letter that is only perhaps old is left alone: Joko is never Yoko."""
    assert not same_word(one, other)
    assert not set(forms(one)) & set(forms(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("RIZKI", "RISKY"),
        ("AMINAH", "AMINA"),
        ("SUGIYONO", "SUGIONO"),
        ("ANNISA", "ANISA"),
        ("SYARIFAH", "SARIPAH"),
        ("RAMADHAN", "RAMADAN"),
        ("ACHMAD", "AKHMAD"),
        ("ISHAQ", "ISAK"),
        ("SHINTA", "SINTA"),
        ("EVI", "EFI"),
    ],
)
def test_words_that_sound_alike_share_a_key(one, other):
    """Spellings of one sound have one key."""
    assert sound(one) == sound(other)


def test_words_written_together_share_a_key():
    """Words run together have the key of the words apart, assimilated Arabic articles too."""
    assert run_together(["ABDUL", "RAHMAN"]) == run_together(["ABDURAHMAN"])
    assert run_together(["NUR", "HIDAYAH"]) == run_together(["NURHIDAYAH"])


@settings(deadline=None)  # a busy machine is no fault
@given(st.text(max_size=200))
def test_folds_hold_for_any_text(text):
    """No text breaks a fold; words are never empty, and sound keeps one key a word."""
    words = fold.name(text)
    assert all(words)
    assert len(fold.name(text, titled=True)) >= len(words)
    if words:
        assert len(sound(" ".join(words))) == len(words)
    assert fold.plain(" ".join(fold.plain(text))) == fold.plain(text)
    fold.place(text)
    fold.address(text)
