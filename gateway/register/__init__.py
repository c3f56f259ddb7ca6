"""What does the register know of a resident, in which state, for which reason, and who can mend it?"""
