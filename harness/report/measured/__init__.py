"""What was measured: steps, the server's own word, the search."""
