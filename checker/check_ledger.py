# kinds: written by `make docs`
KINDS = set(
    """
answer refusal repeat token read refused_unidentified agreement partner client approval duty money revocation
introspection import start destruction new_log audit access_request incident staff rekey
""".split()
)
# end of kinds
