"""What was asked, refused, read and changed, so that it can be proven: an append-only Merkle log."""
