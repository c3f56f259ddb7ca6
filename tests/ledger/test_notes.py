"""Signed notes, checkpoints and cosignatures: C2SP's own examples, and a reader that somebody else wrote."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from logs import ORIGIN, SEED, VKEY, signers
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint as ForeignCheckpoint

from gateway.ledger.log.note import (
    COSIGNATURE,
    PLAIN,
    POST_QUANTUM,
    Note,
    NoteFault,
    NoteSigner,
    VerifierKey,
    new_signer_text,
    parse_signer,
)
from gateway.ledger.publication.checkpoint import Checkpoint, is_successor, origin_of, sign, successor, verify

EXAMPLE = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
CHECKPOINT = Checkpoint(ORIGIN, 20852163, bytes(range(32)))
NOTE = sign(CHECKPOINT, signers(ORIGIN))
_private = Ed25519PrivateKey.from_private_bytes(SEED[::-1])
WITNESS = NoteSigner(
    VerifierKey("witness.example/w1", COSIGNATURE, _private.public_key().public_bytes_raw()), _private.sign
)
COSIGNED = NOTE + WITNESS.line(CHECKPOINT.text.encode(), 1_679_315_147)


def test_the_specifications_example_key_is_read() -> None:
    """Its id is that of name and key, and it is written as it was read."""
    key = VerifierKey.parse(EXAMPLE)
    assert (key.name, key.type, key.id.hex()) == ("example.com/foo", PLAIN, "530d903a")
    assert str(key) == EXAMPLE


def test_a_foreign_reader_verifies_checkpoint_and_cosignature() -> None:
    """tlog-scales reads our note, finds the same three lines, and takes both signatures."""
    foreign = ForeignCheckpoint.from_text(COSIGNED)
    assert (foreign.origin, foreign.size, foreign.root_hash) == (ORIGIN, CHECKPOINT.size, CHECKPOINT.root)
    foreign.verify(Vkey.from_string(str(VKEY)))
    foreign.verify(Vkey.from_string(str(WITNESS.key)))
    assert foreign.serialize() == COSIGNED


def test_a_checkpoint_is_verified_by_its_logs_key() -> None:
    """The note as it was signed; the cosignature's time is told."""
    signed = verify(COSIGNED, [VKEY], [WITNESS.key])
    assert signed.checkpoint == CHECKPOINT
    assert signed.by == {VKEY: 0, WITNESS.key: 1_679_315_147}


@pytest.mark.parametrize(
    ("note", "keys"),
    [
        (NOTE, []),
        (NOTE, [WITNESS.key]),
        (NOTE, [VerifierKey("other.example", PLAIN, VKEY.public)]),
        (NOTE, [VerifierKey.parse(EXAMPLE)]),
        (NOTE.replace("20852163", "20852164"), [VKEY]),
        (NOTE.replace(ORIGIN + "\n", "log.example/other\n", 1), [VKEY]),
        (sign(Checkpoint("other.example", 1, bytes(32)), signers(ORIGIN)), [VKEY]),
        (NOTE.replace("\n\n", "\nextension\n\n"), [VKEY]),
        (NOTE.partition("\n\n")[0] + "\n", [VKEY]),
    ],
)
def test_a_checkpoint_that_the_log_did_not_sign_is_refused(note: str, keys: list[VerifierKey]) -> None:
    """No key, another's, another origin, size or root: not trusted."""
    with pytest.raises(NoteFault):
        verify(note, keys)


def test_every_bit_of_the_signed_text_counts() -> None:
    """Whichever bit of the checkpoint's text is flipped, the note is refused."""
    text = CHECKPOINT.text.encode()
    for bit in range(len(text) * 8):
        changed = bytearray(text)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(NoteFault):
            verify(changed.decode("latin-1") + NOTE[len(text.decode()) :], [VKEY])


@pytest.mark.parametrize(
    "note",
    [
        "", "\n", "text\n", "text\n\n", "text\n\nname AAAA\n", "text\n\n— name AAAA\n", "text\n\n— name AAAAAA==",
        "text\n\n— name *\n", "text\n\n— a+b AAAAAAA=\n", "te\txt\n\n— name AAAAAAA=\n", "text\r\n\n— name AAAAAAA=\n",
        "text\n\n— name  AAAAAAA=\n", "text\n\n— name AAAAAAB=\n",
    ],
)  # fmt: skip
def test_what_has_not_the_form_is_no_note(note: str) -> None:
    """No signature, a bad line, control characters, base64 in another spelling."""
    with pytest.raises(NoteFault):
        Note.parse(note)


