"""Which keys are published, so that they may never serve? RFC 7638 thumbprints of keys.example/."""

from __future__ import annotations

THUMBPRINTS = frozenset(
    {
        "aOV9jlDgnnTTnskX_nqvN_jbD9q-gHtapAmgxNMgXDQ",  # answer-1.jwk
        "-EAcVhbUfpni4SOxlq-BfWUmYrYlZQx2ksMKO3KM6dM",  # attempt-1.jwk
        "Q5ASpO0y_ClTj6YMTHgFljWYGIEl1GBFyXgnLBQ4jrI",  # checkpoint-1.jwk
        "8gs1mAHyzMFBN-Ri1anptdn32JJrXftv97NyPEDTFeA",  # claims-1.jwk
        "02PkM69n7p-2Mc-1H7sabaSIaWs2mOnHKCROTLM08fM",  # idempotency-1.jwk
        "gLrwW1q7lWEmNkWYEDa29SZfGxvdsz-bbKKMp1WpA70",  # index-1.jwk
        "dvTpmrcQcyc9npw-X3SJMktNVx6c8-78vUs0-hT17eY",  # ledger-tag-1.jwk
        "nq0PN-PntjCkHWtnlHpqip1ASJgamlH2uMh5jB0KK-w",  # nonce-1.jwk
        "xzkgIAwZ3Ee5IrnFe7TEnR05xdS8yQi87J0EtzFINB4",  # subject-1.jwk
        "E6jcAcu6_Okx6D5a3vIhJpbWkwPVx5tcmCF0Gmfy6G0",  # token-1.jwk
    }
)
