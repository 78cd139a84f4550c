"""A plan -> writes and their outcomes, wave by wave, each verified and recorded; and the rollback of a run."""
