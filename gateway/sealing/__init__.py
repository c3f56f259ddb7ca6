"""How is anything appended? Submission, sealer, queue, standing and one `attempt`: the only way into the ledger."""
