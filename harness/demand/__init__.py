"""What a month asks for, and where that is known from."""
