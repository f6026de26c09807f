"""The roads room."""
