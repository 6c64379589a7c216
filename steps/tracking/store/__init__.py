"""What is known of a tracking store itself: its address, whether it answers, where it keeps files, how it is opened."""
