"""What a planner writes and reads: scenario files, runs, comparisons, the command line."""
