"""What people look at: the city in three dimensions, street maps and plots."""
