"""A NIK that does not work: the case between partner and regency office (pure; `store/referrals/` keeps it)."""
