"""dataset -> one model per fold: networks, subject-wise splits, fitting."""
