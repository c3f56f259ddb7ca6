"""What are synthetic residents and their streets called?

Pools are the lists of Faker's id_ID provider (MIT), read as data. Every function turns 16-bit random words into text.
"""

from __future__ import annotations

from faker.providers.person.id_ID import Provider

_SCALE = 16  # a word has 16 bits: (word * len(pool)) >> 16 picks without division
_FEW = 12  # what is left of a word once four bits chose the pattern

REFORM_YEAR = 1972
"""Until the spelling reform of this year Suharto was written Soeharto, Cahyo Tjahjo and Joko Djoko."""


def _pool(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.upper() for name in names))


_MEN = _pool(*Provider.first_names_male)
_WOMEN = _pool(*Provider.first_names_female)
_LAST_MEN = _pool(*Provider.last_names_male)
_LAST_WOMEN = _pool(*Provider.last_names_female)
_DEGREES = _pool(*Provider.suffixes)
_MUHAMMAD = (
    *("MUHAMMAD", "MUHAMMAD", "MUHAMAD", "MOHAMMAD", "MOHAMAD", "MOCHAMAD", "MOCHAMMAD", "MUCHAMAD"),
    *("MOH.", "MOHD.", "MUH.", "MUHD.", "MOCH.", "M.", "AHMAD", "ABDUL"),
)
_SITI = ("SITI", "SITI", "SITI", "SRI", "NUR", "NUR", "DEWI", "DWI", "EKA", "TRI", "NI LUH", "R.A.")
_STREETS = _pool(
    *("Merdeka", "Jenderal Sudirman", "Diponegoro", "Ahmad Yani", "Gajah Mada", "Pahlawan", "Kartini", "Imam Bonjol"),
    *(
        "Teuku Umar",
        "Hasanuddin",
        "Pattimura",
        "Veteran",
        "Pemuda",
        "Raya Pasar",
        "Melati",
        "Mawar",
        "Kenanga",
        "Anggrek",
    ),
    *(
        "Cempaka",
        "Flamboyan",
        "Mangga",
        "Rambutan",
        "Cendana",
        "Kamboja",
        "Masjid",
        "Pesantren",
        "Sekolah",
        "Balai Desa",
    ),
    *("Trans Sulawesi", "Lintas Timur", "Pelabuhan", "Cenderawasih", "Garuda", "Rajawali", "Bahagia", "Gotong Royong"),
)
_HAMLETS = _pool(
    *("Krajan", "Sukamaju", "Sumberejo", "Karanganyar", "Tegalrejo", "Ngadirejo", "Sukasari", "Babakan", "Cikaret"),
    *("Pasir Putih", "Tanjung Harapan", "Mekar Jaya", "Sidomulyo", "Margomulyo", "Kampung Baru", "Kampung Tengah"),
    *("Lembah Hijau", "Batu Merah", "Air Panas", "Muara", "Ujung", "Tengah", "Lama", "Baru"),
)
_ESTATES = _pool(
    "Griya Asri", "Bumi Indah", "Taman Sari", "Pondok Permai", "Graha Kencana", "Villa Mutiara", "Puri Hijau"
)
_HONOURS = ("DR.", "IR.", "DRS.", "R.")

# Shapes by the low bits of a word: how often each occurs is how often it stands here.
_SHAPES_MEN = (*["alone"] * 2, *["muhammad"] * 2, "three", "bin", *["two"] * 10)
_SHAPES_WOMEN = (*["alone"] * 2, *["siti"] * 3, "binti", *["two"] * 10)
_ADDRESSES = (
    *["JL. {street} NO. {house}"] * 3,
    *("GG. {street} NO. {house}", "PERUM {estate} BLOK {block} NO. {house}"),
    *("DUSUN {hamlet}", "KP. {hamlet}", "DSN {hamlet}"),
)

_ADULT = 24
_PILGRIM = 45
# In 256 adults:
_OLD_SPELLING = 70  # of those born before the reform
_PILGRIMS = 246
_GRADUATES = 240
_HONOURED = 239


def name_man(first: int, last: int, more: int, birth_year: int, age: int) -> str:
    """A man's or boy's name in capitals, as on a card; `first`, `last` and `more` are random words."""
    shape = _SHAPES_MEN[first & 15]
    given = _MEN[(first >> 4) * len(_MEN) >> _FEW]
    if shape == "alone":
        name = given
    elif shape == "muhammad":
        name = f"{_MUHAMMAD[more & 15]} {given}"
    elif shape == "three":
        name = f"{given} {_MEN[more * len(_MEN) >> _SCALE]} {_LAST_MEN[last * len(_LAST_MEN) >> _SCALE]}"
    elif shape == "bin" and more & 3 == 0:
        name = f"{given} BIN {_MEN[last * len(_MEN) >> _SCALE]}"
    else:
        name = f"{given} {_LAST_MEN[last * len(_LAST_MEN) >> _SCALE]}"
    return name if age < _ADULT else _grown(name, more, birth_year, "H." if age >= _PILGRIM else "")


def name_woman(first: int, last: int, more: int, birth_year: int, age: int) -> str:
    """A woman's or girl's name in capitals, as on a card; `first`, `last` and `more` are random words."""
    shape = _SHAPES_WOMEN[first & 15]
    given = _WOMEN[(first >> 4) * len(_WOMEN) >> _FEW]
    if shape == "alone":
        name = given
    elif shape == "siti":
        name = f"{_SITI[more * len(_SITI) >> _SCALE]} {given}"
    elif shape == "binti" and more & 3 == 0:
        name = f"{given} BINTI {_MEN[last * len(_MEN) >> _SCALE]}"
    else:
        name = f"{given} {_LAST_WOMEN[last * len(_LAST_WOMEN) >> _SCALE]}"
    return name if age < _ADULT else _grown(name, more, birth_year, "HJ." if age >= _PILGRIM else "")


def _grown(name: str, more: int, birth_year: int, pilgrim: str) -> str:
    # Old spelling and titles, here and there: it is in these that a partner's text and the register's differ.
    chance = more >> 4 & 255
    if birth_year < REFORM_YEAR and chance < _OLD_SPELLING:
        return name.replace("J", "DJ").replace("Y", "J").replace("C", "TJ").replace("U", "OE")
    if chance >= _PILGRIMS and pilgrim:
        return f"{pilgrim} {name}"
    if chance >= _GRADUATES:
        return f"{name}, {_DEGREES[(more & 15) * len(_DEGREES) >> 4]}"
    if chance == _HONOURED:
        return f"{_HONOURS[more & 3]} {name}"
    return name


def name_address(word: int, number: int) -> str:
    """A street, alley, hamlet or estate with a house number, as a card shows it; both are random words."""
    form = _ADDRESSES[word & 7]
    return form.format(
        street=_STREETS[word * len(_STREETS) >> _SCALE],
        hamlet=_HAMLETS[word * len(_HAMLETS) >> _SCALE],
        estate=_ESTATES[word * len(_ESTATES) >> _SCALE],
        block="ABCDEFGH"[number >> 7 & 7],
        house=(number & 127) + 1,
    )
