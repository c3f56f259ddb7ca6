"""How does one say an answer to a person, in Indonesian or English? Words only: decide on `usable`, never on these."""

from __future__ import annotations

from nik_gateway_client.answers import Answer

_WORDS = {
    "usable": ("DAPAT DIGUNAKAN", "USABLE"),
    "unusable": ("TIDAK DAPAT DIGUNAKAN", "NOT USABLE"),
    "match": ("data yang menentukan cocok", "the deciding claims match"),
    "mismatch": (
        "data tidak cocok, atau NIK tidak ada: keduanya dijawab sama",
        "the claims do not match, or there is no such NIK: both are answered alike",
    ),
    "active": ("NIK aktif", "the NIK is active"),
    "blocked": ("NIK diblokir", "the NIK is blocked"),
    "stale": ("data NIK belum mutakhir", "the NIK's data are not up to date"),
    "reason": ("sebab", "reason"),
    "remedy": ("tindak lanjut", "remedy"),
    "as_of": ("data pusat lengkap sampai", "register complete until"),
    "recheck_after": ("jawaban dapat dipegang sampai", "may be relied on until"),
    "changed": ("ada perubahan sejak jawaban sebelumnya", "something has changed since the earlier answer"),
    "unchanged": ("tidak ada perubahan sejak jawaban sebelumnya", "nothing has changed since the earlier answer"),
    "billed": ("dihitung dalam kuota", "counted against the allowance"),
    "unbilled": ("tidak dihitung dalam kuota", "not counted against the allowance"),
    "deceased": ("meninggal dunia", "deceased"),
    "by_order": ("diblokir atas perintah yang berwenang", "blocked by order of an authority"),
    "nik_duplicate": ("NIK ganda; ada NIK lain yang berlaku", "a duplicate; another NIK is the valid one"),
    "biometric_duplicate": (
        "biometrik terekam lebih dari sekali, atau mirip orang lain",
        "biometrics recorded more than once, or resembling another's",
    ),
    "biometric_not_recorded": ("belum rekam biometrik", "biometrics never recorded"),
    "moved_abroad": ("pindah ke luar negeri", "moved abroad"),
    "anomaly": ("anomali data", "an anomaly in the data"),
    "not_consolidated": ("menunggu konsolidasi manual", "waiting for consolidation by hand"),
    "in_transit": ("data daerah belum utuh di pusat", "sent by the regency, not whole at the centre yet"),
    "change_pending": ("perubahan data belum selesai", "a change is announced and not settled"),
    "source_behind": ("kiriman data daerah terlambat", "the region's data are late"),
    "claim": ("elemen data", "claim"),
    "band.match": ("sesuai", "matches"),
    "band.close": ("hampir sesuai", "close"),
    "band.different": ("tidak sesuai", "different"),
    "band.not_recorded": ("tidak tercatat", "not recorded"),
}


def say(word: str, language: str) -> str:
    """One of this file's words in `id` or `en`; a word that is not known says itself."""
    indonesian, english = _WORDS.get(word, (word, word))
    return english if language == "en" else indonesian


def describe(answer: Answer, language: str) -> list[str]:
    """An answer in plain words, one line for each thing it tells; the first is the verdict."""
    lines = [say("usable" if answer.usable else "unusable", language)]
    if answer.match is not None:
        lines.append(say("match" if answer.match else "mismatch", language))
    if answer.status:
        lines.append(say(answer.status, language))
    if answer.reason:
        lines.append(f"{say('reason', language)}: {say(answer.reason, language)} ({answer.reason})")
    lines += _remedy(answer, language)
    for name, band in answer.claims.items():
        lines.append(f"{say('claim', language)} {name}: {say(f'band.{band}', language).removeprefix('band.')}")
    if answer.as_of:
        lines.append(f"{say('as_of', language)}: {answer.as_of}")
    if answer.recheck_after:
        lines.append(f"{say('recheck_after', language)}: {answer.recheck_after}")
    if answer.changed is not None:
        lines.append(say("changed" if answer.changed else "unchanged", language))
    lines.append(say("billed" if answer.billed else "unbilled", language))
    return lines


def _remedy(answer: Answer, language: str) -> list[str]:
    if not answer.remedy:
        return []
    texts = answer.remedy.get("text")
    text = texts.get(language) if isinstance(texts, dict) else None
    told = text or " ".join(str(answer.remedy[name]) for name in ("by", "where", "action") if answer.remedy.get(name))
    return [f"{say('remedy', language)}: {told}"]
