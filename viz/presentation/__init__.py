"""The presentation in the browser: what it shows, packed into one page."""
