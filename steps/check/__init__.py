"""Self-test: does the installation work, and does the tracking store record and give back what a study needs?"""
