"""Headers of programs and devices whose files say what they are."""
