"""Running a recorded run again from its ID alone, and comparing value by value."""
