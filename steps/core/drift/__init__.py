"""Whether people who come later are like those a model was trained on. Subjects are the unit throughout."""
