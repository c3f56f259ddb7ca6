"""Which words of a written name are not part of the name? Titles, degrees, bin/binti; and Muhammad's many spellings.

All upper-case and without dots: `S.Pd.I.` is SPDI.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LEADING = _words(
    "H HJ HJH HAJI HAJJAH HAJAH DR DRS DRA DRG DRH IR PROF KH KYAI KIAI UST USTAD USTADZ USTADZAH PDT "
    "R RR RD RA RM RADEN TN NY NN SDR SDRI BPK IBU ALM ALMH ALMARHUM ALMARHUMAH"
)
"""Stand before a name."""

INITIAL_LIKE = frozenset("HR")
"""Titles (Haji, Raden) that can as well be the initial of a name."""

DEGREES = _words(
    "SH MH MHUM SHUM SE MM MSE MSM SPD SPDI MPD MPDI SKOM MKOM SSI MSI MSC BSC PHD ST MT MENG STP SAG MAG SSOS MSOS "
    "SFIL SIKOM MIKOM SPSI MPSI PSIKOLOG SFARM APT SKEP MKEP NERS NS SKM MKES MKM SKED SKG SKH SPOG SPPD SPAN "
    "SPTHT AMD AMDKEB AMK AMKEB STRKEB STRKEP STRKES SSTP SST MBA MPA SHI MHI SEI MEI SSY MSY SSN MSN SDS MDS "
    "SPT SHUT MHUT SSTAT MSTAT SPAR SAB MAB CPA LLM ALM ALMH"
)
"""Stand after a name, dotted or not."""

DOTTED_DEGREES = DEGREES | _words("MA BA CA AK SP SPI SIP MIP SAP MAP SPA SPB SPM LC DEA DESS DPL")
"""Degrees, and those that look like a word of a name unless dots or a comma set them off."""

DEGREE_HEADS = _words("S M A B D PH SP")
"""First halves of a degree that is written apart: `S. Kom.`, `Ph. D.`"""

PATRONYMIC = _words("BIN BINTI BINTE BTE BT")
"""`son of`, `daughter of`: left out between two words."""

MUHAMMAD = "MUHAMMAD"
MUHAMMADS = _words(
    "MOH MOHD MUH MUHD MHD MOCH MUCH MOKH MOEH MOCHAMAD MOCHAMMAD MOCHAMED MUCHAMAD MUCHAMMAD MOHAMAD MOHAMMAD "
    "MOHAMED MOHAMMED MOHAMAT MUHAMAD MUHAMED MUHAMMED MUHAMAT MUHAMMAT MUHAMADD MOKHAMAD MOKHAMMAD MUKHAMAD "
    "MUKHAMMAD MOEHAMAD MOEHAMMAD MOECHAMAD MOECHAMMAD"
)
"""Spellings of Muhammad; `M.` is one as well, where it begins a name of more words."""
