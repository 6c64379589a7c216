"""What would make a study's answer worthless: shortcuts, recordings and people that are there twice, leaks."""