def test_sixteen_strange_signatures_do_no_harm() -> None:
    """Signatures of unknown keys are passed over, as many as a note may well have."""
    strange = "".join(
        NoteSigner(VerifierKey(f"w{number}", COSIGNATURE, VKEY.public), lambda _: bytes(64)).line(b"", 1)
        for number in range(16)
    )
    assert verify(NOTE + strange, [VKEY]).checkpoint == CHECKPOINT


@pytest.mark.parametrize(
    "text",
    ["", "x", "a\n1\n\n", "a\n01\nAA==\n", "a\n-1\nAA==\n", "\n1\nAA==\n", "a\n1\nAA==\n", "a\n1\n" + "A" * 43 + "=",
     "a\n1\n" + "A" * 43 + "=\n\n", "a\n１\n" + "A" * 43 + "=\n"],  # noqa: RUF001  a digit that is none
)  # fmt: skip
def test_what_has_not_the_lines_is_no_checkpoint(text: str) -> None:
    """Origin, size and root, each in its one spelling."""
    with pytest.raises(NoteFault):
        Checkpoint.parse(text)


@pytest.mark.parametrize("form", [COSIGNATURE, POST_QUANTUM])
def test_a_secret_is_read_as_it_was_written_and_never_shown(form: int) -> None:
    """The text of a signer gives the same key; a damaged one is refused without being told."""
    secret, key = new_signer_text("witness.example/w1", form, SEED)
    assert parse_signer(secret + "\n").key == key
    for damaged in (secret[:-4], secret.replace("w1", "w2"), secret[12:], secret.replace("PRIVATE", "PUBLIC")):
        with pytest.raises(NoteFault) as fault:
            parse_signer(damaged)
        assert secret[-20:] not in str(fault.value)
    with pytest.raises(NoteFault):
        new_signer_text("two words", COSIGNATURE, SEED)


def test_a_new_log_names_the_old_head() -> None:
    """The successor's origin holds size and root of the old head; nothing else passes for one."""
    assert origin_of("https://nik.example.go.id:8443") == "nik.example.go.id:8443/ledger"
    origin = successor(ORIGIN, CHECKPOINT)
    assert origin.startswith(f"{ORIGIN}/after/20852163/")
    assert is_successor(origin, ORIGIN)
    assert is_successor(ORIGIN, ORIGIN)
    for other in (
        ORIGIN + "x",
        ORIGIN + "/after/1/x",
        ORIGIN + "/after/01/" + "A" * 43,
        "x/after/1/" + "A" * 43,
        origin + "/",
    ):
        assert not is_successor(other, ORIGIN)


def test_a_cosigners_key_does_not_sign_for_the_log() -> None:
    """Not even one that bears the log's name: what it signs has a time before it."""
    key = VerifierKey(ORIGIN, COSIGNATURE, _private.public_key().public_bytes_raw())
    cosigned = CHECKPOINT.text + "\n" + NoteSigner(key, _private.sign).line(CHECKPOINT.text.encode(), 1)
    assert Note.parse(cosigned).signed_by([key]) == {key: 1}
    with pytest.raises(NoteFault):
        verify(cosigned, [key])


def test_a_key_bears_its_own_id() -> None:
    """One under another id is refused, and so is a cosignature of a time that there is not."""
    with pytest.raises(NoteFault, match="530d903a"):
        VerifierKey.parse(EXAMPLE.replace("530d903a", "530d903b"))
    for at in (1 << 63, (1 << 64) - 1):
        with pytest.raises(NoteFault, match="no such time"):
            WITNESS.key.signed(CHECKPOINT.text.encode(), at)


def test_a_log_that_names_no_log_before_it_is_none_of_ours() -> None:
    """A size and a root are not enough: the origin has to be ours."""
    root = successor(ORIGIN, CHECKPOINT).rpartition("/")[2]
    assert not is_successor(f"5/{root}", ORIGIN)
    assert not is_successor(f"other.example/after/5/{root}", ORIGIN)
