"""What is asked: texts of an exact length, conversations that grow."""
