"""What may people do to agreements, members and findings, and who else must approve? Each act sealed before it is answered."""
