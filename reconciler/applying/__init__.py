"""A plan -> writes and their outcomes, wave by wave, each verified and on the record; and a run that is taken back."""
