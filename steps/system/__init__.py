"""What any room may use of the machine: files, processes, memory, the environment."""
